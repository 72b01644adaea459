"""Does the engine take and give what the model declares?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from backends.contract import Array, TensorSpec


def judge_contract(
    declared: Sequence[TensorSpec], engine: Sequence[TensorSpec], what: str
) -> tuple[str, ...]:
    """Breaches of the signature: `declared` by the model, `engine` as the engine reports it after conversion."""
    breaches: list[str] = []
    ours, theirs = [spec.name for spec in declared], [spec.name for spec in engine]
    if len(ours) != len(theirs):
        breaches.append(f"{len(theirs)} {what}s instead of {len(ours)}: {', '.join(theirs) or 'none'}")
    missing = [name for name in ours if name not in theirs]
    if missing:
        breaches.append(
            f"{what} {', '.join(missing)} is missing; the engine has {', '.join(theirs) or 'none'}"
        )
    elif ours != theirs and len(ours) == len(theirs):
        breaches.append(f"{what}s come in the order {', '.join(theirs)} instead of {', '.join(ours)}")
    found = {spec.name: spec for spec in engine}
    for spec in declared:
        other = found.get(spec.name)
        if other is None:
            continue
        if other.dtype != spec.dtype:
            breaches.append(f"{what} {spec.name} is {other.dtype} instead of {spec.dtype}")
        if len(other.shape) != len(spec.shape):
            breaches.append(f"{what} {spec.name} has rank {len(other.shape)} instead of {len(spec.shape)}")
            continue
        for axis, (a, b) in enumerate(zip(other.shape, spec.shape, strict=True)):
            if isinstance(a, int) and isinstance(b, int) and a != b:
                breaches.append(f"{what} {spec.name} has size {a} at axis {axis} instead of {b}")
    return tuple(breaches)


def judge_arrays(declared: Sequence[TensorSpec], arrays: Mapping[str, Array]) -> tuple[str, ...]:
    """Breaches by the arrays that came back: names, number and dtypes."""
    breaches: list[str] = []
    names = [spec.name for spec in declared]
    breaches += [f"output {name} was not returned" for name in names if name not in arrays]
    breaches += [f"output {name} is not in the model's signature" for name in arrays if name not in names]
    for spec in declared:
        if spec.name in arrays and arrays[spec.name].dtype != np.dtype(spec.dtype):
            breaches.append(
                f"output {spec.name} came back as {arrays[spec.name].dtype} instead of {spec.dtype}"
            )
    return tuple(breaches)

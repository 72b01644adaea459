"""The model whose outputs count as right, where it is another one than the contenders run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from backends.contract import Array, TensorSpec
from harness.errors import InputError
from harness.plan.cases import model_name
from harness.records.graph import GraphFacts
from harness.run.models import resolve_model
from harness.run.observer import Observer
from harness.run.resolved import ResolvedModel

QUANTISED = frozenset(
    {
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
    }
)
"""ONNX operators of quantised models."""

_ADVICE = "both must take and give tensors of the same names, shapes and kinds"


def find_reference(
    reference: str, model: ResolvedModel, observer: Observer, *, threads: int
) -> ResolvedModel:
    """The model called `reference` (a built-in name or an ONNX file); `model` itself when that is empty.

    Floating-point tensors may differ in width, because a model converted to float16 is to be judged by its original.
    Raises InputError for a model that cannot be used, or whose signature does not match.
    """
    if not reference:
        return model
    found = resolve_model(reference, model_name(reference), observer, threads=threads, flag="--reference")
    for what, ours, theirs in (
        ("input", model.source.inputs, found.source.inputs),
        ("output", model.source.outputs, found.source.outputs),
    ):
        problem = mismatch(what, ours, theirs)
        if problem:
            raise InputError(f"--reference {reference} cannot judge {model.ref.name}: {problem}", _ADVICE)
    return found


def mismatch(what: str, ours: Sequence[TensorSpec], theirs: Sequence[TensorSpec]) -> str:
    """Why the reference's tensors are not the model's; empty when they match. A dynamic size fits any."""
    known = {spec.name: spec for spec in theirs}
    missing = [spec.name for spec in ours if spec.name not in known]
    surplus = [name for name in known if name not in {spec.name for spec in ours}]
    if missing or surplus:
        words = [f"it has no {what} {', '.join(missing)}"] if missing else []
        words += [f"it has the {what} {', '.join(surplus)}, which the model lacks"] if surplus else []
        return "; ".join(words)
    for spec in ours:
        other = known[spec.name]
        if other.dtype != spec.dtype and not (_is_float(other) and _is_float(spec)):
            return f"its {what} {spec.name} is {other.dtype}, the model's {spec.dtype}"
        fits = len(other.shape) == len(spec.shape) and all(
            a == b or isinstance(a, str) or isinstance(b, str)
            for a, b in zip(other.shape, spec.shape, strict=True)
        )
        if not fits:
            return f"its {what} {spec.name} has the shape {list(other.shape)}, the model's {list(spec.shape)}"
    return ""


def own_precision(facts: GraphFacts | None) -> str:
    """The precision that a converted model itself computes in, from its graph; empty for float32, and if not known.

    A model that was quantised or narrowed cannot be as near to its original as float32 is: whoever gives the original
    as reference wants to know whether it errs more than that conversion explains.
    """
    if facts is None:
        return ""
    if QUANTISED & set(facts.operators):
        return "int8"
    floats = {name: facts.dtypes.get(name, 0) for name in ("float32", "float64", "float16", "bfloat16")}
    most = max(floats, key=lambda name: floats[name])
    return {"float16": "fp16", "bfloat16": "bf16"}.get(most, "") if floats[most] else ""


def check_sizes(reference: ResolvedModel, feeds: Mapping[str, Mapping[str, Array]]) -> None:
    """Raise InputError where the reference fixes a size that these inputs have otherwise."""
    for arrays in feeds.values():
        for spec in reference.source.inputs:
            shape = arrays[spec.name].shape
            if any(isinstance(dim, int) and dim != size for dim, size in zip(spec.shape, shape, strict=True)):
                raise InputError(
                    f"the reference {reference.ref.name} takes {spec.name} as {list(spec.shape)}, "
                    f"not as {list(shape)}",
                    "give a --batch and --dim that it takes too",
                )


def _is_float(spec: TensorSpec) -> bool:
    return np.dtype(spec.dtype).kind == "f"

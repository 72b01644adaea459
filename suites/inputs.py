"""Input sets by name: what a model's inputs are filled with. `kind:seed` where a seed decides, else `kind`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np

from backends.contract import Array, TensorSpec
from backends.digest import sha256_of as sha256_of
from suites.errors import ModelError
from suites.fillings import fill
from suites.npz_inputs import load_npz as load_npz

SEEDED = ("normal", "uniform", "sparse", "extremes")
CONSTANT = ("zeros", "ones")
SAMPLES = ("pictures", "texts")
"""Kinds that are made of the shipped samples by the model's pipeline; see `suites.sample_inputs`."""


def make_inputs(
    specs: Sequence[TensorSpec],
    set_name: str,
    batch: int = 1,
    dims: Mapping[str, int] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, Array]:
    """The input set `set_name` for `specs`: name -> C-contiguous array of the declared dtype.

    `set_name` is one of
    - `normal:SEED`: standard normal;
    - `uniform:SEED`: 0 to 1, or the input's range;
    - `sparse:SEED`: nine of ten values are zero, the others standard normal;
    - `extremes:SEED`: magnitudes of 2^7 to 2^10 in entries of the batch (places on the first axis) whose number plus
      SEED is even, of 2^-14 to 2^-11 in the others, log-uniform, with random signs, cut off at the input's range;
      integers are at either end of their range. So at batch 1 `extremes:0` is large and `extremes:1` small;
    - `zeros`, `ones`.

    `dims` gives the sizes of named dynamic dimensions, `ranges` the half-open range of values of an input.
    Integers are drawn uniformly from their range (default 0 and 1) in the other seeded kinds, and constants and empty
    places are moved into it; booleans are fair coins. An attention mask has ones in the first half of each row or more
    (in all of it in `ones` and in large entries, in the first place alone in `zeros` and in small ones), then zeros.
    Each tensor has a stream of its own, so that its values do not depend on the other inputs. Raises ModelError for
    an unknown set, a set that only a pipeline can make, a dimension without a size, or an impossible range.
    """
    kind, seed = parse_set(set_name)
    if kind in SAMPLES:
        raise ModelError(
            f"the input set {set_name!r} is made by a model's pipeline, and there is none here",
            f"take another one: {_known((*SEEDED, *CONSTANT))}",
        )
    arrays = {}
    for spec in specs:
        shape = _shape(spec, batch, dims)
        limits = (ranges or {}).get(spec.name)
        if limits is not None and not limits[0] < limits[1]:
            raise ModelError(
                f"the values of input {spec.name!r} cannot be from {limits[0]} up to {limits[1]}",
                "the first must be below the second",
            )
        arrays[spec.name] = np.ascontiguousarray(fill(spec, kind, seed, shape, limits)).reshape(shape)
    return arrays


def parse_set(set_name: str) -> tuple[str, int]:
    """Kind and seed of an input set's name (seed 0 for kinds without one). Raises ModelError for another name."""
    kind, colon, text = set_name.partition(":")
    if kind in (*CONSTANT, *SAMPLES) and not colon:
        return kind, 0
    if kind in SEEDED and text.isascii() and text.isdigit():
        return kind, int(text)
    every = (*SEEDED, *CONSTANT, *SAMPLES)
    near = difflib.get_close_matches(kind, every, n=1)
    guess = f"did you mean {_form(near[0])!r}? " if near else ""
    raise ModelError(
        f"there is no input set {set_name!r}",
        f"{guess}Input sets: {_known(every)}, with a whole number as SEED",
    )


def non_finite(arrays: Mapping[str, Array]) -> dict[str, int]:
    """How many NaN and infinite values each floating-point array holds; arrays without any are left out."""
    counts = {
        name: int(np.count_nonzero(~np.isfinite(array)))
        for name, array in arrays.items()
        if np.issubdtype(array.dtype, np.inexact)
    }
    return {name: count for name, count in counts.items() if count}


def _shape(spec: TensorSpec, batch: int, dims: Mapping[str, int] | None) -> tuple[int, ...]:
    try:
        return spec.concrete(batch, dims)
    except ValueError as error:
        known = dims or {}
        open_dims = [dim for dim in spec.shape[1:] if isinstance(dim, str) and dim not in known]
        flags = " ".join(f"--dim {dim}=SIZE" for dim in dict.fromkeys(open_dims))
        raise ModelError(str(error), f"pass {flags}") from error


def _known(kinds: Sequence[str]) -> str:
    return ", ".join(_form(kind) for kind in kinds)


def _form(kind: str) -> str:
    return f"{kind}:SEED" if kind in SEEDED else kind

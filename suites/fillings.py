"""How the values of one input are drawn, for every kind of input set that needs no files."""

from __future__ import annotations

import hashlib

import numpy as np

from backends.contract import Array, TensorSpec

Range = tuple[float, float]

INTEGER_RANGE: Range = (0, 2)
"""Half-open range of integer inputs whose model names none: 0 and 1 are valid as token, mask and index."""
UNIT_RANGE: Range = (0.0, 1.0)
ATTENTION_MASK = "attention_mask"
"""An integer or boolean input [batch, sequence] of this name, the usual one of encoders, is filled as real texts fill
it: ones, then zeros for the padding. Coins would leave texts without a token, whose attention is undefined."""
FILLED = 0.1
"""Share of a sparse input that is not zero."""
LARGE = (7.0, 10.0)
SMALL = (-14.0, -11.0)
"""Binary exponents of the magnitudes in `extremes`.

2^-14 is the smallest normal number of float16, the narrowest format that engines compute in: below it a correct
engine may lose digits or flush to zero. 2^10 leaves a factor of 64 to float16's largest number for weights and sums;
in float32 the product of twelve such values is finite, and so is the sum of 2^100 inverses of the smallest."""


def fill(spec: TensorSpec, kind: str, seed: int, shape: tuple[int, ...], limits: Range | None) -> Array:
    """Values of the dtype and in the `shape` given, as `suites.inputs.make_inputs` describes them."""
    dtype = np.dtype(spec.dtype)
    if spec.name == ATTENTION_MASK and len(shape) == 2 and dtype.kind in "iub":
        return _mask(kind, seed, shape).astype(dtype)
    if kind in ("zeros", "ones"):
        value = float(kind == "ones")
        if limits is not None and dtype.kind in "iu":
            value = min(max(value, limits[0]), limits[1] - 1)
        return np.full(shape, value, dtype)
    # The kinds draw integers alike: without a stream of its own one would repeat the other.
    own_stream = (dtype.kind in "iub" and kind == "uniform") or kind in ("extremes", "sparse")
    rng = _generator(f"{spec.name} {kind}" if own_stream else spec.name, seed)
    if kind == "extremes":
        return _extremes(rng, dtype, seed, shape, limits)
    drawn = _drawn(rng, dtype.kind, kind, shape, limits).astype(dtype)
    if kind != "sparse":
        return drawn
    empty = limits[0] if limits is not None and dtype.kind in "iu" and not limits[0] <= 0 < limits[1] else 0
    return np.where(rng.random(shape) < FILLED, drawn, np.asarray(empty, dtype))


def _mask(kind: str, seed: int, shape: tuple[int, ...]) -> Array:
    rows, places = shape
    rng = _generator(f"{ATTENTION_MASK} {kind}", seed)
    if kind == "extremes":
        lengths = np.where(_is_large(seed, rows), places, 1)
    else:
        shortest = {"ones": places, "zeros": 1}.get(kind, -(-places // 2))
        longest = 1 if kind == "zeros" else places
        lengths = rng.integers(shortest, longest + 1, rows)
    return np.asarray(np.arange(places) < lengths[:, None])


def _extremes(
    rng: np.random.Generator,
    dtype: np.dtype[np.generic],
    seed: int,
    shape: tuple[int, ...],
    limits: Range | None,
) -> Array:
    """Integers and booleans at either end of their range; floats all large or all small in one entry of the batch."""
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, shape)).astype(dtype)
    if dtype.kind in "iu":
        low, high = limits or INTEGER_RANGE
        return np.where(rng.integers(0, 2, shape) == 1, int(high) - 1, int(low)).astype(dtype)
    large = _is_large(seed, shape[0] if shape else 1)
    lowest = np.where(large, LARGE[0], SMALL[0]).reshape((-1, *(1 for _ in shape[1:])) if shape else ())
    exponents = lowest + rng.random(shape) * (LARGE[1] - LARGE[0])
    signs = rng.integers(0, 2, shape) * 2.0 - 1.0
    values = np.asarray(signs * np.exp2(exponents))
    if limits is not None:
        values = np.clip(values, limits[0], np.nextafter(limits[1], limits[0]))
    return values.astype(dtype)


def _is_large(seed: int, entries: int) -> Array:
    return np.asarray((np.arange(entries) + seed) % 2 == 0)


def _drawn(
    rng: np.random.Generator, dtype_kind: str, kind: str, shape: tuple[int, ...], limits: Range | None
) -> Array:
    if dtype_kind == "b":
        return np.asarray(rng.integers(0, 2, shape))
    if dtype_kind in "iu":
        low, high = limits or INTEGER_RANGE
        return np.asarray(rng.integers(int(low), int(high), shape))
    if kind == "uniform":
        return np.asarray(rng.uniform(*(limits or UNIT_RANGE), shape))
    return np.asarray(rng.standard_normal(shape))


def _generator(name: str, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(digest[:16], "little")]))

"""How an output differs from the right one: figures that explain a verdict, and decide nothing.

Each figure has a textbook definition and is checked against SciPy or brute force in the tests. A million numbers take
well under a second: ranks, the costliest, are taken of evenly spaced numbers where there are more than RANK_VALUES.
"""

from __future__ import annotations

import numpy as np

from backends.contract import Array
from harness.records.parity_figures import Diagnostics, ErrorQuantile

RANK_VALUES = 100_000
"""More numbers are thinned out, evenly, before they are ranked: a correlation over 10^5 is known to 0.3 %."""

QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)

_ULP_DTYPES = {np.dtype(np.float16): np.int16, np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def diagnose(actual: Array, right: Array, yardstick: Array | None = None) -> Diagnostics:
    """Figures of `actual` against `right`: arrays of the same shape, of any numeric dtype; `right` is in float64.

    `yardstick`, the reference in float32, names the format in which distances are counted where `actual` is of no
    floating-point type with 16, 32 or 64 bits. Raises ValueError for shapes that differ.
    """
    if actual.shape != right.shape:
        raise ValueError(
            f"outputs of shape {actual.shape} and {right.shape} cannot be compared number by number"
        )
    found, wanted = np.asarray(actual).astype(np.float64), np.asarray(right).astype(np.float64)
    finite = np.isfinite(found) & np.isfinite(wanted)
    whole = bool(finite.all())
    a, b = (found.ravel(), wanted.ravel()) if whole else (found[finite], wanted[finite])
    scale = float(np.sqrt(np.mean(np.square(b)))) if b.size else 0.0
    size = scale or 1.0
    error = np.abs(a - b)
    places = None if whole else np.flatnonzero(finite)
    worst = _place(int(error.argmax()), places, right.shape) if error.size else None
    relative, relative_index = _largest_relative(error, b, places, right.shape)
    ulp_dtype, ulp_counts, ulp_max = _ulp_histogram(a, b, _float_of(actual, yardstick))
    top1, top5 = _top_agreement(found, wanted, whole)
    rank, ranked = _rank_correlation(a, b)
    return Diagnostics(
        values=int(actual.size),
        scale=size,
        nan=int(np.isnan(found).sum()),
        infinite=int(np.isinf(found).sum()),
        reference_nan=int(np.isnan(wanted).sum()),
        reference_infinite=int(np.isinf(wanted).sum()),
        constant=_is_constant(found) and not _is_constant(wanted),
        cosine=_cosine(a, b),
        sqnr_db=_sqnr_db(error, b),
        max_abs=float(error.max()) if error.size else None,
        max_abs_index=worst,
        max_rel=relative,
        max_rel_index=relative_index,
        ulp_dtype=ulp_dtype,
        ulp_counts=ulp_counts,
        ulp_max=ulp_max,
        top1=top1,
        top5=top5,
        rank_correlation=rank,
        rank_values=ranked,
        quantiles=_quantiles(error, size),
    )


def ulp_distance(actual: Array, right: Array, dtype: np.dtype[np.floating]) -> Array:
    """How many numbers of `dtype` lie from `right` (rounded to it) to `actual`: int64, of finite arrays.

    The bits of a floating-point number, read as an integer with its sign put right, count the numbers from 0
    (IEEE 754 orders them so); the distance is the difference of two such counts.
    """
    whole = _ULP_DTYPES[np.dtype(dtype)]
    with np.errstate(over="ignore", under="ignore"):
        low, high = (np.ascontiguousarray(array.astype(dtype)).view(whole) for array in (actual, right))
    return _distance(_ordered(low), _ordered(high))


def _ordered(bits: Array) -> Array:
    wide = bits.astype(np.int64)
    lowest = np.int64(np.iinfo(bits.dtype).min)
    return np.where(wide < 0, lowest - wide, wide)


def _distance(a: Array, b: Array) -> Array:
    """|a - b|, held at the largest int64: two float64 of opposite signs may be farther apart."""
    unsigned = np.where(a > b, a, b).view(np.uint64) - np.where(a > b, b, a).view(np.uint64)
    return np.asarray(np.minimum(unsigned, np.uint64(np.iinfo(np.int64).max)).astype(np.int64))


def _float_of(actual: Array, yardstick: Array | None) -> np.dtype[np.floating] | None:
    for array in (actual, yardstick):
        if array is not None and array.dtype in _ULP_DTYPES:
            return array.dtype
    return None


def _ulp_histogram(
    a: Array, b: Array, dtype: np.dtype[np.floating] | None
) -> tuple[str, tuple[int, ...], int | None]:
    if dtype is None or not a.size:
        return "", (), None
    distance = ulp_distance(a, b, dtype)
    # frexp's exponent of a whole number is its number of bits, exactly up to 2^53; larger ones are lumped anyway.
    bits = np.frexp(distance.astype(np.float64))[1]
    counts = np.bincount(bits)
    return np.dtype(dtype).name, tuple(int(count) for count in counts), int(distance.max())


def _is_constant(values: Array) -> bool:
    flat = values.ravel()
    return bool(flat.size > 1 and (flat == flat[0]).all())


def _place(flat: int, places: Array | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    where = flat if places is None else int(places[flat])
    return tuple(int(i) for i in np.unravel_index(where, shape))


def _largest_relative(
    error: Array, right: Array, places: Array | None, shape: tuple[int, ...]
) -> tuple[float | None, tuple[int, ...] | None]:
    size = np.abs(right)
    if not (size > 0).any():
        return None, None
    with np.errstate(over="ignore"):
        relative = np.divide(error, size, out=np.zeros_like(error), where=size > 0)
    worst = int(relative.argmax())
    if not np.isfinite(relative[worst]):
        return None, None
    return float(relative[worst]), _place(worst, places, shape)


def _cosine(a: Array, b: Array) -> float | None:
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.dot(a, b)) / norm if norm > 0 and np.isfinite(norm) else None


def _sqnr_db(error: Array, right: Array) -> float | None:
    noise, signal = float(np.sum(np.square(error))), float(np.sum(np.square(right)))
    if not (0 < noise < np.inf and 0 < signal < np.inf):
        return None
    return 10 * float(np.log10(signal / noise))


def _top_agreement(a: Array, b: Array, finite: bool) -> tuple[float | None, float | None]:
    """Over rows along the last axis. Top-5: the right first is among the five largest, as in ImageNet's measure."""
    if not finite or a.ndim < 2 or a.shape[-1] < 2 or a.size == 0:
        return None, None
    rows, best = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]).argmax(axis=-1)
    top1 = float(np.mean(rows.argmax(axis=-1) == best))
    if a.shape[-1] <= 5:
        return top1, None
    chosen = np.take_along_axis(rows, best[:, None], axis=-1)
    return top1, float(np.mean((rows > chosen).sum(axis=-1) < 5))


def _rank_correlation(a: Array, b: Array) -> tuple[float | None, int]:
    if a.size > RANK_VALUES:
        # An odd step of its own kind would fall on one channel; evenly spaced places with fractions do not.
        chosen = np.linspace(0, a.size - 1, RANK_VALUES).astype(np.int64)
        a, b = a[chosen], b[chosen]
    if a.size < 2 or a.min() == a.max() or b.min() == b.max():
        return None, int(a.size)
    first, second = _ranks(a), _ranks(b)
    first -= first.mean()
    second -= second.mean()
    return float(np.dot(first, second) / np.sqrt(np.dot(first, first) * np.dot(second, second))), int(a.size)


def _ranks(values: Array) -> Array:
    """Ranks from 1; equal values share the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[group.ravel()])


def _quantiles(error: Array, scale: float) -> tuple[ErrorQuantile, ...]:
    if not error.size:
        return ()
    values = np.quantile(error, QUANTILES) / scale
    return tuple(
        ErrorQuantile(share=share, error=float(value)) for share, value in zip(QUANTILES, values, strict=True)
    )

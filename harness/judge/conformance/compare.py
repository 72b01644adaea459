"""Is an output the expected one? The rule of the ONNX project's own test runner, and the size of an error.

An output must be there and have the expected shape and dtype, and every element must satisfy
|actual - expected| <= atol + rtol · |expected|, as `numpy.testing.assert_allclose` has it: NaN equals NaN, infinities
must agree. bfloat16 is compared with an rtol of at least 2**-6, two of its units. Types that numpy cannot compare
are cast up to float32 or int64, both of which hold all their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.records.conformance import CaseError

Array = npt.NDArray[Any]

BFLOAT16_RTOL = 2.0**-6
_MANTISSA = {
    "float64": 52,
    "float32": 23,
    "float16": 10,
    "bfloat16": 7,
    "float8_e4m3fn": 3,
    "float8_e4m3fnuz": 3,
    "float8_e5m2": 2,
    "float8_e5m2fnuz": 2,
    "float8_e8m0fnu": 0,
    "float4_e2m1fn": 1,
}
"""Bits of the fraction: the unit in the last place of x is 2**(floor(log2 |x|) - bits)."""
_LEAST_EXPONENT = {"float64": -1022, "float32": -126, "float16": -14, "bfloat16": -126}


def compare_outputs(
    actual: Sequence[Mapping[int, Array]],
    expected: Sequence[Sequence[tuple[str, Array]]],
    rtol: float,
    atol: float,
    *,
    values: bool = True,
) -> CaseError | None:
    """The worst error over data sets and outputs; None when all is right.

    `actual` holds, for every data set, arrays by place among the declared outputs; `expected` (name, array) in that
    order. With `values` False only presence, shapes and dtypes are compared.
    """
    errors = []
    for number, (given, wanted) in enumerate(zip(actual, expected, strict=True)):
        for place, (name, right) in enumerate(wanted):
            error = _compare(given.get(place), right, name, number, rtol, atol, values)
            if error is not None:
                errors.append(error)
    return max(errors, key=_severity) if errors else None


def _severity(error: CaseError) -> tuple[int, float]:
    structural = error.what != "values"
    return (int(structural), float("inf") if error.share is None else error.share)


def _compare(
    actual: Array | None, right: Array, name: str, number: int, rtol: float, atol: float, values: bool
) -> CaseError | None:
    if actual is None:
        return CaseError(output=name, data_set=number, what="missing", words="the output is missing")
    if actual.shape != right.shape:
        words = f"shape {_shape(actual)}, expected {_shape(right)}"
        return CaseError(output=name, data_set=number, what="shape", words=words)
    if actual.dtype != right.dtype:
        words = f"{actual.dtype}, expected {right.dtype}"
        return CaseError(output=name, data_set=number, what="dtype", words=words)
    return _compare_values(actual, right, name, number, rtol, atol) if values and right.size else None


def _compare_values(
    actual: Array, right: Array, name: str, number: int, rtol: float, atol: float
) -> CaseError | None:
    kind = right.dtype.name
    if kind == "bfloat16":
        rtol = max(rtol, BFLOAT16_RTOL)
    a, r = _wide(actual), _wide(right)
    # Some cases overflow on purpose.
    with np.errstate(all="ignore"):
        good = np.isclose(a, r, rtol=rtol, atol=atol, equal_nan=True)
        if good.all():
            return None
        difference = np.abs(_subtract(a, r))
        same = (a == r) | (np.isnan(a) & np.isnan(r)) if a.dtype.kind == "f" else a == r
        # Where only one is NaN or infinite there is no size of an error.
        absolute = np.where(same, 0.0, np.where(np.isfinite(difference), difference, np.inf))
        share = absolute / (atol + rtol * np.where(np.isfinite(r), np.abs(r.astype(np.float64)), 0.0))
    share = np.where(good, 0.0, share)
    place = tuple(int(index) for index in np.unravel_index(int(np.argmax(share)), share.shape))
    ulp = None
    if a.dtype.kind == "f":
        ulp = _ulps(float(absolute[place]), np.abs(r[np.isfinite(r)]).max(initial=0), kind)
    wrong = int(np.count_nonzero(~good))
    return CaseError(
        output=name,
        data_set=number,
        what="values",
        words=f"{_number(a[place])}, expected {_number(r[place])}; {wrong} of {good.size} elements are wrong",
        share=float(share[place]),
        absolute=float(absolute[place]),
        ulp=ulp,
        wrong=wrong,
        of=good.size,
        place=place,
    )


def _wide(array: Array) -> Array:
    """The same values in a type that numpy calculates in."""
    if array.dtype.kind == "b":
        return array.astype(np.int8)
    if array.dtype.kind in "iu" or array.dtype.name in ("float16", "float32", "float64"):
        return array
    if array.dtype.name.startswith(("int", "uint")):
        return array.astype(np.int64)
    return array if array.dtype.kind == "c" else array.astype(np.float32)


def _subtract(a: Array, r: Array) -> Array:
    if a.dtype.kind == "f":
        return a.astype(np.float64) - r.astype(np.float64)
    # Python's integers neither overflow nor round; such arrays are small.
    exact: Array = a.astype(object) - r.astype(object)
    return exact.astype(np.float64)


def _ulps(absolute: float, largest: float, kind: str) -> float:
    """An error in units in the last place of the output's largest value; infinite where it has no size.

    Not of the element's own: where that is zero by cancellation, its unit says nothing of the arithmetic.
    """
    exponent = int(np.frexp(float(largest))[1]) - 1 if largest else -(10**6)
    unit = 2.0 ** (max(exponent, _LEAST_EXPONENT.get(kind, -6)) - _MANTISSA[kind])
    # An error of many units of a tiny number may overflow.
    return absolute / unit if absolute / 1e300 < unit else float("inf")


def _shape(array: Array) -> str:
    return "×".join(map(str, array.shape)) or "scalar"


def _number(value: Any) -> str:
    return f"{value:.7g}" if isinstance(value, float | np.floating) else str(value)

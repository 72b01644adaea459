"""The error of one tensor inside a model, judged like an output: in units of the yardstick's own, against a budget.

Unlike outputs, inner tensors may hold infinities by design (masks): those must be the same, and the rest is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backends.contract import Array
from harness.judge.parity.budgets import SMALLEST, UNIT_ROUNDOFF, budgets, widening

_FINEST = 2.0**-52


@dataclass(frozen=True)
class ErrorFigures:
    """What `tensor_error` found; the fields are those of `harness.records.layers.TensorError`."""

    status: Literal["within", "beyond", "undecided"]
    reason: str = ""
    error_rms: float | None = None
    error_max: float | None = None
    yardstick_rms: float | None = None
    yardstick_max: float | None = None
    ratio_rms: float | None = None
    ratio_max: float | None = None
    budget_rms: float | None = None
    budget_max: float | None = None
    excess: float | None = None
    worst_index: tuple[int, ...] | None = None


def tensor_error(
    actual: Array, right: Array, yardstick: Array, precision: str, neighbours: Sequence[Array] = ()
) -> ErrorFigures:
    """Error of `actual` against `right` (float64); `yardstick` is the same in float32. Another shape is an error.

    `neighbours` are further yardsticks, from numbers moved by one rounding: their errors are taken together.

    Errors are root mean square and maximum, relative to the root mean square of `right` where it is finite. Where
    the yardstick is not finite although `right` is, a float32 engine cannot be asked to be. Integers and booleans
    are within their budget when they are equal; their "excess" is infinite otherwise.
    """
    if actual.shape != right.shape:
        return ErrorFigures(
            "beyond",
            f"shape {actual.shape} here, {right.shape} in the reference",
            error_rms=float("inf"),
            error_max=float("inf"),
            excess=float("inf"),
        )
    if actual.size == 0:
        return ErrorFigures("undecided", "it is empty")
    if right.dtype.kind in "biu" or actual.dtype.kind in "biu":
        return _exact(actual, right)
    wide, own = actual.astype(np.float64).ravel(), yardstick.astype(np.float64).ravel()
    base = right.astype(np.float64).ravel()
    asked = np.isfinite(own) | ~np.isfinite(base)
    broken = asked & ~np.isfinite(wide) & np.isfinite(base)
    differs = ~np.isfinite(base) & ~np.isfinite(own) & ~_same_special(wide, base) & ~_same_special(wide, own)
    if broken.any() or differs.any():
        bad = np.flatnonzero(broken | differs)
        value = wide[bad[0]]
        kind = "NaN" if np.isnan(value) else "infinite" if np.isinf(value) else "finite"
        return ErrorFigures(
            "beyond",
            f"{bad.size} of {wide.size} values are {kind}, where the reference is "
            + ("not" if kind == "finite" else "finite" if broken.any() else "something else"),
            error_rms=float("inf"),
            error_max=float("inf"),
            excess=float("inf"),
            worst_index=_index(int(bad[0]), right.shape),
        )
    usable = np.isfinite(base) & np.isfinite(own) & np.isfinite(wide)
    if not usable.any():
        return ErrorFigures("undecided", "no value of it is finite")
    others = [run.astype(np.float64).ravel() for run in neighbours if run.shape == right.shape]
    return _figures(wide, base, [own, *others], usable, right.shape, precision)


def _figures(
    wide: Array, base: Array, runs: Sequence[Array], usable: Array, shape: tuple[int, ...], precision: str
) -> ErrorFigures:
    scale = float(np.sqrt(np.mean(np.square(base[usable])))) or 1.0
    count = int(np.count_nonzero(usable))

    def sizes(error: Array) -> tuple[float, float]:
        return float(np.sqrt(np.sum(error**2) / count)) / scale, float(error.max()) / scale

    with np.errstate(invalid="ignore"):  # infinity minus infinity, where both are left out
        error = np.abs(np.where(usable, wide - base, 0.0))
        own = [sizes(np.abs(np.where(usable & np.isfinite(run), run - base, 0.0))) for run in runs]
    error_rms, error_max = sizes(error)
    own_rms, own_max = (float(np.sqrt(np.mean(np.square(column)))) for column in zip(*own, strict=True))
    # Where the yardstick is exact by luck, the format's own rounding is still allowed; so is its coarseness near 0.
    least = max(UNIT_ROUNDOFF["fp32"], SMALLEST[precision] / scale / widening(precision))
    unit_rms, unit_max = max(own_rms, least), max(own_max, least)
    budget_rms, _ = budgets(precision, unit_rms)
    _, budget_max = budgets(precision, unit_max)
    excess = max(error_rms / unit_rms / budget_rms, error_max / unit_max / budget_max)
    return ErrorFigures(
        status="within" if excess <= 1 else "beyond",
        error_rms=error_rms,
        error_max=error_max,
        yardstick_rms=own_rms,
        yardstick_max=own_max,
        ratio_rms=error_rms / unit_rms,
        ratio_max=error_max / unit_max,
        budget_rms=budget_rms,
        budget_max=budget_max,
        excess=excess,
        worst_index=_index(int(error.argmax()), shape),
    )


def _exact(actual: Array, right: Array) -> ErrorFigures:
    wrong = np.flatnonzero(np.asarray(actual).ravel() != right.ravel())
    if wrong.size == 0:
        return ErrorFigures("within", error_rms=0.0, error_max=0.0, excess=0.0)
    return ErrorFigures(
        "beyond",
        f"{wrong.size} of {right.size} integers differ",
        error_rms=float("inf"),
        error_max=float("inf"),
        excess=float("inf"),
        worst_index=_index(int(wrong[0]), right.shape),
    )


def _same_special(a: Array, b: Array) -> Array:
    same: Array = (np.isnan(a) & np.isnan(b)) | (a == b)
    return same


def relative_change(new: Array, old: Array, right: Array, yardstick: Array) -> float:
    """Root mean square of `new` - `old` in yardsticks: how far a result moved when the model was marked.

    Infinity where shapes or finiteness differ.
    """
    if new.shape != old.shape or new.shape != right.shape:
        return float("inf")
    if np.array_equal(new, old, equal_nan=new.dtype.kind in "fc"):
        return 0.0
    if new.dtype.kind in "biu":
        return float("inf")
    a, b = new.astype(np.float64), old.astype(np.float64)
    base = right.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)) or not np.isfinite(base[finite]).all():
        return float("inf")
    unit = float(np.sqrt(np.mean(np.square(yardstick.astype(np.float64)[finite] - base[finite]))))
    floor = UNIT_ROUNDOFF["fp32"] * float(np.sqrt(np.mean(np.square(base[finite]))))
    return float(np.sqrt(np.mean(np.square(a[finite] - b[finite])))) / max(unit, floor, _FINEST)


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))

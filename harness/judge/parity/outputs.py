"""One output on one input set: its error against float64 in units of the yardstick's own error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backends.contract import Array
from harness.judge.parity.budgets import SMALLEST, TIE_ROUNDINGS, UNIT_ROUNDOFF, budgets, widening
from harness.judge.parity.near_ties import behind_a_step, impossible, impossible_rows
from harness.records import OutputParity, ParityStatus


@dataclass(frozen=True)
class Errors:
    """Error of one array, divided by `scale`: root mean square, largest, and where that is."""

    rms: float
    largest: float
    where: int = 0


def judge_output(
    name: str,
    input_set: str,
    actual: Array | None,
    reference: Array,
    yardstick: Array,
    precision: str,
    *,
    neighbours: Sequence[Array] = (),
    ties: Sequence[Array] = (),
    typical: float = 0.0,
    summands: int = 1,
    summed: Sequence[Array] = (),
) -> OutputParity:
    """One output on one input set. `reference` is float64 (or an integer type), `yardstick` the same in float32.

    `neighbours` are further yardsticks, from inputs and weights moved by one rounding; `ties` what outputs become
    when those are moved by ten roundings of `precision`. `typical` is the output's usual size (root mean square):
    an output that is zero but for rounding on this input set is measured by it. `summands`: see `budgets`. `summed`
    are neighbours whose long sums are added up one number after the other: float32's unit counts them, and a lower
    precision's does not, because engines add up in float32 all the same.
    """
    empty = _Verdict(name, input_set, precision)
    if actual is None:
        return empty.made("fail", "the engine did not return this output")
    whole = reference.dtype.kind in "biu"
    rows = impossible_rows(np.asarray(actual), reference, ties) if whole and ties else None
    if rows is not None:
        if rows:
            return empty.made("fail", f"{rows} rows are missing or too many, not counting near-ties")
        note = "near-ties decide how many rows there are: compared whatever their order"
        return empty.made("pass", "").model_copy(update={"note": note})
    if actual.shape != reference.shape and actual.shape in {run.shape for run in ties}:
        return empty.made(
            "unknown", f"near-ties decide its shape: {actual.shape} instead of {reference.shape}"
        )
    if actual.shape != reference.shape:
        return empty.made("fail", f"shape {actual.shape} instead of {reference.shape}")
    if actual.size == 0:
        return empty.made("unknown", "the output is empty: there is nothing to compare")
    if whole:
        return _judge_integers(empty, np.asarray(actual), reference, [yardstick, *ties])
    right = reference.astype(np.float64)
    if not np.isfinite(right).all():
        return empty.made("unknown", "the reference itself is not finite on this input set")
    wide = np.asarray(actual).astype(np.float64)
    broken = np.flatnonzero(~np.isfinite(wide).ravel())
    if broken.size:
        kind = "NaN" if np.isnan(wide.ravel()[broken[0]]) else "infinite"
        where = _index(int(broken[0]), wide.shape)
        return empty.made("fail", f"{broken.size} of {wide.size} values are {kind}", where)

    scale = scale_of(right, typical)
    runs = [errors(each, right, scale) for each in (yardstick, *neighbours) if np.isfinite(each).all()]
    if not runs:
        return empty.made("unknown", "the yardstick itself is not finite on this input set")
    found = errors(wide, right, scale)
    own_rms, own_max = _units(runs)
    more = [errors(each, right, scale) for each in summed if np.isfinite(each).all()]
    all_rms, all_max = _units([*runs, *more])
    if precision == "fp32":
        own_rms, own_max = all_rms, all_max
    # Where the yardstick is exact by luck, the format's own rounding is still allowed; so is its coarseness near 0.
    least = max(UNIT_ROUNDOFF["fp32"], SMALLEST[precision] / scale / widening(precision))
    unit_rms, unit_max = max(own_rms, least), max(own_max, least)
    budget_rms, _ = budgets(precision, unit_rms, summands, all_rms / unit_rms)
    _, budget_max = budgets(precision, unit_max, summands, all_max / unit_max)
    ratio_rms, ratio_max = found.rms / unit_rms, found.largest / unit_max
    good = ratio_rms <= budget_rms and ratio_max <= budget_max
    note = ""
    if not good and ties and precision in UNIT_ROUNDOFF:
        smooth = TIE_ROUNDINGS * widening(precision) * unit_max * scale
        flipped = behind_a_step(wide, right, ties, smooth)
        rest = errors(np.where(flipped, right, wide), right, scale)
        if rest.rms / unit_rms <= budget_rms and rest.largest / unit_max <= budget_max:
            good, ratio_rms, ratio_max = True, rest.rms / unit_rms, rest.largest / unit_max
            count = int((flipped & (wide != right)).sum())
            note = f"{count} of {right.size} numbers follow a decision between near-ties"
    return OutputParity(
        output=name,
        input_set=input_set,
        status="pass" if good else "fail",
        reason="" if good else _excess(ratio_rms, budget_rms, ratio_max, budget_max),
        note=note,
        error_rms=found.rms,
        error_max=found.largest,
        yardstick_rms=own_rms,
        yardstick_max=own_max,
        ratio_rms=ratio_rms,
        ratio_max=ratio_max,
        budget_rms=budget_rms,
        budget_max=budget_max,
        worst_index=_index(found.where, right.shape),
        cosine=_cosine(wide, right),
        top1_agreement=_top1(wide, right),
    )


def scale_of(right: Array, typical: float = 0.0) -> float:
    """What errors of `right` (float64) are divided by: its root mean square, or `typical` where it is 0 but for
    rounding, or 1.
    """
    own = float(np.sqrt(np.mean(np.square(right)))) if right.size else 0.0
    if not np.isfinite(own):
        own = 0.0
    return own if own > UNIT_ROUNDOFF["fp32"] * typical else typical or own or 1.0


def errors(actual: Array, right: Array, scale: float) -> Errors:
    """Error of `actual` against `right`, both finite and of one shape."""
    error = np.abs(actual.astype(np.float64) - right)
    where = int(error.argmax())
    return Errors(
        float(np.sqrt(np.mean(np.square(error)))) / scale, float(error.ravel()[where]) / scale, where
    )


@dataclass(frozen=True)
class _Verdict:
    name: str
    input_set: str
    precision: str

    def made(self, status: ParityStatus, reason: str, where: tuple[int, ...] | None = None) -> OutputParity:
        """A verdict without figures."""
        budget_rms, budget_max = budgets(self.precision, UNIT_ROUNDOFF["fp32"])
        return OutputParity(
            output=self.name,
            input_set=self.input_set,
            status=status,
            reason=reason,
            error_rms=None,
            error_max=None,
            yardstick_rms=None,
            yardstick_max=None,
            budget_rms=budget_rms,
            budget_max=budget_max,
            worst_index=where,
        )


def _judge_integers(empty: _Verdict, actual: Array, right: Array, runs: Sequence[Array]) -> OutputParity:
    """Equal, or where they differ one of the values that the reference gives when numbers are moved a little.

    An index of the largest of two that are nearly equal is such a value; a wrong index is none.
    """
    other = actual != right
    wrong = np.flatnonzero(impossible(actual, right, runs).ravel())
    if wrong.size:
        where = _index(int(wrong[0]), right.shape)
        more = f" ({int(other.sum()) - wrong.size} more are near-ties)" if other.sum() > wrong.size else ""
        return empty.made("fail", f"{wrong.size} of {right.size} integers differ{more}", where)
    flipped = int(other.sum())
    note = (
        f"{flipped} of {right.size} integers differ, as they do in the reference when inputs and weights are moved "
        "by ten roundings of the precision: near-ties"
        if flipped
        else ""
    )
    exact = {"error_rms": 0.0, "error_max": 0.0} if not flipped else {}
    return empty.made("pass", "").model_copy(update={"note": note, **exact})


def _units(runs: Sequence[Errors]) -> tuple[float, float]:
    """Root mean square over runs, of their errors' root mean squares and of their largest."""
    return _rms([run.rms for run in runs]), _rms([run.largest for run in runs])


def _rms(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _excess(rms: float, budget_rms: float, largest: float, budget_max: float) -> str:
    parts = []
    if rms > budget_rms:
        parts.append(f"error is {rms:.3g}× the yardstick's, allowed {budget_rms:.3g}×")
    if largest > budget_max:
        parts.append(f"largest error is {largest:.3g}× the yardstick's, allowed {budget_max:.3g}×")
    return "; ".join(parts) or "the error is not a number"


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))


def _cosine(a: Array, b: Array) -> float | None:
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.dot(a.ravel(), b.ravel())) / norm if norm > 0 else None


def _top1(a: Array, b: Array) -> float | None:
    if a.ndim < 2 or a.shape[-1] < 2:
        return None
    return float(np.mean(a.argmax(axis=-1) == b.argmax(axis=-1)))

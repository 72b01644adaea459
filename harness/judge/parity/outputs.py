"""One output on one input set: its error against float64 in units of the yardstick's own error."""

from __future__ import annotations

import numpy as np

from backends.contract import Array
from harness.judge.parity.budgets import BUDGET_MAX, BUDGET_RMS, UNIT_ROUNDOFF, budgets
from harness.records import OutputParity, ParityStatus


def judge_output(
    name: str, input_set: str, actual: Array | None, reference: Array, yardstick: Array, precision: str
) -> OutputParity:
    """One output on one input set. `reference` is float64 (or an integer type), `yardstick` the same in float32."""

    def verdict(status: ParityStatus, reason: str, where: tuple[int, ...] | None = None) -> OutputParity:
        return OutputParity(
            output=name,
            input_set=input_set,
            status=status,
            reason=reason,
            error_rms=None,
            error_max=None,
            yardstick_rms=None,
            yardstick_max=None,
            budget_rms=BUDGET_RMS,
            budget_max=BUDGET_MAX,
            worst_index=where,
        )

    if actual is None:
        return verdict("fail", "the engine did not return this output")
    if actual.shape != reference.shape:
        return verdict("fail", f"shape {actual.shape} instead of {reference.shape}")
    if actual.size == 0:
        return verdict("unknown", "the output is empty: there is nothing to compare")
    if reference.dtype.kind in "biu":
        wrong = np.flatnonzero(np.asarray(actual).ravel() != reference.ravel())
        if wrong.size == 0:
            return verdict("pass", "").model_copy(update={"error_rms": 0.0, "error_max": 0.0})
        where = _index(int(wrong[0]), reference.shape)
        return verdict("fail", f"{wrong.size} of {reference.size} integers differ", where)

    right = reference.astype(np.float64)
    if not np.isfinite(right).all():
        return verdict("unknown", "the reference itself is not finite on this input set")
    wide = np.asarray(actual).astype(np.float64)
    broken = np.flatnonzero(~np.isfinite(wide).ravel())
    if broken.size:
        kind = "NaN" if np.isnan(wide.ravel()[broken[0]]) else "infinite"
        where = _index(int(broken[0]), wide.shape)
        return verdict("fail", f"{broken.size} of {wide.size} values are {kind}", where)

    scale = float(np.sqrt(np.mean(np.square(right)))) or 1.0
    error = np.abs(wide - right)
    own = np.abs(yardstick.astype(np.float64) - right)
    if not np.isfinite(own).all():
        return verdict("unknown", "the yardstick itself is not finite on this input set")
    error_rms, error_max = float(np.sqrt(np.mean(error**2))) / scale, float(error.max()) / scale
    own_rms, own_max = float(np.sqrt(np.mean(own**2))) / scale, float(own.max()) / scale
    # Where the yardstick is exact by luck, the format's own rounding is still allowed.
    unit_rms = max(own_rms, UNIT_ROUNDOFF["fp32"])
    unit_max = max(own_max, UNIT_ROUNDOFF["fp32"])
    budget_rms, _ = budgets(precision, unit_rms)
    _, budget_max = budgets(precision, unit_max)
    ratio_rms, ratio_max = error_rms / unit_rms, error_max / unit_max
    good = ratio_rms <= budget_rms and ratio_max <= budget_max
    reason = "" if good else _excess(ratio_rms, budget_rms, ratio_max, budget_max)
    return OutputParity(
        output=name,
        input_set=input_set,
        status="pass" if good else "fail",
        reason=reason,
        error_rms=error_rms,
        error_max=error_max,
        yardstick_rms=own_rms,
        yardstick_max=own_max,
        ratio_rms=ratio_rms,
        ratio_max=ratio_max,
        budget_rms=budget_rms,
        budget_max=budget_max,
        worst_index=_index(int(error.argmax()), error.shape),
        cosine=_cosine(wide, right),
        top1_agreement=_top1(wide, right),
    )


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

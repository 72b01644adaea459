"""Does an engine compute the right thing? Its error against float64 in units of PyTorch float32's own error.

Pure functions of arrays. `docs/decisions/0004-parity-budgets.md` says where the budgets come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from backends.contract import Array, TensorSpec
from harness.records import OutputParity, Parity, ParityStatus

UNIT_ROUNDOFF = {"fp32": 2.0**-24, "tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}
"""Half the distance from 1 to the next number of the format (Higham, *Accuracy and Stability*, 2.1)."""

BUDGET_RMS = 10.0
"""Yardsticks of error that a float32 engine may have: another order of summation, fused or Winograd kernels."""

BUDGET_MAX = 20.0
"""The same for the largest single error."""

INT8_SHARE = 0.10
"""Quantised engines are not compared with rounding errors: error up to this share of the output's own size."""


def budgets(precision: str, yardstick: float) -> tuple[float, float]:
    """Budgets (root mean square, maximum) in yardsticks. Lower precisions scale with their unit roundoff."""
    if precision == "int8":
        return INT8_SHARE / yardstick, 10 * INT8_SHARE / yardstick
    scale = UNIT_ROUNDOFF[precision] / UNIT_ROUNDOFF["fp32"]
    return BUDGET_RMS * scale, BUDGET_MAX * scale


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


def judge_drift(
    drift: float | None, outputs: Iterable[OutputParity], precision: str
) -> tuple[ParityStatus, str]:
    """Are the outputs of timed calls the checked ones?

    `drift`: relative difference (root mean square) between the two. Threads may add in another order from call to
    call, so rounding is allowed: the parity budget of the precision.
    """
    if drift is None:
        return "unknown", "the outputs of timed calls were not checked"
    units = [max(o.yardstick_rms, UNIT_ROUNDOFF["fp32"]) for o in outputs if o.yardstick_rms is not None]
    unit = max(units, default=UNIT_ROUNDOFF["fp32"])
    allowed = budgets(precision, unit)[0] * unit
    if drift <= allowed:
        return "pass", ""
    return (
        "fail",
        f"timed calls return other outputs than checked ones (relative difference {drift:.1e}, "
        f"allowed {allowed:.1e})",
    )


def summarise(
    outputs: Sequence[OutputParity],
    contract: Sequence[str],
    drift: tuple[ParityStatus, str],
    reference: str,
    yardstick: str,
    problem: str = "",
) -> Parity:
    """The verdict over all outputs and input sets: fail beats unknown beats pass; nothing compared is unknown.

    `problem` says why the reference has no outputs, when it has none.
    """
    status: ParityStatus = "pass"
    reason = ""
    failed = [o for o in outputs if o.status == "fail"]
    unknown = [o for o in outputs if o.status == "unknown"]
    if contract:
        status, reason = "fail", contract[0]
    elif failed:
        worst = max(failed, key=lambda o: o.ratio_rms if o.ratio_rms is not None else float("inf"))
        where = f" at {list(worst.worst_index)}" if worst.worst_index is not None else ""
        status, reason = "fail", f"output {worst.output} on {worst.input_set}{where}: {worst.reason}"
    elif drift[0] == "fail":
        status, reason = drift
    elif unknown:
        status, reason = (
            "unknown",
            f"output {unknown[0].output} on {unknown[0].input_set}: {unknown[0].reason}",
        )
    elif not outputs:
        status, reason = "unknown", problem or "no output was compared"
    elif drift[0] == "unknown":
        status, reason = drift
    return Parity(
        status=status,
        reference=reference,
        yardstick=yardstick,
        reason=reason,
        contract=tuple(contract),
        outputs=tuple(outputs),
    )


def worst_of(parities: Sequence[Parity]) -> Parity | None:
    """The worst verdict over several trials: each process is checked, and one wrong one is wrong."""
    order = {"fail": 2, "unknown": 1, "pass": 0}
    return max(parities, key=lambda p: (order[p.status], worst_ratio(p) or 0.0), default=None)


def worst_ratio(parity: Parity) -> float | None:
    """Largest error of any output and input set, in yardsticks (root mean square)."""
    return max((o.ratio_rms for o in parity.outputs if o.ratio_rms is not None), default=None)


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

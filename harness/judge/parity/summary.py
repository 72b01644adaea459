"""The verdict over all outputs and input sets, and over several trials."""

from __future__ import annotations

from collections.abc import Sequence

from harness.records import OutputParity, Parity, ParityStatus


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

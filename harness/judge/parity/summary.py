"""The verdict over all outputs and input sets, and over several trials."""

from __future__ import annotations

from collections.abc import Sequence

from harness.records import OutputParity, Parity, ParityStatus

ORDER: dict[ParityStatus, int] = {"pass": 0, "unknown": 1, "nondeterministic": 2, "fail": 3}
"""From good to bad."""


def summarise(
    outputs: Sequence[OutputParity],
    contract: Sequence[str],
    drift: tuple[ParityStatus, str],
    reference: str,
    yardstick: str,
    problem: str = "",
) -> Parity:
    """The verdict over all outputs and input sets: the worst of them; nothing compared is unknown.

    `problem` says why the reference has no outputs, when it has none.
    """
    status: ParityStatus = "pass"
    reason = ""
    worst = worst_place(outputs)
    if contract:
        status, reason = "fail", contract[0]
    elif worst is not None and worst.status == "fail":
        status, reason = "fail", _where(worst)
    elif worst is not None and worst.status == "nondeterministic":
        status, reason = "nondeterministic", f"the model disagrees with itself: {_where(worst)}"
    elif drift[0] == "fail":
        status, reason = drift
    elif worst is not None and worst.status == "unknown":
        status, reason = "unknown", _where(worst)
    elif worst is None:
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
    return max(parities, key=lambda p: (ORDER[p.status], worst_ratio(p) or 0.0), default=None)


def worst_ratio(parity: Parity) -> float | None:
    """Largest error of any output and input set, in yardsticks (root mean square)."""
    return max((o.ratio_rms for o in parity.outputs if o.ratio_rms is not None), default=None)


def worst_place(outputs: Sequence[OutputParity]) -> OutputParity | None:
    """The output and input set that a verdict is about: the worst status, then the largest share of its budget."""
    return max(outputs, key=lambda one: (ORDER[one.status], budget_use(one)), default=None)


def budget_use(one: OutputParity) -> float:
    """The share of its budget that an error takes, of root mean square or maximum the larger; inf without figures."""
    pairs = ((one.ratio_rms, one.budget_rms), (one.ratio_max, one.budget_max))
    shares = [ratio / budget for ratio, budget in pairs if ratio is not None]
    if not shares:
        return 0.0 if one.status == "pass" else float("inf")
    return max(shares)


def out_of_budget(outputs: Sequence[OutputParity]) -> list[str]:
    """The input sets on which a finite error left its budget, the worst first."""
    wrong = [one for one in outputs if one.status == "fail" and one.ratio_rms is not None]
    return list(dict.fromkeys(one.input_set for one in sorted(wrong, key=budget_use, reverse=True)))


def _where(one: OutputParity) -> str:
    where = f" at {list(one.worst_index)}" if one.worst_index is not None and one.status == "fail" else ""
    return f"output {one.output} on {one.input_set}{where}: {one.reason}"

"""Verdicts and states as sentences for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.judge.comparison import ContenderSummary, Group
from harness.records import OutputParity, Result, Warning_
from harness.show import numbers as fmt

Tone = Literal["good", "bad", "doubt", "plain"]

STATUS_WORDS = {
    "measured": "measured",
    "unavailable": "not available here",
    "unsupported": "not supported by the engine",
    "failed": "failed",
    "crashed": "crashed",
    "timeout": "ran out of time",
    "out_of_memory": "ran out of memory",
    "interrupted": "interrupted before the end",
}
PARITY_TONES: dict[str, Tone] = {
    "pass": "good",
    "fail": "bad",
    "unknown": "doubt",
    "nondeterministic": "doubt",
}
VERDICT_TONES: dict[str, Tone] = {
    "faster": "good",
    "slower": "bad",
    "same": "plain",
    "unsettled": "doubt",
    "unknown": "doubt",
}
MARKS = {
    "pass": "✓",
    "fail": "✗",
    "unknown": "?",
    "nondeterministic": "?",
    "faster": "↑",
    "slower": "↓",
    "same": "=",
    "unsettled": "?",
}


@dataclass(frozen=True)
class Rightness:
    """Whether one contender computes the right thing, in words with figures."""

    contender: str
    tone: Tone
    verdict: str
    words: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Doubt:
    """A warning and whom it is about; empty for the whole group."""

    about: str
    warning: Warning_


def plural(count: int, one: str, many: str | None = None) -> str:
    """`count` with its noun, e.g. "1 trial", "4 trials"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def rightness(summary: ContenderSummary, result: Result | None) -> Rightness:
    """Parity of one contender in words. Whatever is not judged is unknown, and says why."""
    tone = PARITY_TONES[summary.parity]
    parity = result.parity if result is not None else None
    if parity is None:
        why = summary.parity_where or summary.reason or "its outputs were not compared with the reference"
        return Rightness(summary.contender, tone, summary.parity, f"Not known: {_sentence(why)}")
    worst = worst_output(parity.outputs)
    details = tuple(breach for breach in parity.contract if breach != parity.reason)
    judged = f" {plural(len(parity.outputs), 'comparison')} of outputs."
    if summary.parity == "pass":
        return Rightness(
            summary.contender,
            tone,
            "pass",
            f"Computes the right thing{_worst_words(worst)}.{judged}",
            details,
        )
    reason = parity.reason or summary.parity_where or "no reason was recorded"
    if summary.parity == "fail":
        what = "Is not doing the work" if summary.work == "fail" else "Computes the wrong thing"
        words = f"{what}: {_sentence(reason)}"
        return Rightness(summary.contender, tone, "fail", words + judged, details)
    return Rightness(
        summary.contender, tone, summary.parity, f"Not known: {_sentence(reason)}{judged}", details
    )


def worst_output(outputs: tuple[OutputParity, ...]) -> OutputParity | None:
    """The output whose error is the largest part of its budget; None when none has a figure."""
    with_figures = [output for output in outputs if _budget_use(output) is not None]
    return max(with_figures, key=lambda output: _budget_use(output) or 0.0, default=None)


def overall_rightness(group: Group) -> str:
    """One sentence over all contenders that have figures."""
    measured = [summary for summary in group.contenders if summary.p50.value is not None]
    if not measured:
        return "No contender was measured, so there is nothing to judge."
    by_status = {
        status: [summary.contender for summary in measured if summary.parity == status]
        for status in PARITY_TONES
    }
    idle = [summary.contender for summary in measured if summary.work == "fail"]
    total = len(measured)
    if len(by_status["pass"]) == total:
        return {
            1: "The one contender measured computes the right thing.",
            2: "Both contenders measured compute the right thing.",
        }.get(total, f"All {total} contenders measured compute the right thing.")
    parts = []
    if idle:
        parts.append(f"{len(idle)} of {total} measured {'does' if len(idle) == 1 else 'do'} not do the work")
    if wrong := len(set(by_status["fail"]) - set(idle)):
        parts.append(f"{wrong} of {total} measured {'computes' if wrong == 1 else 'compute'} the wrong thing")
    if unsure := len(by_status["unknown"]) + len(by_status["nondeterministic"]):
        parts.append(f"{unsure} of {total} could not be judged")
    return f"{'; '.join(parts)}. Speed counts only together with correctness."


def caveat(parity: Mapping[str, str]) -> str:
    """What keeps a ratio from counting, given the parity of both sides; empty when both are right."""
    wrong = [name for name, status in parity.items() if status == "fail"]
    if wrong:
        return f"{' and '.join(wrong)} {'computes' if len(wrong) == 1 else 'compute'} the wrong thing: no win counts."
    unsure = [name for name, status in parity.items() if status != "pass"]
    if unsure:
        return f"Whether {' and '.join(unsure)} {'is' if len(unsure) == 1 else 'are'} right is not known."
    return ""


def judged_by(results: list[Result]) -> str:
    """Which reference decided, and whose error is the unit."""
    judges = sorted({(r.parity.reference, r.parity.yardstick) for r in results if r.parity is not None})
    return " ".join(
        f"Judged against {reference}; errors are counted in units of {yardstick}'s own, the yardstick."
        for reference, yardstick in judges
    )


def doubts(group: Group) -> list[Doubt]:
    """Warnings of the group, then those of its contenders that the group does not share."""
    shared = list(group.warnings)
    found = [Doubt("", warning) for warning in shared]
    for summary in group.contenders:
        found.extend(
            Doubt(summary.contender, warning) for warning in summary.warnings if warning not in shared
        )
    return found


def measured_how(results: list[Result]) -> str:
    """How much was measured, and why it ended."""
    with_samples = [result for result in results if any(trial.rounds for trial in result.trials)]
    if not with_samples:
        return ""
    trials = max(len(result.trials) for result in with_samples)
    rounds = max(sum(len(trial.rounds) for trial in result.trials) for result in with_samples)
    words = f"Measured in {plural(trials, 'trial')} (fresh processes) and {plural(rounds, 'round')}"
    stops = sorted({result.stop_reason for result in with_samples if result.stop_reason})
    return f"{words}; stopped because {'; '.join(stops)}." if stops else f"{words}."


def _worst_words(worst: OutputParity | None) -> str:
    if worst is None:
        return ""
    measure, ratio, budget = _worst_measure(worst)
    return (
        f": worst error {fmt.quantity(ratio, 'ratio')} the yardstick's own, budget {fmt.exact(budget, 'ratio')}"
        f" ({measure}, output {worst.output} on {worst.input_set})"
    )


def _worst_measure(output: OutputParity) -> tuple[str, float, float]:
    candidates = [
        (measure, ratio, budget)
        for measure, ratio, budget in (
            ("root mean square", output.ratio_rms, output.budget_rms),
            ("largest element", output.ratio_max, output.budget_max),
        )
        if ratio is not None
    ]
    return max(candidates, key=lambda item: item[1] / item[2] if item[2] else item[1])


def _budget_use(output: OutputParity) -> float | None:
    if output.ratio_rms is None and output.ratio_max is None:
        return None
    _, ratio, budget = _worst_measure(output)
    return ratio / budget if budget else ratio


def _sentence(text: str) -> str:
    """`text` with a full stop, unless it ends in one."""
    stripped = text.strip()
    return stripped if stripped.endswith((".", "!", "?")) else f"{stripped}."

"""Decides the gates of a plan from judged groups. Pure functions.

A threshold is held against the whole interval: inside it, the gate passes; beyond it, it fails; across it, the gate
is unsettled. What is missing, unreadable or not finite is unknown, and unknown never passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from harness.judge import gate_words
from harness.judge.comparison import ContenderSummary, Estimate, Group
from harness.judge.gate_types import (
    ExpectedGroup,
    Gate,
    GateOutcome,
    GateStatus,
    LatencyGate,
    MeasuredGate,
    MemoryGate,
    OnUnsettled,
    ParityGate,
    RatioGate,
)

Decision = Literal["pass", "fail", "unsettled", "unknown"]


def judge_gates(
    gates: Sequence[Gate], groups: Sequence[Group], expected: Sequence[ExpectedGroup] | None = None
) -> tuple[GateOutcome, ...]:
    """Decide every gate on every group that it covers.

    `expected` is what the plan holds (`Plan.expected`): a group or contender of it that `groups` lacks makes the
    gates that cover it unknown. Without it, only what `groups` shows can be judged. A gate that covers nothing is
    unknown.
    """
    places = list(_places(groups, expected))
    outcomes: list[GateOutcome] = []
    for gate in gates:
        found = [_decide(gate, place) for place in places if _covers(gate, place, known=expected is not None)]
        outcomes.extend(found or [_nothing_covered(gate)])
    return tuple(outcomes)


def gates_pass(outcomes: Sequence[GateOutcome]) -> bool:
    """Whether the run passes: no outcome blocks it. No outcomes at all is no objection."""
    return not any(outcome.blocks for outcome in outcomes)


@dataclass(frozen=True)
class _Place:
    """A group as planned, and as judged; `group` None: there is nothing of it."""

    model: str
    batch: int
    threads: int
    scenario: str
    contenders: tuple[str, ...]
    group: Group | None

    def summary(self, contender: str) -> ContenderSummary | None:
        if self.group is None:
            return None
        return next((c for c in self.group.contenders if c.contender == contender), None)


@dataclass(frozen=True)
class _Finding:
    """A decision about one group, with what it rests on."""

    decision: Decision
    words: str
    figure: Estimate | None = None
    threshold: float | None = None
    on_unsettled: OnUnsettled = "fail"


def _places(groups: Sequence[Group], expected: Sequence[ExpectedGroup] | None) -> Iterator[_Place]:
    left = list(groups)
    for plan in expected or ():
        identity = (plan.model, plan.batch, plan.threads, plan.scenario)
        match = next((g for g in left if (g.model, g.batch, g.threads, g.scenario) == identity), None)
        if match is not None:
            left.remove(match)
        yield _Place(*identity, plan.contenders, match)
    for group in left:
        names = tuple(c.contender for c in group.contenders)
        yield _Place(group.model, group.batch, group.threads, group.scenario, names, group)


def _covers(gate: Gate, place: _Place, *, known: bool) -> bool:
    """Whether the gate is about this group. Where the plan is `known`, a contender it excludes there is no lack."""
    if isinstance(gate, ParityGate | MeasuredGate):
        return True
    if gate.model and gate.model != place.model:
        return False
    if gate.batch is not None and gate.batch != place.batch:
        return False
    if gate.threads is not None and gate.threads != place.threads:
        return False
    return not known or all(name in place.contenders for name in _named(gate))


def _named(gate: LatencyGate | RatioGate | MemoryGate) -> tuple[str, ...]:
    return (gate.of, gate.to) if isinstance(gate, RatioGate) else (gate.contender,)


def _decide(gate: Gate, place: _Place) -> GateOutcome:
    match gate:
        case ParityGate():
            finding = _parity(place)
        case MeasuredGate():
            finding = _measured(place)
        case LatencyGate():
            finding = _latency(gate, place)
        case RatioGate():
            finding = _ratio(gate, place)
        case MemoryGate():
            finding = _memory(gate, place)
        case _:
            assert_never(gate)
    unsettled = finding.decision == "unsettled"
    status: GateStatus = "unknown" if finding.decision == "unsettled" else finding.decision
    spared = unsettled and finding.on_unsettled == "warn"
    where = gate_words.place(place.model, place.batch, place.threads, place.scenario)
    return GateOutcome(
        gate=gate,
        status=status,
        asks=gate_words.asks(gate),
        words=f"{where}: {finding.words}{'; a warning only' if spared else ''}",
        group_id=place.group.group_id if place.group else "",
        figure=finding.figure,
        threshold=finding.threshold,
        unsettled=unsettled,
        blocks=status != "pass" and not spared,
    )


def _nothing_covered(gate: Gate) -> GateOutcome:
    scope = gate_words.scope(gate)
    return GateOutcome(
        gate=gate,
        status="unknown",
        asks=gate_words.asks(gate),
        words=f"{gate_words.asks(gate)}: no group of this run matches{f' ({scope})' if scope else ''}",
        threshold=None if isinstance(gate, ParityGate | MeasuredGate) else gate.at_most,
        blocks=True,
    )


def _parity(place: _Place) -> _Finding:
    wrong: list[str] = []
    unknown: list[str] = []
    ratios: list[str] = []
    for name in _all_contenders(place):
        summary = place.summary(name)
        if summary is None:
            unknown.append(f"{name} (no result)")
            continue
        ratio = (
            f"{summary.parity_ratio:.3g}× the yardstick's error" if summary.parity_ratio is not None else ""
        )
        if summary.parity == "fail":
            wrong.append(_with(name, ratio, summary.parity_where))
        elif summary.parity == "pass":
            ratios.append(_with(name, ratio))
        else:
            unknown.append(_with(name, summary.parity_where or summary.reason))
    if wrong:
        return _Finding("fail", f"wrong: {'; '.join(wrong)}")
    if unknown:
        return _Finding("unknown", f"unknown: {'; '.join(unknown)}")
    if not ratios:
        return _Finding("unknown", "the group has no contender")
    return _Finding("pass", f"right: {'; '.join(ratios)}")


def _measured(place: _Place) -> _Finding:
    names = _all_contenders(place)
    if not names:
        return _Finding("unknown", "the group has no contender")
    absent: list[str] = []
    others: list[str] = []
    for name in names:
        summary = place.summary(name)
        if summary is None:
            absent.append(f"{name} (no result)")
        elif summary.status != "measured":
            others.append(_with(name, summary.status, summary.reason))
    if others:
        return _Finding("fail", f"not measured: {'; '.join(others + absent)}")
    if absent:
        return _Finding("unknown", f"not measured: {'; '.join(absent)}")
    return _Finding("pass", f"measured: {', '.join(names)}")


def _latency(gate: LatencyGate, place: _Place) -> _Finding:
    lack = _lack(place, gate.contender)
    if lack:
        return _Finding("unknown", lack, None, gate.at_most)
    summary = place.summary(gate.contender)
    assert summary is not None
    figures = {"p50": summary.p50, "p90": summary.p90, "p99": summary.p99}
    figure = figures[gate.percentile]
    what = f"{gate.percentile} of {gate.contender}"
    return _against(figure, gate.at_most, what, gate_words.seconds, gate.on_unsettled)


def _ratio(gate: RatioGate, place: _Place) -> _Finding:
    for name in (gate.of, gate.to):
        lack = _lack(place, name)
        if lack:
            return _Finding("unknown", lack, None, gate.at_most)
    figure = _pair_ratio(place, gate.of, gate.to)
    if figure is None:
        words = f"{gate.of} and {gate.to} were not compared with each other"
        return _Finding("unknown", words, None, gate.at_most)
    what = f"{gate.of} / {gate.to}"
    return _against(figure, gate.at_most, what, gate_words.times, gate.on_unsettled)


def _memory(gate: MemoryGate, place: _Place) -> _Finding:
    """The largest figure decides: memory is counted, and a limit that was exceeded once was exceeded."""
    lack = _lack(place, gate.contender)
    if lack:
        return _Finding("unknown", lack, None, gate.at_most)
    summary = place.summary(gate.contender)
    assert summary is not None
    figure = summary.memory_peak
    if figure.value is None or not math.isfinite(figure.value):
        reason = figure.reason or "it is missing"
        words = f"peak memory of {gate.contender} cannot be stated: {reason}"
        return _Finding("unknown", words, figure, gate.at_most)
    peak = max(v for v in (figure.value, figure.high) if v is not None)
    sign = "≤" if peak <= gate.at_most else ">"
    words = (
        f"peak memory of {gate.contender} is {gate_words.size(peak)} {sign} {gate_words.size(gate.at_most)}"
        f"{_behind(figure)}"
    )
    return _Finding("pass" if peak <= gate.at_most else "fail", words, figure, gate.at_most)


def _against(
    figure: Estimate,
    at_most: float,
    what: str,
    show: Callable[[float], str],
    on_unsettled: OnUnsettled,
) -> _Finding:
    value, low, high = figure.value, figure.low, figure.high
    if value is None:
        words = f"{what} cannot be stated: {figure.reason or 'it is missing'}"
        return _Finding("unknown", words, figure, at_most, on_unsettled)
    if low is None or high is None:
        words = f"{what} is {show(value)} without an interval: {figure.reason or 'it is missing'}"
        return _Finding("unknown", words, figure, at_most, on_unsettled)
    if not all(math.isfinite(number) for number in (value, low, high)) or low > high:
        words = f"{what} is not a usable figure: {value} [{low}, {high}]"
        return _Finding("unknown", words, figure, at_most, on_unsettled)
    shown = f"{what} is {show(value)} [{show(low)}, {show(high)}]"
    behind = _behind(figure)
    if high <= at_most:
        return _Finding("pass", f"{shown} ≤ {show(at_most)}{behind}", figure, at_most, on_unsettled)
    if low > at_most:
        return _Finding("fail", f"{shown} > {show(at_most)}{behind}", figure, at_most, on_unsettled)
    words = f"{shown} straddles {show(at_most)}{behind}; a longer budget narrows the interval"
    return _Finding("unsettled", words, figure, at_most, on_unsettled)


def _pair_ratio(place: _Place, of: str, to: str) -> Estimate | None:
    """Ratio of the pair whichever way round it was judged; None where it was not."""
    for pair in place.group.pairs if place.group else ():
        if (pair.a, pair.b) == (of, to):
            return pair.ratio
        if (pair.a, pair.b) == (to, of):
            return _inverted(pair.ratio)
    return None


def _inverted(ratio: Estimate) -> Estimate:
    def inverse(value: float | None) -> float | None:
        return None if value is None else (1 / value if value > 0 else math.nan)

    ends = {"value": inverse(ratio.value), "low": inverse(ratio.high), "high": inverse(ratio.low)}
    return ratio.model_copy(update=ends)


def _lack(place: _Place, contender: str) -> str:
    """Why a contender has no figure that could be judged; empty where it has."""
    if place.group is None:
        return "the group has no result"
    summary = place.summary(contender)
    if summary is None:
        return f"{contender} has no result in this group"
    if summary.status != "measured":
        return _with(f"{contender} is {summary.status}", summary.reason)
    return ""


def _all_contenders(place: _Place) -> tuple[str, ...]:
    """Planned ones first, then those that turned up beside them."""
    found = tuple(c.contender for c in place.group.contenders) if place.group else ()
    return place.contenders + tuple(name for name in found if name not in place.contenders)


def _behind(figure: Estimate) -> str:
    return f" ({gate_words.evidence(figure)})"


def _with(name: str, *details: str) -> str:
    kept = ", ".join(detail for detail in details if detail)
    return f"{name} ({kept})" if kept else name

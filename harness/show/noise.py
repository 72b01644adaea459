"""The machine's noise as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.judge.noise import LONG_COMMAND, NoiseFigures
from harness.judge.ratio_text import ratio_text
from harness.judge.resolution import Resolution
from harness.records.noise import NoiseSamples

if TYPE_CHECKING:
    from harness.checkup import Noise


def noise_rows(noise: Noise) -> list[tuple[str, str]]:
    """Clock, hiccups, unevenness, the A/A comparison and what can be resolved."""
    figures, samples = noise.figures, noise.samples
    if figures is None or samples is None:
        return [("not measured", noise.reason)]
    clock, found = samples.clock, figures.components
    return [
        ("clock", f"{clock.read_ns:.0f} ns a reading, steps of {clock.resolution_ns} ns ({clock.clock})"),
        (
            "hiccups",
            f"{figures.gaps_per_s:.0f} a second, {milliseconds(figures.lost_share * 1000)} lost a second, "
            f"longest {milliseconds(figures.longest_gap_ns / 1e6)}",
        ),
        (
            "same work",
            f"blocks of one process differ by {percent(figures.within)}, processes by another "
            f"{percent(figures.between)} (standard deviations)",
        ),
        (
            "drift",
            f"{signed(figures.drift)} over the time; processes at most {percent(figures.wander)} apart",
        ),
        ("A against A", _same_work(figures, samples)),
        (
            "noise of ratios",
            f"{percent(found.trial)} by process, {percent(found.round)} by block, {percent(found.sample)} by call",
        ),
        ("in 50 s", _resolved(figures.usual)),
        ("in 5 minutes", f"{_resolved(figures.long)} ({LONG_COMMAND})"),
    ]


def noise_answer(noise: Noise) -> str:
    """The answer in a sentence or two."""
    figures, samples = noise.figures, noise.samples
    if figures is None or samples is None:
        return f"Unknown what this machine can resolve: {noise.reason}."
    usual, threads = figures.usual, samples.threads
    return (
        f"This machine can resolve ±{percent(usual.share)} in {usual.plan.budget_s:.0f} s "
        f"(two engines at {threads} thread{'s' if threads != 1 else ''}; known only to lie between "
        f"{percent(usual.low)} and {percent(usual.high)}). "
        f"`harness compare` calls an engine slower, with a probability of 80 %, when it is slower by "
        f"{percent(usual.called)}, its margin included; in 5 minutes by {percent(figures.long.called)}."
    )


def percent(share: float) -> str:
    """Two significant digits: "0.42 %", "4.2 %", "42 %"."""
    value = abs(share) * 100.0
    if value == 0.0:
        return "0 %"
    digits = 2 if value < 0.995 else 1 if value < 9.95 else 0
    return f"{value:.{digits}f} %"


def milliseconds(value: float) -> str:
    """Two significant digits, without exponent: "0.042 ms", "4.2 ms", "420 ms"."""
    return f"{float(f'{value:.2g}'):.{0 if value >= 9.95 else 1 if value >= 0.995 else 3}f} ms"


def signed(share: float) -> str:
    """With its sign; the true minus sign."""
    return f"{'−' if share < 0 else '+'}{percent(share)}"


def _same_work(figures: NoiseFigures, samples: NoiseSamples) -> str:
    rounds = sum(len({block.round for block in trial.blocks}) for trial in samples.trials)
    basis = f"{len(samples.trials)} pairs of fresh processes, {rounds} rounds"
    interval = figures.interval
    if interval is None:
        return f"{ratio_text(figures.ratio)}, without an interval: the processes differ too much ({basis})"
    word = {"same": "the same, which is right", "unsettled": "not settled"}.get(
        figures.verdict, f"called {figures.verdict}, which is wrong"
    )
    ends = f"[{ratio_text(interval.low)}, {ratio_text(interval.high)}]"
    return f"{ratio_text(figures.ratio)} {ends}, {word} ({basis})"


def _resolved(found: Resolution) -> str:
    return (
        f"±{percent(found.share)} can be told from none, {percent(found.called)} is called slower; intervals of "
        f"±{percent(found.half_width)} from {found.plan.trials} trials of {found.plan.rounds} rounds"
    )

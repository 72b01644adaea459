"""Faster, slower, same or unsettled: the decision about one pair. Pure functions."""

from __future__ import annotations

import math

from scipy.special import stdtrit

from harness.judge.comparison import SpeedVerdict
from harness.judge.intervals import NO_INTERVAL, Interval
from harness.judge.ratio_text import ratio_text


def decide(interval: Interval | None, margin: float) -> SpeedVerdict:
    """Verdict on the ratio A/B of latencies from the interval that decides.

    slower or faster: the whole interval lies beyond the margin; same: it lies within; unsettled: anything else.
    No interval (a single trial, no data) is never a verdict: unsettled.
    """
    if interval is None or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return "unsettled"
    low, high = 1.0 / (1.0 + margin), 1.0 + margin
    if interval.low > high:
        return "slower"
    if interval.high < low:
        return "faster"
    if interval.low >= low and interval.high <= high:
        return "same"
    return "unsettled"


def decision_confidence(confidence: float, pairs: int) -> float:
    """Confidence per pair so that all verdicts together hold with `confidence` (Bonferroni)."""
    return 1.0 - (1.0 - confidence) / max(1, pairs)


def in_words(
    a: str, b: str, verdict: SpeedVerdict, ratio: float | None, interval: Interval | None, margin: float
) -> str:
    """The verdict as a sentence with its figures; `interval` is the one that decided."""
    if ratio is None:
        return f"{a} and {b} cannot be compared: they share no round with samples."
    if interval is None:
        return f"{a} against {b} is unsettled: ratio {ratio_text(ratio)}; {NO_INTERVAL}."
    low, high = interval.low, interval.high
    if verdict == "faster":
        return f"{a} is {ratio_text(1 / ratio)}× faster than {b} [{ratio_text(1 / high)}, {ratio_text(1 / low)}]."
    if verdict == "slower":
        return f"{a} is {ratio_text(ratio)}× slower than {b} [{ratio_text(low)}, {ratio_text(high)}]."
    figures = f"{ratio_text(ratio)} [{ratio_text(low)}, {ratio_text(high)}]"
    if verdict == "same":
        return f"{a} and {b} are equally fast within {margin:.1%}: latency ratio {figures}."
    leaning = ""
    if low > 1:
        leaning = f"; {a} is slower, but perhaps by less than the margin of {margin:.1%}"
    elif high < 1:
        leaning = f"; {a} is faster, but perhaps by less than the margin of {margin:.1%}"
    return f"{a} against {b} is unsettled: latency ratio {figures}{leaning}."


def settling_advice(
    interval: Interval | None, margin: float, trials: int, trial_s: float, confidence: float
) -> str:
    """What it would take to settle an unsettled verdict.

    The trials' spread is read off the interval; the fewest trials are sought whose interval would clear the margin
    (or stay within it) around the same centre. `trial_s`: seconds one trial took.
    """
    if interval is None or trials < 2:
        return "More trials are needed for an interval: raise --budget."
    centre = abs(math.log(interval.low * interval.high) / 2)
    half = math.log(interval.high / interval.low) / 2
    room = abs(centre - math.log1p(margin))
    spread = half / _half_per_spread(trials, confidence)
    for count in range(trials + 1, 200):
        if spread * _half_per_spread(count, confidence) < room:
            seconds = math.ceil(count * trial_s / 10) * 10
            return f"About {count} trials ({seconds} s) should settle it: --budget {seconds}s --max-trials {count}."
    return (
        f"The ratio is too close to the margin of {margin:.1%} for what this machine resolves: "
        "choose another --margin, or a quieter machine."
    )


def _half_per_spread(trials: int, confidence: float) -> float:
    return float(-stdtrit(trials - 1, (1.0 - confidence) / 2.0)) / math.sqrt(trials)

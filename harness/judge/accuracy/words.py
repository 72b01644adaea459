"""A judgement of task accuracy as a sentence: "ort@int8 loses 0.4 % [0.1, 0.7] of top-1 accuracy ..."."""

from __future__ import annotations

import math

from harness.judge.accuracy.judgement import AccuracyJudgement, MetricFigures

NAMES = {
    "top-1": "top-1 accuracy",
    "top-5": "top-5 accuracy",
    "spearman": "Spearman correlation",
    "pearson": "Pearson correlation",
}
_SHARES = ("top-1", "top-5")


def in_words(judgement: AccuracyJudgement, reference: str) -> str:
    """The sentence for a judgement that has metrics."""
    first, name = judgement.metrics[0], judgement.contender
    what, margin = NAMES[first.metric], plain(judgement.margin, first)
    things = "items" if first.metric in _SHARES else "pairs"
    if first.difference is None:
        return f"The {what} of {name} is unknown: {first.reason}."
    against = f"against {reference or 'the reference'}"
    figures = (
        f"{level(first.reference, first)} to {level(first.value, first)} on {count(judgement.items)} {things}"
    )
    change = f"{_verb(first)} {against}: {figures}"
    low, high = judgement.decision_low, judgement.decision_high
    if judgement.verdict in ("lost", "gained"):
        beyond = "more than" if judgement.verdict == "lost" else "above"
        return f"{name} {change}; {beyond} the margin of {margin}."
    if judgement.verdict == "same":
        return f"{name} {change}; within the margin of {margin}."
    told = "" if low is None else " (no loss beyond the margin)" if low >= -judgement.margin else ""
    told += "" if high is None or high > judgement.margin else " (no gain beyond the margin)"
    needed = judgement.items_needed
    if needed:
        why = f"{count(judgement.items)} {things} are too few, about {count(needed)} like these would do"
    else:
        why = first.reason or "the difference is too close to the margin to be settled by more"
    return f"{name} is unsettled at a margin of {margin}{told}: it {change}; {why}."


def level(value: float | None, figures: MetricFigures) -> str:
    """A metric's value: per cent for shares, a coefficient as it is."""
    if value is None:
        return "n/a"
    return (
        f"{100 * value:.{_decimals(figures)}f} %"
        if figures.metric in _SHARES
        else f"{value:.{_decimals(figures)}f}"
    )


def plain(value: float, figures: MetricFigures) -> str:
    """A margin in the metric's unit."""
    return f"{100 * value:g} %" if figures.metric in _SHARES else f"{value:g}"


def change(figures: MetricFigures) -> str:
    """The difference in the metric's unit, with its sign; "n/a" without one."""
    if figures.difference is None:
        return "n/a"
    scale, unit = (100, " %") if figures.metric in _SHARES else (1, "")
    text = _fixed(figures.difference * scale, _decimals(figures))
    return f"{'' if text.startswith('−') or not text.strip('0.') else '+'}{text}{unit}"


def ends(low: float | None, high: float | None, figures: MetricFigures) -> str:
    """An interval of differences in the metric's unit, with as many decimals as the difference's supports."""
    if low is None or high is None:
        return ""
    scale, decimals = (100, _decimals(figures)) if figures.metric in _SHARES else (1, _decimals(figures))
    return f"[{_fixed(low * scale, decimals)}, {_fixed(high * scale, decimals)}]"


def count(value: int) -> str:
    """A whole number with commas between thousands."""
    return f"{value:,}"


def _verb(figures: MetricFigures) -> str:
    """What happened, with the ends turned so that a loss reads as a positive number."""
    difference = figures.difference or 0.0
    low, high = figures.difference_low, figures.difference_high
    what = NAMES[figures.metric]
    if difference <= 0:
        turned = ends(None if high is None else -high, None if low is None else -low, figures)
        return f"loses {_size(abs(difference), figures)} {turned}".rstrip() + f" of {what}"
    return f"gains {_size(difference, figures)} {ends(low, high, figures)}".rstrip() + f" of {what}"


def _size(value: float, figures: MetricFigures) -> str:
    decimals = _decimals(figures)
    return f"{100 * value:.{decimals}f} %" if figures.metric in _SHARES else f"{value:.{decimals}f}"


def _decimals(figures: MetricFigures) -> int:
    """Such that the last digit is a tenth of the difference's half-width, or its size; at least 1 for shares."""
    low, high = figures.difference_low, figures.difference_high
    least, scale = (1, 100) if figures.metric in _SHARES else (3, 1)
    if low is None or high is None or high <= low:
        return least
    half = scale * (high - low) / 2
    place = math.floor(math.log10(half))
    finer = 1 if half / 10.0**place < 3 else 0
    return min(max(least, finer - place), 6)


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")

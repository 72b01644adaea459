"""Where a warm-up curve becomes steady, or how it is unsteady. A pure function of the whole curve.

Why this way, and how often it is right on curves of known truth: `docs/decisions/0007-steady-state.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.judge.dependence import MAD_TO_SIGMA, Floats
from harness.judge.warmup.periods import Cycle, find_cycle
from harness.judge.warmup.segments import Noise, Segment, cut, estimate_noise, slope
from harness.judge.warmup.settling import disturbances, end_of_warm_up, tail_start

Kind = Literal["flat", "warm-up", "slowdown", "drift", "cyclic", "unsteady", "too_short"]

MIN_CALLS = 8
"""Fewer calls say nothing about a level."""

POINTS = 240
"""Longer curves are judged by means of neighbouring calls: the work grows with the square of the points."""

MIN_TAIL = 1 / 3
"""Share of the calls that must be at the level of the end."""

TREND = 0.03
"""Change over the tail below which a trend does not matter, and ..."""

TREND_ERRORS = 4.0
"""... the number of its standard errors below which it is noise."""

DRIFT_FIT = 0.6
"""A line must explain this share of the last two thirds' variance for "drift"; otherwise it is "unsteady"."""

NEIGHBOURS = 3
"""So many slow calls in a row are a disturbance, not a level."""

OUTLIER = 4.0


@dataclass(frozen=True)
class Steadiness:
    """What a warm-up curve did, with the figures behind it.

    kind: "flat" (steady, but for slow first calls), "warm-up" or "slowdown" (steady after a change down or up);
    not steady are "drift" (one way until the end), "cyclic", "unsteady" (levels without order) and "too_short".
    steady_from: index of the first steady call; None when not steady.
    level_before_ns, level_ns: time of a call at the beginning (slow first calls included where there are more than
    `NEIGHBOURS`) and at the end; geometric means.
    trend: change over the tail, or over the last two thirds of a curve without one; 0.1: 10 % slower at its end.
    wander: share between the lowest and the highest level in the last two thirds.
    cycle: the cycle in it, or None.
    noise: standard deviation of a point (of calls that are single points where the curve has up to `POINTS` calls).
    calls: their number; tail_calls: those of them that share the level of the end.
    """

    kind: Kind
    calls: int
    steady_from: int | None = None
    level_before_ns: float = float("nan")
    level_ns: float = float("nan")
    trend: float = 0.0
    wander: float = 0.0
    cycle: Cycle | None = None
    noise: float = 0.0
    tail_calls: int = 0


def steady_from(calls_ns: Sequence[int]) -> int | None:
    """Index of the first steady call, or None when the series is not steady."""
    return judge_warmup(calls_ns).steady_from


def judge_warmup(calls_ns: Sequence[int]) -> Steadiness:
    """Judge times of consecutive calls (ns, any number, first call included) as a whole.

    Slow calls that stand alone are replaced by the median around them; logarithms are cut into level and straight
    segments; the tail is what shares the level of the end. Steady needs a tail of `MIN_TAIL` of the curve without
    trend and without cycle.
    """
    times = np.maximum(np.asarray(calls_ns, dtype=np.float64), 1.0)
    if times.size < MIN_CALLS:
        return Steadiness("too_short", times.size)
    logs = np.log(times)
    calls = without_lone_slow_calls(logs)
    width = -(-calls.size // POINTS)
    seen = values = _means(calls, width)
    noise = estimate_noise(values)
    segments = cut(values, noise)
    start = tail_start(values, segments, noise)
    cycle = find_cycle(calls[min(start * width, calls.size // 3) :])
    disturbed = disturbances(values, segments, noise)
    if disturbed:
        level = float(np.median(values[start:]))
        for segment in disturbed:
            calls[segment.start * width : segment.stop * width] = level
        values = _means(calls, width)
        segments = cut(values, noise)
        start = tail_start(values, segments, noise)
    start = end_of_warm_up(values, segments, start, noise)
    tail = values[start:]
    level = float(tail.mean())
    trend = slope(tail) * tail.size
    kind = _kind_of_unsteady(values, tail, trend, noise, cycle)
    first: int | None = None
    if kind is None:
        first = _skip_slow_calls(logs, start * width, level, noise.sigma * float(np.sqrt(width)))
        change = segments[0].first - level
        kind = "flat" if start * width <= NEIGHBOURS else "warm-up" if change > 0.0 else "slowdown"
    else:
        late = seen[seen.size // 3 :]
        trend = slope(late) * late.size
    return Steadiness(
        kind=kind,
        calls=times.size,
        steady_from=first,
        level_before_ns=float(np.exp(segments[0].first)),
        level_ns=float(np.exp(level)),
        trend=float(np.expm1(trend)),
        wander=_wander(segments, values.size),
        cycle=cycle,
        noise=noise.sigma,
        tail_calls=calls.size - (start * width if first is None else first),
    )


def without_lone_slow_calls(logs: Floats) -> Floats:
    """Calls far from the median of their neighbours take its place: interrupts, stolen time.

    At most `NEIGHBOURS` in a row are seen as such (Hampel's identifier over a window of twice that and one).
    """
    padded = np.pad(logs, NEIGHBOURS, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    medians = np.median(windows, axis=1)
    distance = np.abs(logs - medians)
    limit = OUTLIER * MAD_TO_SIGMA * float(np.median(distance))
    return np.where(distance > max(limit, 1e-9), medians, logs)


def _means(values: Floats, width: int) -> Floats:
    starts = np.arange(0, values.size, width)
    means: Floats = np.add.reduceat(values, starts) / np.diff(np.r_[starts, values.size])
    return means


def _kind_of_unsteady(
    values: Floats, tail: Floats, trend: float, noise: Noise, cycle: Cycle | None
) -> Kind | None:
    if cycle is not None:
        return "cyclic"
    # Standard error of a least-squares slope, times the length.
    error = noise.long_run * float(np.sqrt(12.0 / tail.size))
    trending = abs(trend) > max(TREND, TREND_ERRORS * error)
    if tail.size >= MIN_TAIL * values.size and not trending:
        return None
    late = values[values.size // 3 :]
    place = np.arange(late.size) - (late.size - 1) / 2.0
    line = slope(late) * place
    explained = float(np.sum(line**2)) / max(1e-12, float(np.sum((late - late.mean()) ** 2)))
    return "drift" if explained > DRIFT_FIT else "unsteady"


def _wander(segments: Sequence[Segment], count: int) -> float:
    late = [item for item in segments if item.stop > count // 3]
    ends = [end for item in late for end in (item.first, item.last)]
    return float(np.expm1(max(ends) - min(ends)))


def _skip_slow_calls(logs: Floats, start: int, level: float, sigma: float) -> int:
    """Slow calls at the tail's beginning belong to the warm-up, also where they stand alone."""
    limit = level + max(0.1, 5.0 * sigma)
    while start < logs.size - 1 and logs[start] > limit:
        start += 1
    return start

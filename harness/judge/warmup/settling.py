"""Where the level at the end of a series begins. Values are logarithms; places are indices of values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.judge.dependence import Floats
from harness.judge.warmup.segments import Noise, Segment, cut, cut_penalty

EQUAL = 0.02
"""Levels within this share count as one, whatever the noise."""

ERRORS = 3.0
"""Levels of segments within so many standard errors count as one."""

START_ERRORS = 2.5
"""The same for windows at the tail's beginning: to leave out a few steady calls does little harm."""

SHORT = 0.05
"""A disturbance, after which the old level is back, may last for this share of the curve, ..."""

SHORT_TOGETHER = 0.10
"""... and all of them for this one."""

LEAST_WINDOW = 3
"""Values that make a level."""

FITS = 24
"""Time constants that are tried for a decay."""

FIRST_SEGMENTS = 6
"""Segments from which a decay may start; it seldom takes more to describe one."""

MIN_DECAY = 9


def tail_start(values: Floats, segments: Sequence[Segment], noise: Noise) -> int:
    """First place of the tail: the segments at the end that share a level, short disturbances among them included."""
    return _tail(values, segments, noise)[0]


def disturbances(values: Floats, segments: Sequence[Segment], noise: Noise) -> list[Segment]:
    """Segments inside the tail that are not at its level: the machine was disturbed, and all was as before."""
    return _tail(values, segments, noise)[1]


def _tail(values: Floats, segments: Sequence[Segment], noise: Noise) -> tuple[int, list[Segment]]:
    end = len(segments) - 1
    # One or two slow values at the very end are no level yet.
    while end > 0 and segments[end].size < LEAST_WINDOW:
        end -= 1
    last = segments[end]
    start, total, count = last.start, last.level * last.size, last.size
    disturbed, passed = list(segments[end + 1 :]), list[Segment]()
    for segment in reversed(segments[:end]):
        if _share_level(segment, total / count, count, noise):
            start, total, count = (
                segment.start,
                total + segment.level * segment.size,
                count + segment.size,
            )
            disturbed, passed = disturbed + passed, []
            continue
        passed.append(segment)
        lasted = sum(item.size for item in passed)
        if (
            lasted > SHORT * values.size
            or lasted + sum(i.size for i in disturbed) > SHORT_TOGETHER * values.size
        ):
            break
    return start, disturbed


def end_of_warm_up(values: Floats, segments: Sequence[Segment], start: int, noise: Noise) -> int:
    """The first place that is within `EQUAL` of the tail's level: a slow decay has no edge that a cut could find.

    A decay that explains the end of the curve better than the segments do says where, before or after `start`;
    windows at the tail's beginning then move the place on while they are off the level.
    """
    decayed = _end_of_decay(values, segments, start, noise)
    return _first_window_at_level(values, start if decayed is None else decayed, noise)


def _share_level(segment: Segment, level: float, count: int, noise: Noise) -> bool:
    allowed = max(EQUAL, ERRORS * float(np.hypot(noise.error(segment.size), noise.error(count))))
    return abs(segment.level - level) <= allowed and abs(segment.last - segment.first) <= 2 * allowed


def _first_window_at_level(values: Floats, start: int, noise: Noise) -> int:
    """Where windows of every length (3, 6, 12, …) have the level of the tail's last two thirds."""
    tail = values[start:]
    search = tail.size // 3
    if search < 2:
        return start
    level = float(tail[search:].mean())
    sums = np.r_[0.0, np.cumsum(tail - level)]
    within = np.ones(search, dtype=bool)
    wide = LEAST_WINDOW
    while wide <= max(LEAST_WINDOW, tail.size // 4):
        means = (sums[wide : wide + search] - sums[:search]) / wide
        error = float(np.hypot(noise.error(wide), noise.error(tail.size - search)))
        within &= np.abs(means) <= max(EQUAL, START_ERRORS * error)
        wide *= 2
    return start + (int(np.argmax(within)) if within.any() else search)


def _end_of_decay(values: Floats, segments: Sequence[Segment], start: int, noise: Noise) -> int | None:
    """Where c + a·exp(−i/τ) is within `EQUAL` of c; None when segments explain the curve better.

    Tried from each of the first segments on, and from the tail's; the longest stretch counts. As for cuts, the sum of
    squared errors plus penalties decides; a decay costs as much as a straight segment.
    """
    penalty = cut_penalty(values.size, noise)
    for number, segment in enumerate(segments):
        if (number >= FIRST_SEGMENTS and segment.start != start) or values.size - segment.start < MIN_DECAY:
            continue
        rest = segments[number:]
        cost = sum(item.error + penalty * (1.0 if item.is_level else 2.0) for item in rest)
        error, after = _fit_decay(values[segment.start :])
        if error + 2.0 * penalty < cost:
            place = min(segment.start + after, values.size - LEAST_WINDOW)
            return place if _is_one_level(values[place:], noise) else None
    return None


def _is_one_level(tail: Floats, noise: Noise) -> bool:
    return tail_start(tail, cut(tail, noise), noise) <= SHORT * tail.size


def _fit_decay(values: Floats) -> tuple[float, int]:
    """Least sum of squared errors (of logarithms) of c + a·exp(−i/τ), and where that is within `EQUAL` of c."""
    logs = values - values[-1]
    coarse = np.geomspace(1.0, values.size / 3.0, FITS)
    near = coarse[int(np.argmin(_decays(logs, coarse)[0]))]
    step = float(coarse[1] / coarse[0])
    errors, left = _decays(logs, np.geomspace(near / step, near * step, FITS))
    best = int(np.argmin(errors))
    return float(errors[best]), int(np.ceil(left[best]))


def _decays(logs: Floats, taus: Floats) -> tuple[Floats, Floats]:
    """For each τ the squared error of the best c and a, and the place; infinite error where a fit is not positive.

    c and a by linear least squares of the times, weighted because noise is a share of the level.
    """
    decay = np.exp(-np.arange(logs.size) / taus[:, None])
    times = np.exp(logs)
    weight = times**-2.0
    weight /= weight.sum()
    mean = float(np.dot(weight, times))
    centre = decay @ weight
    spread = decay - centre[:, None]
    height = (spread @ (weight * (times - mean))) / (spread**2 @ weight)
    level = mean - height * centre
    fitted = level[:, None] + height[:, None] * decay
    valid = (level > 0.0) & (fitted.min(axis=1) > 0.0)
    distance = logs - np.log(np.where(valid[:, None], fitted, 1.0))
    errors = np.where(valid, np.sum(distance**2, axis=1), np.inf)
    excess = np.abs(height) / (EQUAL * np.where(valid, level, 1.0))
    return errors, taus * np.log(np.maximum(1.0, excess))

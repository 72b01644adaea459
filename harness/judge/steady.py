"""Where a warm-up curve becomes steady. A pure function of the curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.judge.intervals import Floats

WINDOW = 4
"""Calls that must agree before the series counts as steady."""

TOLERANCE = 0.02
"""Share by which the two halves of a steady window may differ beyond their own noise."""


def steady_from(calls_ns: Sequence[int]) -> int | None:
    """Index of the first steady call, or None when the series is not steady yet.

    The series is steady at i when the window of calls from i on and all that follows share a level (their medians
    differ by no more than `TOLERANCE` plus three standard errors of a median), the window itself has no trend (its two
    halves agree by the same rule), and neither have the last two windows. The earliest such i counts.
    """
    data = np.asarray(calls_ns, dtype=np.float64)
    if data.size < 2 * WINDOW:
        return None
    if not _agree(data[-2 * WINDOW : -WINDOW], data[-WINDOW:]):
        return None
    for start in range(data.size - 2 * WINDOW + 1):
        window, rest = data[start : start + WINDOW], data[start + WINDOW :]
        if _agree(window, rest) and _agree(window[: WINDOW // 2], window[WINDOW // 2 :]):
            return _skip_slow_calls(data, start)
    return None


def _skip_slow_calls(data: Floats, start: int) -> int:
    """A median does not see a single slow call at the window's beginning; it belongs to the warm-up."""
    rest = data[start + WINDOW :]
    level = float(np.median(rest))
    limit = level * (1.0 + 5 * TOLERANCE) + 8.0 * float(np.median(np.abs(rest - level)))
    while data[start] > limit and start < data.size - WINDOW:
        start += 1
    return start


def _agree(a: Floats, b: Floats) -> bool:
    level = float(np.median(b))
    difference = abs(float(np.median(a)) - level)
    noise = _median_error(a) ** 2 + _median_error(b) ** 2
    return difference <= TOLERANCE * level + 3.0 * float(np.sqrt(noise))


def _median_error(data: Floats) -> float:
    """Standard error of a median from successive differences, which a trend inflates less than deviations.

    1.253 · σ / √n with σ = median |difference| / (0.6745 · √2), for normal noise.
    """
    sigma = float(np.median(np.abs(np.diff(data)))) / (0.6745 * float(np.sqrt(2.0)))
    return 1.253 * sigma / float(np.sqrt(data.size))

"""How many items would settle what the ones at hand leave open, if the next ones are like them."""

from __future__ import annotations

import math

from harness.judge.accuracy.correlations import FEWEST_PAIRS
from harness.judge.accuracy.proportions import Pairs, difference_interval
from harness.judge.intervals import Interval

MOST = 10_000_000
"""More items than this are no advice: the difference is too close to the margin."""


def items_for_proportions(pairs: Pairs, margin: float, confidence: float) -> int | None:
    """Fewest items whose score interval, with the same shares won and lost, clears the margin or lies within it.

    None where `MOST` would not do. Rounded up to two digits.
    """

    def settles(items: float) -> bool:
        scale = items / pairs.items
        found = difference_interval(Pairs(pairs.won * scale, pairs.lost * scale, items), confidence)
        within = found.low >= -margin and found.high <= margin
        return within or found.high < -margin or found.low > margin

    if not settles(MOST):
        return None
    low, high = 1.0, float(MOST)
    # Intervals shrink as items are added: once settled, always settled.
    while high / low > 1.005:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if settles(middle) else (middle, high)
    return _rounded_up(high)


def items_for_correlations(
    difference: float | None, interval: Interval | None, pairs: int, margin: float
) -> int | None:
    """The same for a difference of correlations, whose interval shrinks with the root of the number of pairs."""
    if difference is None:
        return None
    if interval is None:
        return FEWEST_PAIRS if pairs < FEWEST_PAIRS else None
    if difference < -margin:
        scale = (interval.high - difference) / (-margin - difference)
    elif difference > margin:
        scale = (difference - interval.low) / (difference - margin)
    else:
        up, down = margin - difference, margin + difference
        if not up or not down:
            return None
        scale = max((interval.high - difference) / up, (difference - interval.low) / down)
    wanted = pairs * max(scale, 0.0) ** 2
    return _rounded_up(wanted) if 0 < wanted <= MOST else None


def _rounded_up(value: float) -> int:
    unit = int(10 ** max(0, math.floor(math.log10(value)) - 1))
    return math.ceil(value / unit - 1e-9) * unit

"""Intervals for a proportion, and for the difference of two proportions that were counted on the same items.

The difference: the asymptotic score interval of Tango, "Equivalence test and confidence interval for the difference
in proportions for the paired-sample design", Statistics in Medicine 17 (1998), 891-908: all differences that the
score test does not reject, with the other parameter at its restricted maximum-likelihood estimate. It keeps a width
where no item tells the two sides apart, which Wald's does not. `docs/decisions/0014-task-accuracy.md` has its coverage
beside that of Newcombe's square-and-add interval and of Wald's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from harness.judge.intervals import Floats, Interval

_STEPS = 60
"""Halvings of [-1, 1]: the ends are exact to rounding."""


@dataclass(frozen=True)
class Pairs:
    """Items on which both sides answered: `won` only the contender is right, `lost` only the reference is."""

    won: float
    lost: float
    items: float

    @property
    def difference(self) -> float:
        """Contender's proportion minus the reference's."""
        return (self.won - self.lost) / self.items


def proportion_interval(right: int, items: int, confidence: float) -> Interval:
    """Wilson's score interval for a proportion; `items` above 0.

    Wilson (1927); recommended for all sizes by Brown, Cai, DasGupta, "Interval Estimation for a Binomial Proportion",
    Statistical Science 16 (2001).
    """
    z2 = float(ndtri((1 + confidence) / 2)) ** 2
    share = right / items
    centre = (share + z2 / (2 * items)) / (1 + z2 / items)
    half = np.sqrt(z2 * (share * (1 - share) + z2 / (4 * items)) / items) / (1 + z2 / items)
    # The ends at 0 and 1 are exact; rounding must not leave them.
    low = 0.0 if right == 0 else float(centre - half)
    return Interval(low, 1.0 if right == items else float(centre + half))


def difference_interval(pairs: Pairs, confidence: float) -> Interval:
    """Tango's score interval for the difference of two paired proportions; `pairs.items` above 0."""
    low, high = score_limits(np.array([pairs.won]), np.array([pairs.lost]), float(pairs.items), confidence)
    return Interval(float(low[0]), float(high[0]))


def score_limits(won: Any, lost: Any, items: float, confidence: float) -> tuple[Floats, Floats]:
    """Tango's interval for many tables at once: `won`, `lost` float64 [k] -> lower and upper ends, float64 [k].

    Counts need not be whole, so that a study of another size can be foreseen.
    """
    b, c = np.asarray(won, np.float64), np.asarray(lost, np.float64)
    z = float(ndtri((1 + confidence) / 2))
    middle = (b - c) / items
    lower = _crossing(b, c, items, z, np.full_like(middle, -1.0), middle)
    upper = _crossing(b, c, items, -z, middle, np.ones_like(middle))
    return lower, upper


def _crossing(b: Floats, c: Floats, items: float, wanted: float, low: Floats, high: Floats) -> Floats:
    """Where the score, which falls with the difference, equals `wanted`, by halving."""
    for _ in range(_STEPS):
        centre = (low + high) / 2
        above = _score(centre, b, c, items) > wanted
        low, high = np.where(above, centre, low), np.where(above, high, centre)
    return (low + high) / 2


def _score(delta: Floats, b: Floats, c: Floats, items: float) -> Floats:
    """Tango (1998), equations 24 to 26: the score statistic at the difference `delta`."""
    linear = -b - c + (2 * items - b + c) * delta
    root = np.sqrt(np.maximum(linear**2 + 8 * items * c * delta * (1 - delta), 0.0))
    restricted = (root - linear) / (4 * items)
    variance = items * (2 * restricted + delta * (1 - delta))
    excess = b - c - items * delta
    with np.errstate(divide="ignore", invalid="ignore"):
        score = excess / np.sqrt(np.maximum(variance, 0.0))
    return np.where(excess == 0, 0.0, score)

"""Correlation of scores with given ones, and the difference of two correlations over the same pairs.

Intervals by a paired bootstrap: pairs are drawn again, the same ones for both sides, so that what makes a draw easy or
hard for both cancels in the difference. Percentiles are widened for the number of pairs as in `judge.intervals`
(Hesterberg 2015, section 5.3). Spearman's coefficient is Pearson's of the ranks, ties at their mean rank.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.judge.intervals import Floats, Interval, expanded_level

RESAMPLES = 2000
MOST_DRAWN = 20_000_000
"""Values drawn at most, which takes about five seconds: of many pairs there are fewer resamples ..."""
LEAST_RESAMPLES = 400
"""... but not fewer than this."""
FEWEST_PAIRS = 20
"""Below, a coefficient's interval is so wide that it tells nothing."""
_AT_ONCE = 2_000_000

Coefficient = Callable[[Floats, Floats], Floats]


def rank_step(pairs: int) -> float:
    """The most that Spearman's coefficient changes when two neighbours in one order change places.

    The difference of two of them is not known better than that: where both sides order all pairs alike, every draw
    gives a difference of 0, and the bootstrap alone would claim to know it exactly. From 1 - 6 sum(d^2) / (n^3 - n).
    """
    return 12.0 / (pairs * (pairs + 1.0))


@dataclass(frozen=True)
class Correlations:
    """Intervals from the same draws; the difference is contender minus reference.

    `decision` is the difference's at the confidence that decides.
    """

    contender: Interval
    reference: Interval
    difference: Interval
    decision: Interval


def pearson(x: Floats, y: Floats) -> Floats:
    """Pearson's coefficient along the last axis; NaN where one side is constant."""
    dx = x - x.mean(axis=-1, keepdims=True)
    dy = y - y.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt((dx * dx).sum(axis=-1) * (dy * dy).sum(axis=-1))
        # Rounding alone may leave a constant side with a little spread.
        flat = scale <= 1e-14 * x.shape[-1] * (np.abs(x).max(axis=-1) * np.abs(y).max(axis=-1))
        return np.asarray(np.where(flat, np.nan, np.clip((dx * dy).sum(axis=-1) / scale, -1.0, 1.0)))


def spearman(x: Floats, y: Floats) -> Floats:
    """Spearman's coefficient along the last axis; NaN where one side is constant."""
    return pearson(ranks(x), ranks(y))


def ranks(values: Floats) -> Floats:
    """Ranks from 0 along the last axis, equal values at the mean of their places."""
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    count = values.shape[-1]
    places = np.broadcast_to(np.arange(count), values.shape)
    new = np.ones(values.shape, bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(new, places, 0), axis=-1)
    ends = np.ones(values.shape, bool)
    ends[..., :-1] = new[..., 1:]
    reverse = np.where(ends, places, count)[..., ::-1]
    last = np.minimum.accumulate(reverse, axis=-1)[..., ::-1]
    answer = np.empty(values.shape)
    np.put_along_axis(answer, order, (first + last) / 2, axis=-1)
    return answer


def correlation_intervals(
    targets: Floats,
    contender: Floats,
    reference: Floats,
    coefficient: Coefficient,
    confidence: float,
    decision_confidence: float,
    *,
    seed: int = 0,
) -> Correlations | None:
    """Bootstrap intervals of both correlations with `targets` and of their difference; all float64 [pairs].

    None with fewer than `FEWEST_PAIRS`, or where draws without any spread are too many to leave out.
    """
    count = targets.size
    if count < FEWEST_PAIRS:
        return None
    random = np.random.default_rng(seed)
    resamples = max(LEAST_RESAMPLES, min(RESAMPLES, MOST_DRAWN // count))
    at_once = max(1, _AT_ONCE // count)
    drawn = []
    for start in range(0, resamples, at_once):
        index = random.integers(0, count, size=(min(at_once, resamples - start), count))
        aim = targets[index]
        drawn.append(np.stack([coefficient(contender[index], aim), coefficient(reference[index], aim)]))
    both = np.concatenate(drawn, axis=1)
    both = both[:, np.isfinite(both).all(axis=0)]
    if both.shape[1] < 0.95 * resamples:
        return None
    difference = both[0] - both[1]
    centre = float(coefficient(contender, targets) - coefficient(reference, targets))
    step = rank_step(count) if coefficient is spearman else 0.0
    return Correlations(
        contender=_ends(both[0], count, confidence),
        reference=_ends(both[1], count, confidence),
        difference=_widened(_ends(difference, count, confidence), centre, step),
        decision=_widened(_ends(difference, count, decision_confidence), centre, step),
    )


def _ends(draws: Floats, count: int, confidence: float) -> Interval:
    tail = expanded_level(confidence, count)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _widened(found: Interval, centre: float, step: float) -> Interval:
    return Interval(min(found.low, centre - step), max(found.high, centre + step))

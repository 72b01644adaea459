"""Correlation of scores with given ones, and the difference of two correlations over the same pairs.

Intervals by a paired bootstrap: pairs are drawn again, the same ones for both sides, so that what makes a draw easy or
hard for both cancels in the difference. Percentiles are widened for the number of pairs as in `judge.intervals`
(Hesterberg 2015, section 5.3). Spearman's coefficient is Pearson's of the ranks, ties at their mean rank.

What no pair at hand shows no draw can show: the plain bootstrap covers the loss of an engine that fails on one text in
fifty in 54 of 100 studies of 50 pairs. So each draw for the lower end of the difference has some pairs whose contender
answers with another pair's similarity, and each draw for the upper end some whose reference does: z^2 / 2 of them in
the mean, the count that takes a Poisson count's bootstrap to its score interval. `docs/decisions/0014-task-accuracy.md`
has the coverage with and without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from harness.judge.intervals import Floats, Interval, expanded_level

RESAMPLES = 2000
MOST_DRAWN = 4_000_000
"""Values drawn at most, which takes about four seconds: of many pairs there are fewer resamples ..."""
LEAST_RESAMPLES = 400
"""... but not fewer than this."""
FEWEST_PAIRS = 20
"""Below, a coefficient's interval is so wide that it tells nothing."""
_AT_ONCE = 2_000_000

Coefficient = Callable[[Floats, Floats], Floats]


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
    failures = float(ndtri((1 + max(confidence, decision_confidence)) / 2)) ** 2 / 2
    parts = []
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        index = random.integers(0, count, size=(size, count))
        ours, theirs, aim = contender[index], reference[index], targets[index]
        parts.append(
            np.stack(
                [
                    coefficient(ours, aim),
                    coefficient(theirs, aim),
                    coefficient(_failing(ours, failures, random), aim),
                    coefficient(_failing(theirs, failures, random), aim),
                ]
            )
        )
    drawn = np.concatenate(parts, axis=1)
    drawn = drawn[:, np.isfinite(drawn).all(axis=0)]
    if drawn.shape[1] < 0.95 * resamples:
        return None
    own, other, own_failing, other_failing = drawn

    def between(level: float) -> Interval:
        low = _ends(own_failing - other, count, level).low
        return Interval(low, _ends(own - other_failing, count, level).high)

    return Correlations(
        contender=_ends(own, count, confidence),
        reference=_ends(other, count, confidence),
        difference=between(confidence),
        decision=between(decision_confidence),
    )


def _failing(drawn: Floats, failures: float, random: np.random.Generator) -> Floats:
    """Draws [resamples, pairs] in which some pairs, `failures` in the mean, have the similarity of another pair.

    The first places serve: draws are in random order.
    """
    size, count = drawn.shape
    bad = np.minimum(random.poisson(failures, size), count)
    widest = int(bad.max(initial=0))
    answer = drawn.copy()
    others = np.take_along_axis(drawn, random.integers(0, count, size=(size, widest)), axis=1)
    answer[:, :widest] = np.where(np.arange(widest) < bad[:, None], others, drawn[:, :widest])
    return answer


def _ends(draws: Floats, count: int, confidence: float) -> Interval:
    tail = expanded_level(confidence, count)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(float(low), float(high))

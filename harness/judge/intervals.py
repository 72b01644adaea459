"""Intervals from few trials: resample trials, then widen for their small number.

A trial (one process) is the unit of replication: samples inside a process share its memory layout, its threads and
its moment, so they say nothing about how the next process will do. The bootstrap therefore resamples whole trials,
as recommended for grouped data by Davison and Hinkley, *Bootstrap Methods and their Application* (1997), section
3.8. With k trials its spread is too small by √((k−1)/k), and a normal quantile stands where Student's belongs; the
"expanded percentile interval" of Hesterberg, *What Teachers Should Know About the Bootstrap* (2015), section 5.3,
repairs both. `docs/decisions/0003-intervals.md` has the simulated coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

Floats = npt.NDArray[np.float64]

RESAMPLES = 1000

WIDEST = float(np.log(1e6))
"""Logarithm of the largest factor between the ends of an interval that is worth showing."""

NO_INTERVAL = "the trials are too few or differ too much for an interval"

GRID = 4096
"""Ranks at which samples are counted: finer than any percentile that is shown."""


@dataclass(frozen=True)
class Interval:
    """Ends of an interval; equal to the estimate's unit."""

    low: float
    high: float


def expanded_level(confidence: float, trials: int) -> float:
    """One-sided tail probability whose bootstrap quantile gives a `confidence` interval with `trials` trials.

    Hesterberg (2015), section 5.3: Φ(−√(k/(k−1)) · t_{1−α/2, k−1}).
    """
    tail = (1.0 - confidence) / 2.0
    quantile = float(stdtrit(trials - 1, tail))
    return float(ndtr(np.sqrt(trials / (trials - 1)) * quantile))


def trial_interval(values: Sequence[float] | Floats, confidence: float) -> Interval | None:
    """Interval for the mean of one value per trial: Student's t. None with fewer than two trials.

    For a mean of k independent trial values the expanded bootstrap and Student's interval agree up to the
    discreteness of the resamples; the closed form is exact for normal trials and needs no random numbers.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size < 2:
        return None
    half = float(-stdtrit(data.size - 1, (1 - confidence) / 2)) * float(data.std(ddof=1)) / np.sqrt(data.size)
    mean = float(data.mean())
    return Interval(mean - float(half), mean + float(half))


def mean_interval(trials: Sequence[Floats], confidence: float, *, seed: int = 0) -> Interval | None:
    """Interval for the mean of all samples (above 0), whole trials resampled. None with fewer than two trials."""
    if len(trials) < 2:
        return None
    weights = _resampled_weights(len(trials), seed)
    sums = np.array([t.sum() for t in trials])
    sizes = np.array([float(t.size) for t in trials])
    return _from_draws(
        np.concatenate(trials).mean(), (weights @ sums) / (weights @ sizes), len(trials), confidence
    )


def quantile_interval(
    trials: Sequence[Floats], quantile: float, confidence: float, *, seed: int = 0
) -> Interval | None:
    """Interval for a quantile (0 to 1) of all samples (above 0), whole trials resampled. None with fewer than two.

    Samples are counted by trial on a common grid of `GRID` ranks, so that a resample costs one weighted sum.
    """
    if len(trials) < 2:
        return None
    pooled = np.sort(np.concatenate(trials))
    grid = pooled[np.unique(np.linspace(0, pooled.size - 1, GRID).round().astype(int))]
    counts = np.stack([np.bincount(np.searchsorted(grid, t), minlength=grid.size) for t in trials])
    cumulated = np.cumsum(_resampled_weights(len(trials), seed) @ counts, axis=1)
    places = (cumulated < quantile * cumulated[:, -1:]).sum(axis=1)
    draws = grid[np.minimum(places, grid.size - 1)]
    return _from_draws(np.quantile(pooled, quantile), draws, len(trials), confidence)


def _resampled_weights(trials: int, seed: int) -> Floats:
    """How often each trial is drawn, one row a resample."""
    drawn = np.random.default_rng(seed).multinomial(trials, np.full(trials, 1.0 / trials), size=RESAMPLES)
    return drawn.astype(np.float64)


def of_values(interval: Interval | None) -> Interval | None:
    """An interval of logarithms as one of values; None when its ends lie further apart than `WIDEST`.

    A high confidence from two trials can give ends that say nothing and that no float holds.
    """
    if interval is None or interval.high - interval.low > WIDEST:
        return None
    return Interval(float(np.exp(interval.low)), float(np.exp(interval.high)))


def _from_draws(value: float | np.float64, draws: Floats, trials: int, confidence: float) -> Interval | None:
    """Interval from the bootstrap's spread (of logarithms), with the two repairs for few trials."""
    spread = float(np.log(draws).std()) * float(np.sqrt(trials / (trials - 1)))
    half = spread * float(-stdtrit(trials - 1, (1 - confidence) / 2))
    centre = float(np.log(value))
    return of_values(Interval(centre - half, centre + half))


def middle_mean(values: Sequence[float] | Floats) -> float:
    """Mean of the middle half (interquartile mean): ignores the quarter of rounds disturbed most on either side.

    Where a quarter is no whole number of values, those on the border count in part.
    """
    data = np.sort(np.asarray(values, dtype=np.float64))
    return float(data @ _middle_weights(data.size))


def _middle_weights(count: int) -> Floats:
    """Weight of each of `count` sorted values: how much of it lies in the middle half."""
    starts = np.arange(count, dtype=np.float64)
    inside = np.minimum(starts + 1.0, 0.75 * count) - np.maximum(starts, 0.25 * count)
    weights = np.maximum(inside, 0.0)
    return np.asarray(weights / weights.sum())


def round_interval(values: Sequence[float] | Floats, confidence: float, *, seed: int = 0) -> Interval | None:
    """Interval for the middle mean of rounds of a single trial, rounds resampled. None with fewer than four."""
    data = np.asarray(values, dtype=np.float64)
    if data.size < 4:
        return None
    random = np.random.default_rng(seed)
    drawn = np.sort(data[random.integers(0, data.size, size=(RESAMPLES, data.size))], axis=1)
    means = drawn @ _middle_weights(data.size)
    tail = expanded_level(confidence, data.size)
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def fewest_samples(percentile: float, confidence: float) -> int:
    """Fewest samples for which a distribution-free interval of this percentile (0 to 1) exists on both sides.

    The largest of n samples lies above the percentile p with probability 1 − p^n, the smallest below it with
    1 − (1−p)^n (order statistics; see e.g. Conover, *Practical Nonparametric Statistics*, 3.2). Both must reach
    1 − (1−confidence)/2: 368 samples for p99 and 36 for p90 at 95 %.
    """
    tail = (1.0 - confidence) / 2.0
    extreme = max(percentile, 1.0 - percentile)
    return int(np.ceil(np.log(tail) / np.log(extreme)))

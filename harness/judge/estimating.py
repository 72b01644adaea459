"""Building blocks of a contender's figures: estimates of medians, of values by trial, and of ranges over trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.judge.comparison import Estimate
from harness.judge.intervals import (
    NO_INTERVAL,
    Floats,
    Interval,
    of_values,
    quantile_interval,
    trial_interval,
)

NS = 1e-9


def with_interval(
    value: float, interval: Interval | None, unit: str, confidence: float, samples: int, trials: int
) -> Estimate:
    """An estimate; where it has no interval the reason is the number of trials."""
    return Estimate(
        value=value,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        unit=unit,
        confidence=confidence,
        samples=samples,
        trials=trials,
        reason="" if interval else "one trial gives no interval" if trials < 2 else NO_INTERVAL,
    )


def median_over_trials(trials: Sequence[Floats], unit: str, confidence: float, nothing: str) -> Estimate:
    """Median of all samples (above 0), whole trials resampled for its interval; `nothing` says why there are none."""
    kept = [values[values > 0.0] for values in trials]
    kept = [values for values in kept if values.size]
    if not kept:
        return Estimate(value=None, unit=unit, confidence=confidence, reason=nothing)
    pooled = np.concatenate(kept)
    interval = quantile_interval(kept, 0.5, confidence)
    return with_interval(float(np.median(pooled)), interval, unit, confidence, pooled.size, len(kept))


def mean_by_trial(values: Sequence[float | None], unit: str, confidence: float, nothing: str) -> Estimate:
    """Geometric mean of one positive value a trial, with Student's interval of the logarithms."""
    there = [value for value in values if value is not None and value > 0]
    if not there:
        return Estimate(value=None, unit=unit, confidence=confidence, reason=nothing)
    logs = np.log(there)
    interval = of_values(trial_interval(logs, confidence))
    return with_interval(float(np.exp(logs.mean())), interval, unit, confidence, len(there), len(there))


def rate_by_trial(values: Sequence[float | None], unit: str, confidence: float, nothing: str) -> Estimate:
    """Mean of one value a trial that may be 0, with Student's interval, its lower end not below 0."""
    there = [value for value in values if value is not None]
    if not there:
        return Estimate(value=None, unit=unit, confidence=confidence, reason=nothing)
    interval = trial_interval(there, confidence)
    if interval is not None:
        interval = Interval(max(0.0, interval.low), interval.high)
    return with_interval(float(np.mean(there)), interval, unit, confidence, len(there), len(there))


def largest_over_trials(values: Sequence[int | None], unit: str, nothing: str) -> Estimate:
    """The largest of one value a trial; its interval is their range."""
    there = [float(value) for value in values if value is not None]
    if not there:
        return Estimate(value=None, unit=unit, reason=nothing)
    return Estimate(
        value=max(there),
        low=min(there),
        high=max(there),
        unit=unit,
        samples=len(there),
        trials=len(there),
        confidence=1.0,
        reason="largest over the trials; the interval is their range",
    )

"""One ratio from several trials: trials that were disturbed more weigh less.

The trials are taken as what a random-effects meta-analysis takes its studies for: each has a value of its own around
the common one, known with an error of its own. Weights are 1 / (variance between trials + squared error), the variance
between trials by DerSimonian and Laird, *Meta-analysis in clinical trials* (1986), the interval by Hartung and Knapp
(2001) and Sidik and Jonkman (2002). With equal errors it is Student's interval of the trials' mean.
`docs/decisions/0003-intervals.md` has the simulated coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from harness.judge.intervals import Floats, Interval, middle_mean

ERROR_WEIGHT = 16
"""Rounds that the usual error counts for beside a trial's own: few rounds are a bad guess of their own spread."""

SMALLEST_SHARE = 1e-6
"""Smallest squared error, as a share of the largest: rounds that agree by chance must not decide alone."""


@dataclass(frozen=True)
class Pooled:
    """Weighted mean of the trials and its standard error, None for a single trial. Logarithms of ratios."""

    value: float
    error: float | None
    trials: int

    def interval(self, confidence: float) -> Interval | None:
        """Interval for the common value; None for a single trial."""
        if self.error is None:
            return None
        half = float(-stdtrit(self.trials - 1, (1.0 - confidence) / 2.0)) * self.error
        return Interval(self.value - half, self.value + half)


def pool(trials: Sequence[Sequence[float]]) -> Pooled:
    """Pool the rounds (log ratios) of trials. Raises ValueError for no trial, or one without a round."""
    if not trials or not all(trials):
        raise ValueError("pool takes at least one trial, each with at least one round")
    values = np.array([middle_mean(rounds) for rounds in trials])
    if len(trials) == 1:
        return Pooled(float(values[0]), None, 1)
    weights = _weights(values, _squared_errors(trials))
    mean = float(weights @ values)
    error = np.sqrt(weights @ (values - mean) ** 2 / (len(trials) - 1))
    return Pooled(mean, float(error), len(trials))


def _weights(values: Floats, squared_errors: Floats) -> Floats:
    """A weight for every trial, 1 in all."""
    if not squared_errors.max() > 0.0:
        return np.full(values.size, 1.0 / values.size)
    errors = np.maximum(squared_errors, SMALLEST_SHARE * squared_errors.max())
    fixed = 1.0 / errors
    excess = fixed @ (values - fixed @ values / fixed.sum()) ** 2 - (values.size - 1)
    between = max(0.0, float(excess / (fixed.sum() - fixed @ fixed / fixed.sum())))
    weights = 1.0 / (between + errors)
    return np.asarray(weights / weights.sum())


def _squared_errors(trials: Sequence[Sequence[float]]) -> Floats:
    """Squared standard error of every trial's middle mean, drawn towards the usual one."""
    counts = np.array([float(len(rounds)) for rounds in trials])
    variances = np.array([round_variance(rounds) if len(rounds) > 1 else np.nan for rounds in trials])
    if np.isnan(variances).all():
        return np.zeros(counts.size)
    usual = float(np.nanmedian(variances))
    variances = np.where(np.isnan(variances), usual, variances)
    return np.asarray(
        (ERROR_WEIGHT * usual + (counts - 1) * variances) / (ERROR_WEIGHT + counts - 1) / counts
    )


def round_variance(rounds: Sequence[float]) -> float:
    """Variance that n rounds would have for their middle mean to have the error variance/n.

    Winsorised variance over the squared share that is kept (Tukey and McLaughlin 1963): a single outlier, which the
    middle mean ignores, does not count here either.
    """
    data = np.asarray(rounds, dtype=np.float64)
    low, high = np.quantile(data, [0.25, 0.75])
    return float(np.clip(data, low, high).var(ddof=1)) / 0.25

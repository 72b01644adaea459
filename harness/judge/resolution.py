"""How small a difference can a comparison resolve on this machine? From variance components, in closed form.

The logarithm of the ratio of two equal engines is, in round r of trial t, T_t + R_tr + the difference of two medians
of m samples: levels of processes, levels of blocks, and what samples leave. A comparison of k trials of n rounds then
has the standard error √((T² + (R² + 2·π/2·S²/m)/n)/k), and calls a difference δ beyond a margin M when Student's lower
limit is above M. Its power is the noncentral t distribution's (Lehmann and Romano, *Testing Statistical Hypotheses*,
3rd ed., section 5.2): P(t'(k−1, (δ−M)/error) > t(k−1, 97.5 %)). π/2 is the price of a median of normal samples.
`tests/judge/test_resolution.py` has the simulation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtri, nctdtrinc, stdtrit

from harness.judge.dependence import MAD_TO_SIGMA, effective_count, lag1
from harness.judge.intervals import Floats, middle_mean
from harness.judge.pacing import Spent, more_trials, plan_pace
from harness.judge.pooling import pool, round_variance
from harness.records import Settings

POWER = 0.8
MEDIAN_PRICE = math.pi / 2.0


@dataclass(frozen=True)
class Components:
    """Standard deviations of log ratios (`sample`: of the log of one call), as shares.

    `trials`, `rounds`, `samples`: what they were estimated from; rounds a trial, samples a block. `independent`: share
    of the samples that say something new (1 when neighbours do not resemble each other).
    """

    trial: float
    round: float
    sample: float
    trials: int
    rounds: float
    samples: float
    independent: float

    def error(self, trials: int, rounds: float, samples: float) -> float:
        """Standard error of a comparison's log ratio with `samples` a block."""
        return math.sqrt((self.trial**2 + self.block_variance(samples) / rounds) / trials)

    def block_variance(self, samples: float) -> float:
        """Variance of a round's log ratio within a trial."""
        return self.round**2 + 2.0 * MEDIAN_PRICE * self.sample**2 / max(1.0, samples * self.independent)


@dataclass(frozen=True)
class Plan:
    """A comparison that a budget has room for."""

    budget_s: float
    trials: int
    rounds: int
    samples: int


@dataclass(frozen=True)
class Resolution:
    """What a plan resolves; shares. `low`, `high`: 80 % interval of `share`, from how few trials it rests on."""

    plan: Plan
    share: float
    """Smallest true difference that is told from none with a probability of 80 %."""
    low: float
    high: float
    called: float
    """Smallest true difference that is called faster or slower, beyond the margin, with a probability of 80 %."""
    half_width: float
    """Half the interval's expected width."""


def components(ratios: Sequence[Sequence[float]], blocks: Sequence[Floats]) -> Components:
    """Estimate from log ratios by trial and round, and the samples (nanoseconds) of single blocks.

    Between trials: the variance of the trials' middle means beyond what their rounds explain, 0 at least (then rounds
    and trials are pooled, the rule of Thompson, *The problem of negative estimates of variance components*, 1962).
    Rounds: the
    winsorised variance that goes with a middle mean. Samples: robust, within blocks, thinned by their dependence.
    These give the proportions. The level is that of the pooled ratio's own error: pooling weighs quiet trials more than
    disturbed ones, so that on a machine whose load comes and goes it errs less than mean variances would have it.
    Raises ValueError with fewer than two trials of two rounds.
    """
    several = [list(rounds) for rounds in ratios if len(rounds) > 1]
    if len(several) < 2:
        raise ValueError("variance components take at least two trials of two rounds")
    within = float(np.mean([round_variance(rounds) for rounds in several]))
    rounds = len(several) / sum(1.0 / len(values) for values in several)
    seen = float(np.var([middle_mean(values) for values in several], ddof=1))
    between = seen - within / rounds
    if between < 0.0:
        # Trials differ less than rounds explain: by chance. Both then tell of the rounds, by their degrees of freedom.
        freedom, inner = len(several) - 1, sum(len(values) - 1 for values in several)
        within = (freedom * seen * rounds + inner * within) / (freedom + inner)
    logs = [np.log(block) for block in blocks if block.size > 2]
    sample = float(np.median([MAD_TO_SIGMA * np.median(np.abs(log - np.median(log))) for log in logs]))
    size = float(np.median([log.size for log in logs]))
    independent = effective_count(1.0, lag1(logs))
    left = within - 2.0 * MEDIAN_PRICE * sample**2 / (size * independent)
    raw = Components(
        trial=math.sqrt(max(0.0, between)),
        round=math.sqrt(max(0.0, left)),
        sample=sample,
        trials=len(several),
        rounds=rounds,
        samples=size,
        independent=independent,
    )
    expected, seen_error = raw.error(raw.trials, rounds, size), pool(several).error
    scale = seen_error / expected if seen_error and expected > 0.0 else 1.0
    return replace(raw, trial=scale * raw.trial, round=scale * raw.round, sample=scale * raw.sample)


def plan_comparison(
    found: Components, settings: Settings, *, startup_s: float, call_s: float, engines: int = 2
) -> Plan:
    """The comparison that the harness itself would make: as many trials and rounds as pay, and its stopping rule.

    `startup_s`: of all engines together; `call_s`: of one call of either.
    """
    block = found.block_variance(settings.block_s / call_s)
    noise = min(100.0, block / found.trial**2) if found.trial > 0.0 else 100.0
    pace = plan_pace({str(n): call_s for n in range(engines)}, startup_s, settings, noise)
    samples = min(pace.samples.values())
    round_s = engines * (samples + 1) * call_s
    trials = more_trials(startup_s, round_s, settings, noise, Spent())
    for count in range(max(2, settings.min_trials), trials):
        if half_width(found, count, pace.rounds, samples, settings.confidence) <= settings.target_ci:
            trials = count + 1  # the trial that made it narrow does not decide; the next one does
            break
    return Plan(settings.budget_s, trials, pace.rounds, samples)


def resolve(found: Components, plan: Plan, settings: Settings) -> Resolution:
    """What the plan resolves on a machine with these components."""
    error = found.error(plan.trials, plan.rounds, plan.samples)
    steps = detectable_errors(plan.trials, settings.confidence)
    freedom = found.trials - 1
    low = math.sqrt(freedom / float(chdtri(freedom, 0.1)))
    high = math.sqrt(freedom / float(chdtri(freedom, 0.9)))
    return Resolution(
        plan=plan,
        share=math.expm1(steps * error),
        low=math.expm1(steps * error * low),
        high=math.expm1(steps * error * high),
        called=math.expm1(math.log1p(settings.margin) + steps * error),
        half_width=half_width(found, plan.trials, plan.rounds, plan.samples, settings.confidence),
    )


def detectable_errors(trials: int, confidence: float, power: float = POWER) -> float:
    """By how many standard errors a difference must lie beyond a border for its interval to clear it.

    The noncentrality whose t distribution exceeds Student's quantile with probability `power`: 2.80 for many trials.
    """
    quantile = -float(stdtrit(trials - 1, (1.0 - confidence) / 2.0))
    return float(nctdtrinc(trials - 1, 1.0 - power, quantile))


def half_width(found: Components, trials: int, rounds: float, samples: float, confidence: float) -> float:
    """Half the width of the interval that is to be expected, of the log ratio."""
    quantile = -float(stdtrit(trials - 1, (1.0 - confidence) / 2.0))
    return quantile * found.error(trials, rounds, samples)

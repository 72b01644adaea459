"""How to spend the time: calls per block, rounds per trial, and when to stop. Pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records import Settings

DISCARD = 1
"""Calls thrown away after a thaw: caches and frequency are cold."""

MIN_ROUNDS = 2

USUAL_NOISE_RATIO = 4.0
"""Variance of rounds over variance of trials, assumed until three trials have been seen."""

FEW_TRIALS = 4
"""Trials below which blocks are shortened: the width of an interval from k trials, Student's factor over √k, is 9.0
for two, 2.5 for three, 1.6 for four, and falls slowly from there."""


@dataclass(frozen=True)
class Pace:
    """What one trial does: rounds, and per contender the samples of a block."""

    rounds: int
    samples: Mapping[str, int]


def samples_per_block(sample_s: float, block_s: float) -> int:
    """Samples that fill a block: at least 3, at most 2000."""
    return max(3, min(2000, round(block_s / max(sample_s, 1e-9))))


def plan_pace(
    sample_s: Mapping[str, float],
    startup_s: float,
    settings: Settings,
    noise_ratio: float = USUAL_NOISE_RATIO,
) -> Pace:
    """Rounds and samples of one trial.

    `sample_s`: seconds a sample per contender; `startup_s`: seconds the trial has spent before its first round. The
    budget is cut into trials with the best number of rounds each; where that is fewer than `FEW_TRIALS` trials, rounds
    are given up first, then blocks are shortened down to single samples. What is left over goes into more rounds.
    """
    few = min(FEW_TRIALS, settings.max_trials)
    samples = {name: samples_per_block(seconds, settings.block_s) for name, seconds in sample_s.items()}
    while True:
        round_s = sum((DISCARD + samples[name]) * seconds for name, seconds in sample_s.items())
        rounds = best_rounds(startup_s, round_s, noise_ratio)
        if planned_trials(startup_s + rounds * round_s, settings) < few and round_s > 0:
            rounds = (settings.budget_s / few - startup_s) / round_s
        if rounds >= MIN_ROUNDS or max(samples.values()) == 1:
            break
        samples = {name: max(1, count // 2) for name, count in samples.items()}
    trials = planned_trials(startup_s + max(rounds, MIN_ROUNDS) * round_s, settings)
    left = settings.budget_s / trials - startup_s
    fitting = int(left / round_s) if round_s > 0 else settings.rounds_per_trial
    return Pace(max(MIN_ROUNDS, min(settings.rounds_per_trial, fitting)), samples)


def best_rounds(startup_s: float, round_s: float, noise_ratio: float) -> float:
    """Rounds a trial that make the ratio's error smallest for a given time: √(startup/round · within/between).

    The classical size of a cluster under a cost per cluster and a cost per member (Cochran, *Sampling Techniques*,
    1977, 10.6). `noise_ratio`: variance of rounds within a trial over variance between trials.
    """
    if round_s <= 0:
        return float(MIN_ROUNDS)
    return max(float(MIN_ROUNDS), math.sqrt(startup_s / round_s * noise_ratio))


def noise_ratio(trials: Sequence[Sequence[float]]) -> float:
    """Variance of rounds within a trial over variance between trials, from the log ratios of one pair.

    The usual ratio with fewer than three trials; at most 100, because few trials can look equal by chance.
    """
    several = [values for values in trials if len(values) > 1]
    if len(several) < 3:
        return USUAL_NOISE_RATIO
    within = statistics.fmean(statistics.variance(values) for values in several)
    means = [statistics.fmean(values) for values in several]
    rounds = statistics.harmonic_mean([len(values) for values in several])
    between = statistics.variance(means) - within / rounds
    return min(100.0, within / between) if between > within / 100.0 else 100.0


def planned_trials(trial_s: float, settings: Settings) -> int:
    """How many trials of this length the budget has room for: two at least, for there is no interval from one."""
    fitting = int(settings.budget_s / trial_s) if trial_s > 0 else settings.max_trials
    return max(min(2, settings.max_trials), min(settings.max_trials, fitting))


@dataclass(frozen=True)
class Stop:
    """Whether to stop and why; `reason` is shown to the user."""

    stop: bool
    reason: str = ""


def should_stop(
    *,
    trials: int,
    spent_s: float,
    trial_s: float,
    half_widths: Sequence[float | None],
    settings: Settings,
) -> Stop:
    """Decide after a trial whether another one is wanted and fits.

    `half_widths`: half the width of every pair's deciding interval of the log ratio *before the last trial*, None
    where there is none. Stopping on the very trial that made an interval narrow would prefer trials that happened to
    agree: simulated, that costs two points of coverage. `trial_s`: seconds the last trial took. With a single
    contender there is no pair: the budget decides.
    """
    if trials >= settings.max_trials:
        return Stop(True, f"all {settings.max_trials} trials done")
    enough = trials >= settings.min_trials
    if enough and half_widths and all(w is not None and w <= settings.target_ci for w in half_widths):
        return Stop(True, f"every interval is within ±{settings.target_ci:.1%}")
    # Two trials are the fewest that give an interval at all: they are run even beyond the budget.
    if trials >= 2 and spent_s + trial_s > settings.budget_s:
        return Stop(True, f"the budget of {settings.budget_s:.0f} s is spent after {trials} trials")
    return Stop(False)

"""How to spend the time: calls per block, rounds per trial, and when to stop. Pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from harness.records import Settings

DISCARD = 1
"""Calls thrown away after a thaw: caches and frequency are cold."""

MIN_ROUNDS = 2

PASS_S = 0.7
PASS_CALLS = 10
"""The passes of one contender in one trial usually take so long, and make at least so many calls."""

CEILING_BUDGET_S = 30.0
"""Shorter comparisons are placed under ceilings that are there, but do not measure any."""

PASS_SHARE = 0.025
"""Share of the budget that they may take, in other trials than the first."""

FRESH_PAIRS = 8
"""The smallest and largest of so many values enclose their median with 1 − 2^(1−8) = 99.2 %."""

USUAL_NOISE_RATIO = 4.0
"""Variance of rounds over variance of trials, assumed for the first trial."""

USUAL_SPREAD = 0.01
"""Standard deviation of the log ratio between trials of two engines on a quiet machine."""

USUAL_WEIGHT = 4

FEW_TRIALS = 4
"""Trials below which blocks are shortened: the width of an interval from k trials, Student's factor over √k, is 9.0
for two, 2.5 for three, 1.6 for four, and falls slowly from there."""

VAGUE = 0.05
"""Half the width of an interval beyond which its ratio decides nothing that people ask."""

RESERVE = 0.03
"""Share of the time left that is not planned with, so that a last trial does not overrun the budget."""


@dataclass(frozen=True)
class Pace:
    """What one trial does: rounds, and per contender the samples of a block."""

    rounds: int
    samples: Mapping[str, int]


def samples_per_block(sample_s: float, block_s: float) -> int:
    """Samples that fill a block: at least 3, at most 2000."""
    return max(3, min(2000, round(block_s / max(sample_s, 1e-9))))


def passes_wanted(trial: int, sample_s: float, settings: Settings) -> bool:
    """Whether a trial (from 0) ends with passes of its own: the first ones, while they cost little.

    In the first trial they are made whatever they cost.
    """
    cheap = PASS_S + PASS_CALLS * sample_s <= PASS_SHARE * settings.budget_s
    return trial < settings.stage_trials and (trial == 0 or cheap)


def fresh_pairs(trial: int, sample_s: float, settings: Settings) -> int:
    """Fewest pairs of a fresh and a repeated call at the end of a trial (from 0).

    Over the usual trials they make the eight that an interval of the median at 99 % needs; where calls are long, fewer,
    so that they stay within `PASS_SHARE` of the budget.
    """
    wanted = math.ceil(FRESH_PAIRS / min(FEW_TRIALS, settings.max_trials))
    affordable = int(PASS_SHARE * settings.budget_s / max(2 * sample_s, 1e-9))
    return max(3 if trial == 0 else 1, min(wanted, affordable))


def pass_scale(settings: Settings) -> float:
    """How long the passes of a trial are against their usual length: a short budget gives short passes."""
    return min(1.0, PASS_SHARE * settings.budget_s / PASS_S)


def worth_a_ceiling(settings: Settings) -> bool:
    """Whether a comparison is long enough that measuring the machine's ceilings first is in proportion to it."""
    return settings.budget_s >= CEILING_BUDGET_S


@dataclass(frozen=True)
class Spent:
    """What the group has used: rounds of each finished trial, and seconds of the budget until the trial in question."""

    rounds: Sequence[int] = ()
    seconds: float = 0.0


def plan_pace(
    sample_s: Mapping[str, float],
    startup_s: float,
    settings: Settings,
    noise_ratio: float = USUAL_NOISE_RATIO,
    spent: Spent = Spent(),
) -> Pace:
    """Rounds and samples of the next trial.

    `sample_s`: seconds a sample per contender; `startup_s`: seconds the trial needs before its first round. What is
    left of the budget is cut into the best number of trials. Where that makes fewer than `FEW_TRIALS` in all, blocks
    are shortened, down to single samples.
    """
    few = min(FEW_TRIALS, settings.max_trials)
    samples = {name: samples_per_block(seconds, settings.block_s) for name, seconds in sample_s.items()}
    while True:
        round_s = sum((DISCARD + samples[name]) * seconds for name, seconds in sample_s.items())
        more = max(1, more_trials(startup_s, round_s, settings, noise_ratio, spent))
        if len(spent.rounds) + more >= few or max(samples.values()) == 1:
            break
        samples = {name: max(1, count // 2) for name, count in samples.items()}
    return Pace(max(MIN_ROUNDS, _fitting_rounds(more, startup_s, round_s, settings, spent)), samples)


def more_trials(
    startup_s: float, round_s: float, settings: Settings, noise_ratio: float, spent: Spent
) -> int:
    """How many more trials make the ratio's interval narrowest; 0 when another one would widen it or does not fit.

    The half width for k trials of n rounds is in proportion to t(k−1) · √((1 + noise_ratio/n) / k), with Student's
    quantile: fewer trials spend less time on starting, but know their own spread less well. Two trials are the fewest
    that give an interval, so they are wanted whether they fit or not.
    """
    done = len(spent.rounds)
    best, narrowest = 0, _half_width(spent.rounds, noise_ratio, settings.confidence)
    for more in range(1, settings.max_trials - done + 1):
        rounds = _fitting_rounds(more, startup_s, round_s, settings, spent)
        if rounds < MIN_ROUNDS:
            break
        width = _half_width([*spent.rounds, *[rounds] * more], noise_ratio, settings.confidence)
        if width < narrowest:
            best, narrowest = more, width
    return max(best, min(2, settings.max_trials) - done)


def _fitting_rounds(more: int, startup_s: float, round_s: float, settings: Settings, spent: Spent) -> int:
    """Rounds of each of `more` trials that the rest of the budget has room for; below 0 where not even starts fit."""
    if round_s <= 0:
        return settings.rounds_per_trial
    left_s = (settings.budget_s - spent.seconds) * (1.0 - RESERVE)
    return min(settings.rounds_per_trial, math.floor((left_s / more - startup_s) / round_s))


def _half_width(rounds: Sequence[int], noise_ratio: float, confidence: float) -> float:
    """Half width of the interval from trials of so many rounds, in standard deviations of a trial without noise."""
    trials = len(rounds)
    if trials < 2:
        return math.inf
    quantile = float(-stdtrit(trials - 1, (1.0 - confidence) / 2.0))
    return quantile * math.sqrt(sum(1.0 + noise_ratio / count for count in rounds)) / trials


def noise_ratio(trials: Sequence[Sequence[float]]) -> float:
    """Variance of rounds within a trial over variance between trials, from the log ratios of one pair; at most 100.

    Few trials say little about how much trials differ: the spread that they show beyond their rounds' noise is
    weighed against `USUAL_SPREAD`, which counts as much as `USUAL_WEIGHT` trials. Without a trial of two rounds, the
    usual ratio.
    """
    several = [values for values in trials if len(values) > 1]
    if not several:
        return USUAL_NOISE_RATIO
    within = statistics.fmean(statistics.variance(values) for values in several)
    between, freedom = USUAL_SPREAD**2, len(several) - 1
    if freedom:
        rounds = statistics.harmonic_mean([len(values) for values in several])
        seen = max(0.0, statistics.variance(statistics.fmean(values) for values in several) - within / rounds)
        between = (USUAL_WEIGHT * between + freedom * seen) / (USUAL_WEIGHT + freedom)
    return min(100.0, within / between)


def extended(settings: Settings, half_widths: Sequence[float | None]) -> Settings:
    """The settings with a longer budget when, at the end of this one, a ratio is too vague to be of use.

    `half_widths`: as in `should_stop`, after the last trial. On a busy machine the usual time can leave a ratio at
    ±10 %.
    """
    vague = any(width is None or width > VAGUE for width in half_widths)
    if not vague or settings.extension_s <= 0:
        return settings
    budget_s = settings.budget_s + settings.extension_s
    return settings.model_copy(update={"budget_s": budget_s, "extension_s": 0.0})


@dataclass(frozen=True)
class Stop:
    """Whether to stop and why; `reason` is shown to the user."""

    stop: bool
    reason: str = ""


def should_stop(*, trials: int, more: int, half_widths: Sequence[float | None], settings: Settings) -> Stop:
    """Decide after a trial whether another one is wanted and fits.

    `more`: trials that are worth their time (`more_trials`). `half_widths`: half the width of every pair's deciding
    interval of the log ratio *before the last trial*, None where there is none. Stopping on the very trial that made an
    interval narrow would prefer trials that happened to agree: simulated, that costs two points of coverage. With a
    single contender there is no pair: the budget decides.
    """
    if trials >= settings.max_trials:
        return Stop(True, f"all {settings.max_trials} trials done")
    enough = trials >= settings.min_trials
    if enough and half_widths and all(w is not None and w <= settings.target_ci for w in half_widths):
        return Stop(True, f"every interval is within ±{settings.target_ci:.1%}")
    if more == 0:
        return Stop(True, f"the budget of {settings.budget_s:.0f} s is spent after {trials} trials")
    return Stop(False)

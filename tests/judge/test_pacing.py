"""How time is spent and when to stop: tables, and a simulation of whole measurements."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from harness.judge.intervals import middle_mean, trial_interval
from harness.judge.pacing import (
    DISCARD,
    FEW_TRIALS,
    MIN_ROUNDS,
    USUAL_NOISE_RATIO,
    Spent,
    extended,
    more_trials,
    noise_ratio,
    pass_scale,
    passes_wanted,
    plan_pace,
    samples_per_block,
    should_stop,
    worth_a_ceiling,
)
from harness.records import Settings

CALLS_S = {"a": 0.03, "b": 0.03}


@pytest.mark.parametrize(
    ("sample_s", "block_s", "samples"), [(0.03, 0.25, 8), (1e-6, 0.25, 2000), (5.0, 0.25, 3), (0.25, 0.25, 3)]
)
def test_samples_per_block(sample_s: float, block_s: float, samples: int) -> None:
    assert samples_per_block(sample_s, block_s) == samples


def measure(
    call_s: float, startup_s: float, settings: Settings, ratio: float = 4.0
) -> tuple[list[int], float]:
    """Rounds of every trial and seconds in all of a comparison of two engines whose trials go as planned."""
    seconds, rounds = {"a": call_s, "b": 2 * call_s}, list[int]()
    spent_s = 0.0
    while True:
        pace = plan_pace(seconds, startup_s, settings, ratio, Spent(rounds, spent_s))
        assert MIN_ROUNDS <= pace.rounds <= settings.rounds_per_trial
        round_s = sum((DISCARD + pace.samples[name]) * each for name, each in seconds.items())
        spent_s += startup_s + pace.rounds * round_s
        rounds.append(pace.rounds)
        if more_trials(startup_s, round_s, settings, ratio, Spent(rounds, spent_s)) == 0:
            return rounds, spent_s


@pytest.mark.parametrize("ratio", [0.1, 4.0, 100.0])
@pytest.mark.parametrize("call_s", [1e-5, 0.005, 0.03, 0.2])
@pytest.mark.parametrize("startup_s", [0.2, 2.0, 5.0])
def test_trials_fill_the_budget_and_do_not_overrun_it(call_s: float, startup_s: float, ratio: float) -> None:
    settings = Settings(budget_s=45)
    rounds, spent_s = measure(call_s, startup_s, settings, ratio)
    assert len(rounds) >= FEW_TRIALS
    assert spent_s <= 45
    assert spent_s > 36 or len(rounds) == settings.max_trials


@pytest.mark.parametrize(("budget_s", "most"), [(1.0, 12), (1.0, 2), (1.0, 1), (8.0, 1)])
def test_two_trials_are_run_whatever_they_cost(budget_s: float, most: int) -> None:
    rounds, _ = measure(0.03, 5.0, Settings(budget_s=budget_s, max_trials=most))
    assert len(rounds) == min(2, most)


def test_the_planned_trials_are_the_best_of_a_brute_force_search() -> None:
    startup_s, round_s, ratio, settings = 5.0, 0.7, 9.0, Settings(budget_s=120, max_trials=40)

    def half_width(trials: int) -> float:
        rounds = int((120 * 0.97 / trials - startup_s) / round_s)
        if rounds < MIN_ROUNDS:
            return math.inf
        return float(student.ppf(0.975, trials - 1)) * math.sqrt((1 + ratio / min(rounds, 20)) / trials)

    best = min(range(2, 41), key=half_width)
    assert 4 < best < 20
    assert more_trials(startup_s, round_s, settings, ratio, Spent()) == best


def test_a_short_last_trial_that_would_widen_the_interval_is_not_run() -> None:
    settings = Settings(budget_s=50)
    room_for_two_rounds = Spent([20] * 8, 50 - (5.0 + 1.5) / 0.97)
    assert more_trials(5.0, 0.7, settings, 100.0, room_for_two_rounds) == 0
    assert more_trials(5.0, 0.7, settings, 0.1, room_for_two_rounds) == 1


def test_a_slow_start_shortens_blocks_before_it_costs_trials() -> None:
    quick, slow = (plan_pace({"a": 0.05, "b": 0.05}, start, Settings(budget_s=45)) for start in (1.0, 10.5))
    assert quick.samples == {"a": 5, "b": 5}
    assert slow.samples["a"] < 5


def test_slow_models_get_short_blocks_before_they_lose_rounds() -> None:
    pace = plan_pace({"a": 4.0, "b": 4.0}, 2.0, Settings(budget_s=45))
    assert pace.samples == {"a": 1, "b": 1}
    assert pace.rounds == MIN_ROUNDS


@pytest.mark.parametrize(
    ("widths", "extension_s", "budget_s"),
    [
        ([0.04, 0.01], 50.0, 45.0),
        ([0.04, 0.06], 50.0, 95.0),
        ([0.04, None], 50.0, 95.0),  # a pair without an interval is as vague as can be
        ([0.06], 0.0, 45.0),  # somebody said how long
        ([], 50.0, 45.0),  # a single contender has no ratio
    ],
)
def test_a_vague_ratio_extends_the_budget_once(
    widths: list[float | None], extension_s: float, budget_s: float
) -> None:
    settings = Settings(budget_s=45, extension_s=extension_s)
    longer = extended(settings, widths)
    assert longer.budget_s == budget_s
    assert extended(longer, widths).budget_s == budget_s
    assert settings.budget_s == 45


@pytest.mark.parametrize(
    ("trials", "more", "widths", "stop", "reason"),
    [
        (1, 1, [None], False, ""),
        (2, 0, [0.001], True, "budget"),
        (2, 3, [0.001], False, ""),  # narrow, but too few trials to believe it
        (3, 3, [0.001], False, ""),
        (4, 3, [0.001], True, "within"),
        (4, 3, [0.001, None], False, ""),  # a pair without an interval is not settled
        (4, 3, [0.001, 0.05], False, ""),
        (12, 3, [0.5], True, "12 trials"),
        (5, 3, [], False, ""),  # a single contender: only the budget decides
    ],
)
def test_should_stop(trials: int, more: int, widths: list[float | None], stop: bool, reason: str) -> None:
    decision = should_stop(trials=trials, more=more, half_widths=widths, settings=Settings(budget_s=45))
    assert decision.stop is stop
    assert reason in decision.reason


@pytest.mark.parametrize(("within", "between"), [(0.01, 0.008), (0.01, 0.0), (0.1, 0.01)])
def test_planning_and_stopping_by_what_is_seen_does_not_break_coverage(within: float, between: float) -> None:
    """Both look at the data; the interval must survive it."""
    random = np.random.default_rng(11)
    settings = Settings(budget_s=60)
    hits, repeats = 0, 1000
    for _ in range(repeats):
        trials: list[list[float]] = []
        before: list[float | None] = [None]
        spent_s = 0.0
        while True:
            rounds = [len(trial) for trial in trials]
            pace = plan_pace(CALLS_S, 4.0, settings, noise_ratio(trials), Spent(rounds, spent_s))
            round_s = sum((DISCARD + pace.samples[name]) * each for name, each in CALLS_S.items())
            trials.append(list(random.normal(0, between) + random.normal(0, within, pace.rounds)))
            spent_s += 4.0 + pace.rounds * round_s
            spent = Spent([*rounds, pace.rounds], spent_s)
            more = more_trials(4.0, round_s, settings, noise_ratio(trials), spent)
            if should_stop(trials=len(trials), more=more, half_widths=before, settings=settings).stop:
                break
            interval = trial_interval([middle_mean(trial) for trial in trials], 0.95)
            before = [None if interval is None else (interval.high - interval.low) / 2]
        interval = trial_interval([middle_mean(trial) for trial in trials], 0.95)
        assert interval is not None
        hits += interval.low <= 0 <= interval.high
    assert 0.93 <= hits / repeats <= 0.975


def test_noise_ratio_finds_the_truth() -> None:
    random = np.random.default_rng(5)
    trials = [list(random.normal(0, 0.01) + random.normal(0, 0.03, 8)) for _ in range(3000)]
    assert noise_ratio(trials) == pytest.approx(9.0, rel=0.15)
    assert noise_ratio([list(random.normal(0, 0.1, 500)) for _ in range(20)]) == 100.0


def test_without_rounds_to_judge_from_the_noise_ratio_is_the_usual_one() -> None:
    assert noise_ratio([]) == noise_ratio([[0.1]]) == USUAL_NOISE_RATIO


def test_few_trials_hardly_move_the_noise_ratio() -> None:
    random = np.random.default_rng(6)

    def noise_ratios(within: float, between: float, trials: int) -> list[float]:
        return [
            noise_ratio(
                [list(random.normal(0, between) + random.normal(0, within, 8)) for _ in range(trials)]
            )
            for _ in range(500)
        ]

    # A quiet machine: what one trial says, what four say, and the truth are near each other.
    assert np.median(noise_ratios(0.02, 0.01, 1)) == pytest.approx(4.0, rel=0.2)
    assert np.median(noise_ratios(0.02, 0.01, 4)) == pytest.approx(4.0, rel=0.25)
    # A busy one: rounds are what is noisy, whatever three trials of them look like.
    assert np.quantile(noise_ratios(0.12, 0.01, 3), 0.05) > 8.0
    # Processes that really differ are found out.
    assert np.median(noise_ratios(0.01, 0.05, 4)) < 0.5


def test_noisy_rounds_get_more_rounds_and_differing_processes_more_trials() -> None:
    calm, wild = (
        plan_pace({"a": 0.05, "b": 0.05}, 3.0, Settings(budget_s=60), ratio) for ratio in (0.1, 50.0)
    )
    assert calm.rounds < wild.rounds


@pytest.mark.parametrize(
    ("trial", "sample_s", "budget_s", "wanted"),
    [
        (0, 0.001, 50.0, True),
        (3, 0.030, 50.0, True),
        (4, 0.001, 50.0, False),  # four trials say enough
        (1, 0.200, 50.0, False),  # ten calls of 200 ms are too much of the budget
        (0, 10.0, 50.0, True),  # the first trial has them whatever they cost
        (1, 0.001, 10.0, False),
        (1, 0.200, 600.0, True),
    ],
)
def test_passes_are_made_while_they_are_cheap(
    trial: int, sample_s: float, budget_s: float, wanted: bool
) -> None:
    assert passes_wanted(trial, sample_s, Settings(budget_s=budget_s)) is wanted


def test_no_passes_when_none_are_asked_for() -> None:
    assert not passes_wanted(0, 0.001, Settings(stage_trials=0))


def test_passes_shrink_with_a_short_budget() -> None:
    assert pass_scale(Settings(budget_s=600.0)) == pass_scale(Settings(budget_s=50.0)) == 1.0
    assert pass_scale(Settings(budget_s=1.0)) == pytest.approx(0.0357, abs=1e-3)


def test_ceilings_are_measured_for_comparisons_that_are_long_enough() -> None:
    assert worth_a_ceiling(Settings())
    assert not worth_a_ceiling(Settings(budget_s=10.0))

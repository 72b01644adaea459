"""How time is spent and when to stop: tables, and a simulation of whole measurements."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.intervals import middle_mean, trial_interval
from harness.judge.pacing import (
    DISCARD,
    FEW_TRIALS,
    MIN_ROUNDS,
    USUAL_NOISE_RATIO,
    best_rounds,
    noise_ratio,
    plan_pace,
    planned_trials,
    samples_per_block,
    should_stop,
)
from harness.records import Settings


@pytest.mark.parametrize(
    ("sample_s", "block_s", "samples"), [(0.03, 0.25, 8), (1e-6, 0.25, 2000), (5.0, 0.25, 3), (0.25, 0.25, 3)]
)
def test_samples_per_block(sample_s: float, block_s: float, samples: int) -> None:
    assert samples_per_block(sample_s, block_s) == samples


@pytest.mark.parametrize(
    ("trial_s", "budget_s", "trials"),
    [(5.0, 45.0, 9), (0.1, 45.0, 12), (14.0, 45.0, 3), (40.0, 45.0, 2), (0.0, 45.0, 12)],
)
def test_planned_trials(trial_s: float, budget_s: float, trials: int) -> None:
    assert planned_trials(trial_s, Settings(budget_s=budget_s)) == trials


@pytest.mark.parametrize("call_s", [1e-5, 0.005, 0.03, 0.2])
@pytest.mark.parametrize("startup_s", [0.2, 2.0, 5.0])
def test_planned_trials_fit_into_the_budget(call_s: float, startup_s: float) -> None:
    settings = Settings(budget_s=45)
    pace = plan_pace({"a": call_s, "b": 2 * call_s}, startup_s, settings)
    round_s = sum((DISCARD + pace.samples[n]) * s for n, s in (("a", call_s), ("b", 2 * call_s)))
    trials = planned_trials(startup_s + pace.rounds * round_s, settings)
    assert trials >= FEW_TRIALS or max(pace.samples.values()) == 1
    assert trials * (startup_s + pace.rounds * round_s) <= 45 * 1.01
    assert MIN_ROUNDS <= pace.rounds <= settings.rounds_per_trial


def test_a_slow_start_shortens_blocks_before_it_costs_trials() -> None:
    quick, slow = (plan_pace({"a": 0.05, "b": 0.05}, start, Settings(budget_s=45)) for start in (1.0, 10.5))
    assert quick.samples == {"a": 5, "b": 5}
    assert slow.samples["a"] < 5


def test_slow_models_get_short_blocks_before_they_lose_rounds() -> None:
    pace = plan_pace({"a": 4.0, "b": 4.0}, 2.0, Settings(budget_s=45))
    assert pace.samples == {"a": 1, "b": 1}
    assert pace.rounds == MIN_ROUNDS


@pytest.mark.parametrize(
    ("trials", "spent", "longest", "widths", "stop", "reason"),
    [
        (1, 100.0, 50.0, [None], False, ""),  # one trial gives no interval: a second one is run in any case
        (2, 40.0, 20.0, [0.001], True, "budget"),
        (2, 10.0, 5.0, [0.001], False, ""),  # narrow, but too few trials to believe it
        (3, 10.0, 5.0, [0.001], False, ""),
        (4, 10.0, 5.0, [0.001], True, "within"),
        (4, 10.0, 5.0, [0.001, None], False, ""),  # a pair without an interval is not settled
        (4, 10.0, 5.0, [0.001, 0.05], False, ""),
        (12, 10.0, 1.0, [0.5], True, "12 trials"),
        (5, 10.0, 5.0, [], False, ""),  # a single contender: only the budget decides
    ],
)
def test_should_stop(
    trials: int, spent: float, longest: float, widths: list[float | None], stop: bool, reason: str
) -> None:
    decision = should_stop(
        trials=trials,
        spent_s=spent,
        trial_s=longest,
        half_widths=widths,
        settings=Settings(budget_s=45),
    )
    assert decision.stop is stop
    assert reason in decision.reason


def test_stopping_early_does_not_break_coverage() -> None:
    """Stopping once the interval is narrow looks at the data; the interval must survive it."""
    random = np.random.default_rng(11)
    settings = Settings(budget_s=90, max_trials=12)
    hits, repeats = 0, 2000
    for _ in range(repeats):
        values: list[float] = []
        before: list[float | None] = [None]
        while True:
            values.append(middle_mean(random.normal(0, 0.008) + random.normal(0, 0.01, 6)))
            spent = 8.0 * len(values)
            if should_stop(
                trials=len(values), spent_s=spent, trial_s=8, half_widths=before, settings=settings
            ).stop:
                break
            interval = trial_interval(values, 0.95)
            before = [None if interval is None else (interval.high - interval.low) / 2]
        interval = trial_interval(values, 0.95)
        assert interval is not None
        hits += interval.low <= 0 <= interval.high
    assert hits / repeats >= 0.93


@pytest.mark.parametrize(
    ("startup_s", "round_s", "ratio", "rounds"),
    [(4.0, 1.0, 4.0, 4.0), (4.0, 1.0, 100.0, 20.0), (4.0, 1.0, 0.01, 2.0)],
)
def test_best_rounds(startup_s: float, round_s: float, ratio: float, rounds: float) -> None:
    assert best_rounds(startup_s, round_s, ratio) == pytest.approx(rounds)


def test_best_rounds_is_the_cheapest_in_a_brute_force_search() -> None:
    startup_s, round_s, within, between, budget_s = 5.0, 0.7, 9.0, 1.0, 10_000.0

    def variance(rounds: int) -> float:
        return (between + within / rounds) / (budget_s / (startup_s + rounds * round_s))

    assert round(best_rounds(startup_s, round_s, within / between)) == min(range(1, 60), key=variance)


def test_noise_ratio_finds_the_truth() -> None:
    random = np.random.default_rng(5)
    trials = [list(random.normal(0, 1) + random.normal(0, 3, 8)) for _ in range(3000)]
    assert noise_ratio(trials) == pytest.approx(9.0, rel=0.15)
    assert noise_ratio(trials[:2]) == USUAL_NOISE_RATIO
    assert noise_ratio([[0.0, 0.0]] * 5) == 100.0
    assert noise_ratio([list(random.normal(0, 1, 500)) for _ in range(20)]) == 100.0


def test_noisy_rounds_get_more_rounds_and_differing_processes_more_trials() -> None:
    calm, wild = (
        plan_pace({"a": 0.05, "b": 0.05}, 3.0, Settings(budget_s=120), ratio) for ratio in (0.1, 50.0)
    )
    assert calm.rounds < wild.rounds

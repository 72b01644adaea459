"""Does latency depend on the input? By simulation with known truth. And did the clock run forwards?"""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.doubts.gather import doubts_of_result
from harness.judge.doubts.inputs import input_levels, levels_gap
from harness.records import Result
from tests.judge.test_doubt import by_code, change_rounds, make_measured, make_round, make_trial, only_doubt

SETS = ("normal:0", "normal:1", "uniform:0")


def simulated(
    seed: int,
    slower: float = 0.0,
    *,
    block: float = 0.01,
    drift: float = 0.05,
    trials: int = 4,
    rounds: int = 6,
) -> Result:
    """The set "uniform:0" is slower by the share; blocks vary, trials wander."""
    random = np.random.default_rng(seed)
    made = []
    for index in range(trials):
        level = 1e7 * (1.0 + drift * random.standard_normal())
        items = []
        for number in range(rounds):
            name = SETS[number % 3]
            true = level * (1.0 + (slower if name == "uniform:0" else 0.0))
            times = true * (1.0 + block * random.standard_normal()) * random.normal(1.0, 0.02, 15)
            items.append(make_round(number, times, input_set=name))
        made.append(make_trial(index, items))
    return make_measured(trials=1).model_copy(update={"trials": tuple(made)})


def doubted(result: Result) -> bool:
    return "input_dependent" in by_code(doubts_of_result(result))


def test_equal_inputs_are_rarely_doubted() -> None:
    assert sum(doubted(simulated(seed, block=0.03)) for seed in range(300)) <= 2


@pytest.mark.parametrize(("slower", "least"), [(0.05, 95), (1.0, 100)])
def test_a_slower_input_is_found(slower: float, least: int) -> None:
    assert sum(doubted(simulated(1000 + seed, slower)) for seed in range(100)) >= least


def test_a_difference_below_the_margin_is_none() -> None:
    assert not any(doubted(simulated(seed, 0.01, block=0.001)) for seed in range(30))


def test_the_gap_is_the_true_one() -> None:
    gaps = []
    for seed in range(30):
        levels = input_levels(simulated(seed, 0.3))
        assert levels is not None
        assert set(levels) == set(SETS)
        gaps.append(levels_gap(levels)[0])
    # The slowest against the fastest of two equal ones: a little above the truth.
    assert np.mean(gaps) == pytest.approx(0.31, abs=0.01)


def test_one_disturbed_block_makes_no_difference() -> None:
    result = simulated(5)
    first = result.trials[0]
    worse = first.rounds[2].model_copy(
        update={"samples_ns": tuple(10 * ns for ns in first.rounds[2].samples_ns)}
    )
    rounds = (*first.rounds[:2], worse, *first.rounds[3:])
    trials = (first.model_copy(update={"rounds": rounds}), *result.trials[1:])
    assert not doubted(result.model_copy(update={"trials": trials}))


def test_the_doubt_names_the_sets_and_the_figure() -> None:
    warning = by_code(doubts_of_result(simulated(3, 0.5)))["input_dependent"]
    assert warning.figure == pytest.approx(0.51, abs=0.03)
    assert "uniform:0 takes 5" in warning.message
    assert "subnormal" in warning.advice


@pytest.mark.parametrize(("trials", "rounds"), [(1, 6), (4, 1)])
def test_too_few_blocks_or_one_set_say_nothing(trials: int, rounds: int) -> None:
    assert input_levels(simulated(1, 1.0, trials=trials, rounds=rounds)) is None


def test_samples_that_no_engine_can_have_taken() -> None:
    def broken(number: int) -> tuple[int, ...]:
        good = (10_000_000, 10_100_000, 9_900_000) * 10
        return (0, -5, *good) if number == 0 else (10**15, *good) if number == 1 else good

    result = change_rounds(make_measured(), samples_ns=broken, cpu_s=None)
    warning = only_doubt(result, "clock_jumped")
    assert "2 samples are zero or negative" in warning.message
    assert "1 are longer than the deadline" in warning.message
    assert warning.figure == pytest.approx(3 / (24 * 30 + 3))

"""What raw samples of two identical processes say: figures by table, and by simulation with known truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.environment.pressure import PressureDelta
from harness.judge.doubts.noise import doubts
from harness.judge.intervals import Interval
from harness.judge.noise import drift, judge_noise, log_ratios, spreads
from harness.records.noise import ClockFacts, NoiseBlock, NoiseSamples, NoiseTrial
from tests.judge.test_doubt import assert_complete, by_code

CLOCK = ClockFacts(
    clock="clock_gettime(CLOCK_MONOTONIC)",
    read_ns=50.0,
    resolution_ns=10,
    watched_ns=2_000_000_000,
    gap_from_ns=2000,
    gaps=500,
    gap_total_ns=4_000_000,
    longest_ns=(90_000, 60_000),
    backwards=0,
)


def simulated(
    seed: int = 0,
    *,
    trials: int = 9,
    ratio: float = 1.0,
    process: float = 0.003,
    block: float = 0.004,
    slope: float = 0.0,
) -> NoiseSamples:
    """Two processes a trial; `slope`: change of speed from the first to the last block."""
    random = np.random.default_rng(seed)
    made = []
    for trial in range(trials):
        levels = np.exp(process * random.standard_normal(2)) * (ratio, 1.0)
        blocks = []
        for number in range(6):
            for position, side in enumerate(random.permutation(2).tolist()):
                at = trial * 12 + number * 2 + position
                level = (
                    1e6
                    * levels[side]
                    * np.exp(block * random.standard_normal() + slope * at / (trials * 12 - 1))
                )
                times = level * random.normal(1.0, 0.02, 40)
                blocks.append(NoiseBlock(number, side, position, float(at), tuple(int(t) for t in times)))
        made.append(NoiseTrial(0.5, tuple(blocks)))
    return NoiseSamples(20.0, 2, CLOCK, tuple(made), PressureDelta(wall_s=20.0))


def test_equal_processes_are_found_equal_and_the_resolution_is_plain() -> None:
    figures = judge_noise(simulated())
    assert figures.interval is not None
    assert figures.interval.low < 1.0 < figures.interval.high
    assert figures.verdict == "same"
    assert figures.within == pytest.approx(
        0.0056, rel=0.2
    )  # block 0.4 %, and the median of 40 samples of 2 %
    assert figures.usual.low < figures.usual.share < figures.usual.high < 0.03
    assert figures.long.share < figures.usual.share
    assert figures.usual.called == pytest.approx(1.02 * (1 + figures.usual.share) - 1)
    assert figures.usual.plan.budget_s == 50.0
    assert figures.long.plan.budget_s == 300.0
    assert (figures.gaps_per_s, figures.lost_share, figures.longest_gap_ns) == (250.0, 0.002, 90_000)
    assert doubts(figures, CLOCK) == ()


def test_an_interval_at_95_percent_misses_identical_processes_one_time_in_twenty() -> None:
    missed = 0
    for seed in range(200):
        interval = judge_noise(simulated(seed, trials=6)).interval
        assert interval is not None
        missed += not interval.low <= 1.0 <= interval.high
    assert 2 <= missed <= 20


def test_a_difference_that_is_not_there_would_be_told() -> None:
    figures = judge_noise(simulated(ratio=1.05))
    assert figures.verdict == "slower"
    assert "false_difference" in by_code(doubts(figures, CLOCK))


@pytest.mark.parametrize("slope", [0.2, -0.2, 0.0])
def test_drift_is_that_of_the_machine(slope: float) -> None:
    assert drift(simulated(slope=slope).trials) == pytest.approx(np.expm1(slope), abs=0.01)


def test_spreads_are_those_of_processes_and_blocks() -> None:
    within, between = zip(
        *(spreads(simulated(s, process=0.02, block=0.01).trials) for s in range(40)), strict=True
    )
    assert np.mean(within) == pytest.approx(0.0108, rel=0.1)
    assert np.mean(between) == pytest.approx(0.02, rel=0.15)


def test_rounds_without_both_sides_and_broken_samples_are_left_out() -> None:
    def block(number: int, side: int, *samples: int) -> NoiseBlock:
        return NoiseBlock(number, side, 0, 0.0, samples)

    trial = NoiseTrial(
        0.1,
        (
            block(0, 0, 20, 20, 20),
            block(0, 1, 10, 10),
            block(1, 0, 5),
            block(2, 0),
            block(2, 1, 5),
            block(3, 0, 0),
            block(3, 1, 9),
        ),
    )
    assert log_ratios(trial) == [pytest.approx(np.log(2.0))]


def test_one_trial_is_too_little() -> None:
    with pytest.raises(ValueError, match="two trials"):
        judge_noise(simulated(trials=1))


@pytest.mark.parametrize(
    ("clock", "figures", "code", "figure"),
    [
        ({"read_ns": 900.0}, {}, "slow_clock_reads", 900.0),
        ({"resolution_ns": 1100}, {}, "coarse_clock", 1100.0),
        ({"backwards": 2}, {}, "clock_runs_backwards", 2.0),
        ({}, {"lost_share": 0.02}, "hiccups", 0.02),
        ({}, {"longest_gap_ns": 11_000_000}, "hiccups", 0.002),
        ({}, {"drift": -0.06}, "machine_drifts", -0.06),
        ({}, {"wander": 0.11}, "machine_wanders", 0.11),
        ({}, {"verdict": "faster", "ratio": 0.9, "interval": Interval(0.88, 0.92)}, "false_difference", 0.9),
    ],
)
def test_doubts(clock: dict[str, Any], figures: dict[str, Any], code: str, figure: float) -> None:
    found = by_code(doubts(replace(judge_noise(simulated()), **figures), replace(CLOCK, **clock)))
    assert set(found) == {code}
    assert found[code].figure == pytest.approx(figure)
    assert_complete(found[code])


def test_processes_that_differ_more_than_their_blocks() -> None:
    found = by_code(doubts(judge_noise(simulated(process=0.04, block=0.001)), CLOCK))
    assert "processes_differ" in found
    assert found["processes_differ"].figure == pytest.approx(0.055, abs=0.02)

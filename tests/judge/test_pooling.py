"""One ratio from trials of unequal noise: against closed forms, and by simulation with known truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.judge.intervals import Interval, middle_mean, trial_interval
from harness.judge.pooling import ERROR_WEIGHT, pool

Trials = list[list[float]]
RANDOM = np.random.default_rng(3)


def trial(level: float, noise: float, rounds: int = 6) -> list[float]:
    return list(RANDOM.normal(level, noise, rounds))


def ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


def level(between: float) -> float:
    return float(RANDOM.normal(0, between))


def test_trials_of_equal_noise_give_students_interval() -> None:
    shape = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    trials = [list(centre + 0.01 * shape) for centre in (0.1, 0.2, 0.4)]
    interval = trial_interval([0.1, 0.2, 0.4], 0.95)
    pooled = pool(trials)
    assert pooled.value == pytest.approx(0.7 / 3)
    assert ends(pooled.interval(0.95)) == pytest.approx(ends(interval))


def test_pooling_is_a_random_effects_meta_analysis() -> None:
    """Against the formulas of DerSimonian and Laird, and Hartung and Knapp, from the trials' errors one by one."""
    shape = np.array(
        [-3.0, -1.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0, 3.0]
    )  # winsorised variance 1: error 2/√9 of its scale
    scales, levels = [0.01, 0.02, 0.3], [0.05, -0.02, 0.3]
    trials = [list(centre + scale * shape) for centre, scale in zip(levels, scales, strict=True)]
    own = [scale**2 / 0.25 for scale in scales]
    errors = [(ERROR_WEIGHT * own[1] + 8 * each) / (ERROR_WEIGHT + 8) / 9 for each in own]
    weights = [1 / each for each in errors]
    mean = sum(w * y for w, y in zip(weights, levels, strict=True)) / sum(weights)
    q = sum(w * (y - mean) ** 2 for w, y in zip(weights, levels, strict=True))
    between = max(0.0, (q - 2) / (sum(weights) - sum(w * w for w in weights) / sum(weights)))
    assert between > 0
    weights = [1 / (between + each) for each in errors]
    value = sum(w * y for w, y in zip(weights, levels, strict=True)) / sum(weights)
    error = (
        sum(w * (y - value) ** 2 for w, y in zip(weights, levels, strict=True)) / (2 * sum(weights))
    ) ** 0.5
    pooled = pool(trials)
    assert pooled.value == pytest.approx(value)
    assert pooled.error == pytest.approx(error)


def test_a_disturbed_trial_weighs_less() -> None:
    calm = [trial(0.03, 0.01) for _ in range(5)]
    wild = list(-0.25 + 0.3 * np.array([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0]))
    plain = trial_interval([middle_mean(rounds) for rounds in [*calm, wild]], 0.95)
    pooled = pool([*calm, wild])
    interval = pooled.interval(0.95)
    assert plain is not None and interval is not None
    assert abs(pooled.value - 0.03) < 0.02
    assert interval.high - interval.low < (plain.high - plain.low) / 2


def test_a_trial_that_differs_without_noise_counts_in_full() -> None:
    """Processes that really differ are no disturbance: their spread stays in the interval."""
    trials = [trial(0.0, 0.002) for _ in range(5)] + [trial(0.3, 0.002)]
    pooled = pool(trials)
    assert pooled.value == pytest.approx(0.05, abs=0.01)


def test_one_trial_has_no_interval() -> None:
    pooled = pool([[0.1, 0.2, 0.3]])
    assert pooled.value == pytest.approx(0.2)
    assert pooled.interval(0.95) is None


@pytest.mark.parametrize("trials", [[], [[]], [[0.1], []]])
def test_nothing_is_refused(trials: Trials) -> None:
    with pytest.raises(ValueError, match="at least one"):
        pool(trials)


@pytest.mark.parametrize("trials", [[[0.1], [0.3]], [[0.1, 0.1], [0.3, 0.3]], [[0.1, 0.1], [0.3]]])
def test_rounds_without_spread_are_weighed_alike(trials: Trials) -> None:
    pooled = pool(trials)
    assert pooled.value == pytest.approx(0.2)
    assert ends(pooled.interval(0.95)) == pytest.approx(ends(trial_interval([0.1, 0.3], 0.95)))


MACHINES: dict[str, Callable[[int], Trials]] = {
    "steady": lambda k: [trial(level(0.02), 0.02) for _ in range(k)],
    "only rounds differ": lambda k: [trial(level(0.0), 0.05) for _ in range(k)],
    "some trials disturbed": lambda k: [
        trial(level(0.01), RANDOM.choice([0.02, 0.02, 0.1, 0.3])) for _ in range(k)
    ],
    "one trial disturbed": lambda k: [trial(level(0.02), 0.3 if i == 0 else 0.02) for i in range(k)],
    "uneven trials": lambda k: [trial(level(0.005), 0.1, RANDOM.integers(2, 14)) for _ in range(k)],
    "heavy tails": lambda k: [list(level(0.01) + 0.03 * RANDOM.standard_t(2, 6)) for _ in range(k)],
}


@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("machine", MACHINES)
def test_coverage(machine: str, count: int) -> None:
    hits, repeats = 0, 1500
    for _ in range(repeats):
        interval = pool(MACHINES[machine](count)).interval(0.95)
        assert interval is not None
        hits += interval.low <= 0 <= interval.high
    assert 0.93 <= hits / repeats <= 0.99

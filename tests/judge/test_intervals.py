"""Intervals: closed forms, published constants, and coverage of a known truth by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.judge.intervals import (
    expanded_level,
    fewest_samples,
    mean_interval,
    middle_mean,
    quantile_interval,
    round_interval,
    trial_interval,
)


def test_trial_interval_equals_scipys_t_interval() -> None:
    values = [0.1, 0.13, 0.09, 0.12, 0.16]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    interval = trial_interval(values, 0.95)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("values", [[], [0.3]])
def test_fewer_than_two_trials_give_no_interval(values: list[float]) -> None:
    assert trial_interval(values, 0.95) is None
    trials = [np.array([v, v]) for v in values]
    assert mean_interval(trials, 0.95) is None
    assert quantile_interval(trials, 0.5, 0.95) is None


def test_middle_mean_ignores_the_outer_quarters() -> None:
    assert middle_mean([1.0, 2.0, 3.0, 1e9]) == 2.5
    assert middle_mean([-1e9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1e9]) == 1.0
    assert middle_mean([4.0]) == 4.0
    assert middle_mean([1.0, 3.0]) == 2.0
    assert middle_mean([0.0, 6.0, 60.0]) == pytest.approx((6.0 + 0.25 * 60.0) / 1.5)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_middle_mean_is_the_quantile_functions_average_over_the_middle_half(values: list[float]) -> None:
    fine = np.sort(np.repeat(values, 4))  # every value counts in quarters, so the middle half has whole ones
    middle = fine[len(values) : 3 * len(values)]
    assert middle_mean(values) == pytest.approx(middle.mean(), abs=1e-9)


@pytest.mark.parametrize(
    ("percentile", "confidence", "samples"), [(0.5, 0.95, 6), (0.9, 0.95, 36), (0.99, 0.95, 368)]
)
def test_fewest_samples_is_the_smallest_n_with_an_order_statistic_interval(
    percentile: float, confidence: float, samples: int
) -> None:
    assert fewest_samples(percentile, confidence) == samples
    tail = (1 - confidence) / 2
    assert stats.binom.cdf(samples - 1, samples, percentile) >= 1 - tail
    assert stats.binom.cdf(samples - 2, samples - 1, percentile) < 1 - tail


def test_expanded_level_approaches_the_nominal_tail_with_many_trials() -> None:
    assert expanded_level(0.95, 100_000) == pytest.approx(0.025, rel=1e-3)
    assert expanded_level(0.95, 4) < 0.001


@pytest.mark.parametrize("trials", [3, 4, 6, 10])
@pytest.mark.parametrize("trial_noise", [0.0, 0.02])
def test_ratio_interval_covers_the_truth(trials: int, trial_noise: float) -> None:
    random = np.random.default_rng(trials)
    truth, repeats = 0.03, 1500
    hits = 0
    for _ in range(repeats):
        shift = random.normal(0, trial_noise, trials)
        values = [middle_mean(truth + s + random.normal(0, 0.02, 6)) for s in shift]
        interval = trial_interval(values, 0.95)
        assert interval is not None
        hits += interval.low <= truth <= interval.high
    assert 0.93 <= hits / repeats <= 0.97


@pytest.mark.parametrize("percentile", [0.5, 0.9])
def test_percentile_interval_covers_the_truth(percentile: float) -> None:
    random = np.random.default_rng(7)
    between, within, repeats = 0.02, 0.05, 600
    truth = float(np.exp(stats.norm.ppf(percentile) * np.hypot(between, within)))
    hits = 0
    for seed in range(repeats):
        trials = [np.exp(random.normal(0, between) + random.normal(0, within, 60)) for _ in range(5)]
        interval = quantile_interval(trials, percentile, 0.95, seed=seed)
        assert interval is not None
        hits += interval.low <= truth <= interval.high
    assert 0.90 <= hits / repeats <= 0.98


def test_mean_interval_covers_the_truth() -> None:
    random = np.random.default_rng(8)
    truth = float(np.exp((0.02**2 + 0.05**2) / 2))
    hits = 0
    for seed in range(600):
        trials = [np.exp(random.normal(0, 0.02) + random.normal(0, 0.05, 60)) for _ in range(5)]
        interval = mean_interval(trials, 0.95, seed=seed)
        assert interval is not None
        hits += interval.low <= truth <= interval.high
    assert 0.92 <= hits / 600 <= 0.98


def test_quantiles_on_the_grid_are_the_bootstraps_own() -> None:
    """The counted resamples against drawing whole trials and sorting them, by brute force."""
    random = np.random.default_rng(9)
    trials = [np.exp(random.normal(0, 0.03) + random.normal(0, 0.05, 3000)) for _ in range(5)]
    interval = quantile_interval(trials, 0.9, 0.95)
    assert interval is not None
    draws = [
        np.log(np.quantile(np.concatenate([trials[i] for i in random.integers(0, 5, 5)]), 0.9))
        for _ in range(2000)
    ]
    half = np.std(draws) * np.sqrt(5 / 4) * stats.t.ppf(0.975, 4)
    assert np.log(interval.high / interval.low) / 2 == pytest.approx(half, rel=0.08)


def test_two_stage_resampling_would_be_too_wide() -> None:
    """The reason why rounds are not resampled inside trials (docs/decisions/0003): their noise counts twice."""
    random = np.random.default_rng(3)
    trials, rounds = 6, 6
    one, two = [], []
    for _ in range(300):
        data = random.normal(0, 0.02, (trials, rounds))
        chosen = random.integers(0, trials, (400, trials))
        one.append(data.mean(axis=1)[chosen].mean(axis=1).std())
        inner = random.integers(0, rounds, (400, trials, rounds))
        two.append(np.take_along_axis(data[chosen], inner, axis=2).mean(axis=(1, 2)).std())
    truth = 0.02 / np.sqrt(trials * rounds)
    assert np.mean(one) / truth == pytest.approx(np.sqrt((trials - 1) / trials), rel=0.08)
    assert np.mean(two) / truth > 1.2


def test_round_interval_needs_four_rounds_and_holds_its_centre() -> None:
    assert round_interval([1.0, 2.0, 3.0], 0.95) is None
    interval = round_interval([1.0, 1.1, 0.9, 1.05, 0.95, 1.0], 0.95)
    assert interval is not None
    assert interval.low < 1.0 < interval.high

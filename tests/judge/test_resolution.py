"""The resolution of a machine: variance components and power, against simulations whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.judge.intervals import of_values
from harness.judge.pooling import pool
from harness.judge.resolution import (
    Components,
    Plan,
    components,
    detectable_errors,
    half_width,
    plan_comparison,
    resolve,
)
from harness.judge.verdict import decide
from harness.records import Settings

TRUTHS = {
    "processes": Components(0.01, 0.005, 0.02, 0, 0, 0, 1.0),
    "blocks": Components(0.0, 0.03, 0.01, 0, 0, 0, 1.0),
    "samples": Components(0.002, 0.0, 0.10, 0, 0, 0, 1.0),
}
"""Machines by what dominates their noise."""


def simulate(
    random: np.random.Generator, truth: Components, trials: int, rounds: int, samples: int, ratio: float = 1.0
) -> tuple[list[list[float]], list[np.ndarray]]:
    """Log ratios by trial and round, and the blocks; half of the variance of a ratio is of either side."""
    share = 1.0 / math.sqrt(2.0)
    level = truth.trial * share * random.standard_normal((2, trials, 1, 1))
    block = truth.round * share * random.standard_normal((2, trials, rounds, 1))
    noise = truth.sample * random.standard_normal((2, trials, rounds, samples))
    logs = level + block + noise
    logs[0] += math.log(ratio)
    medians = np.median(logs, axis=-1)
    blocks = [np.exp(values) for values in logs.reshape(-1, samples)]
    return (medians[0] - medians[1]).tolist(), blocks


@pytest.mark.parametrize("name", TRUTHS)
def test_components_are_those_that_were_put_in(name: str) -> None:
    truth = TRUTHS[name]
    random = np.random.default_rng(1)
    drawn = [simulate(random, truth, 10, 8, 25) for _ in range(200)]
    found = [components(*one) for one in drawn]
    sample = np.median([item.sample for item in found])
    assert sample == pytest.approx(truth.sample, rel=0.15)
    assert found[0].samples == 25
    assert np.mean([item.independent for item in found]) > 0.9
    # What matters is the error of the pooled ratio. A variance between trials is 0 at least, so that where there is
    # none the error comes out a little large.
    spread = np.median([item.error(10, 8, 25) for item in found])
    assert spread == pytest.approx(np.std([pool(ratios).value for ratios, _ in drawn]), rel=0.2)
    if truth.trial >= 0.01:
        assert math.sqrt(np.mean([i.trial**2 for i in found])) == pytest.approx(truth.trial, rel=0.15)
    if truth.round >= 0.03:
        assert math.sqrt(np.mean([i.round**2 for i in found])) == pytest.approx(truth.round * 1.1, rel=0.15)


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("trials", [4, 10])
def test_the_difference_that_is_promised_is_called_four_times_in_five(name: str, trials: int) -> None:
    """Through the pooling and the verdict that judge real comparisons."""
    truth, settings = TRUTHS[name], Settings()
    plan = Plan(50.0, trials, 8, 25)
    promised = resolve(Components(**{**vars(truth), "trials": 10}), plan, settings).called
    random = np.random.default_rng(2)
    called = 0
    for _ in range(600):
        ratios, _ = simulate(random, truth, trials, 8, 25, 1.0 + promised)
        interval = of_values(pool(ratios).interval(settings.confidence))
        called += decide(interval, settings.margin) == "slower"
    # Middle means of rounds are up to a tenth less sharp than means, and the weights of trials cost a little.
    assert 0.70 <= called / 600 <= 0.86


def test_the_promise_from_estimates_is_close_to_the_one_from_the_truth() -> None:
    truth = TRUTHS["processes"]
    plan, settings = Plan(50.0, 10, 8, 25), Settings()
    right = resolve(Components(**{**vars(truth), "trials": 10}), plan, settings).share
    random = np.random.default_rng(3)
    found = [resolve(components(*simulate(random, truth, 9, 6, 20)), plan, settings) for _ in range(300)]
    assert np.median([item.share for item in found]) == pytest.approx(right, rel=0.15)
    inside = np.mean([item.low <= right <= item.high for item in found])
    assert 0.70 <= inside <= 0.92  # it says 80 %


def test_a_load_that_comes_and_goes_is_judged_by_what_pooling_makes_of_it() -> None:
    """Half of the trials are disturbed tenfold; pooling weighs them less, and the promise knows it."""
    calm, loud = Components(0.0, 0.02, 0.02, 0, 0, 0, 1.0), Components(0.0, 0.2, 0.2, 0, 0, 0, 1.0)
    random = np.random.default_rng(5)
    estimated, pooled, mean_variance = [], [], []
    for _ in range(150):
        parts = [simulate(random, truth, 5, 8, 15) for truth in (calm, loud)]
        ratios = parts[0][0] + parts[1][0]
        estimated.append(components(ratios, parts[0][1] + parts[1][1]).error(10, 8, 15))
        pooled.append(pool(ratios).value)
        mean_variance.append(np.mean([np.var(rounds, ddof=1) for rounds in ratios]))
    truth = float(np.std(pooled))
    assert np.median(estimated) == pytest.approx(truth, rel=0.3)
    assert math.sqrt(np.mean(mean_variance) / 80) > 1.2 * truth


def test_half_width_is_what_intervals_have() -> None:
    truth = TRUTHS["blocks"]
    random = np.random.default_rng(4)
    halves = []
    for _ in range(300):
        interval = pool(simulate(random, truth, 6, 10, 9)[0]).interval(0.95)
        assert interval is not None
        halves.append((interval.high - interval.low) / 2)
    assert np.mean(halves) == pytest.approx(half_width(truth, 6, 10, 9, 0.95), rel=0.15)


def test_power_against_tables() -> None:
    # Two-sided 5 %, power 80 %: (1.960 + 0.8416) for infinitely many trials.
    assert detectable_errors(100_000, 0.95) == pytest.approx(2.8016, abs=1e-3)
    # One-sample t test, power 80 % at n = 10: Cohen's d = 0.9965 (d·√n is the noncentrality).
    assert detectable_errors(10, 0.95) / math.sqrt(10) == pytest.approx(0.9965, abs=0.002)


def test_more_time_resolves_more_and_more_noise_less() -> None:
    settings = Settings(target_ci=0.0001)
    long = settings.model_copy(update={"budget_s": 300.0, "max_trials": 40})

    def share(found: Components, chosen: Settings) -> float:
        found = Components(**{**vars(found), "trials": 8})
        return resolve(found, plan_comparison(found, chosen, startup_s=3.0, call_s=0.01), chosen).share

    for truth in TRUTHS.values():
        louder = Components(2 * truth.trial, 2 * truth.round, 2 * truth.sample, 8, 8, 20, 1.0)
        assert share(truth, long) < share(truth, settings) < share(louder, settings)


def test_the_plan_keeps_to_the_budget_and_stops_when_it_is_told_to() -> None:
    quiet = Components(0.001, 0.001, 0.01, 8, 8, 20, 1.0)
    settings = Settings()
    plan = plan_comparison(quiet, settings, startup_s=3.0, call_s=0.01)
    # ±1 % is reached with the fewest trials, and one more is made.
    assert plan.trials == settings.min_trials + 1
    loud = Components(0.05, 0.05, 0.1, 8, 8, 20, 1.0)
    plan = plan_comparison(loud, settings, startup_s=3.0, call_s=0.01)
    assert plan.trials * (3.0 + plan.rounds * 2 * (plan.samples + 1) * 0.01) <= settings.budget_s
    assert plan.trials > 5


def test_the_margin_comes_on_top() -> None:
    found = Components(0.01, 0.01, 0.01, 8, 8, 20, 1.0)
    for margin in (0.01, 0.05):
        result = resolve(found, Plan(50.0, 8, 8, 20), Settings(margin=margin))
        assert 1.0 + result.called == pytest.approx((1.0 + result.share) * (1.0 + margin))


def test_no_noise_at_all() -> None:
    still = components([[0.0] * 4] * 3, [np.full(10, 1e6)] * 24)
    assert (still.trial, still.round, still.sample) == (0.0, 0.0, 0.0)
    plan = plan_comparison(still, Settings(), startup_s=3.0, call_s=0.01)
    assert resolve(still, plan, Settings()).share == 0.0


@pytest.mark.parametrize("ratios", [[], [[0.1, 0.2]], [[0.1], [0.2], [0.3]]])
def test_too_little_is_an_error(ratios: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="two trials"):
        components(ratios, [np.ones(5)])

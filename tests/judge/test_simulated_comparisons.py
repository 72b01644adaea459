"""Verdicts and intervals where the truth is known: synthetic results through the functions that judge real ones.

`ci/benchmarks simulation` asks the same with more comparisons and more kinds of noise. Limits are about
three standard errors away from what that shows, and seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.judging import judge_group
from tests.benchmarks.simulated_comparisons import compare, compare_until_settled, judge_pairs, rates
from tests.benchmarks.simulated_results import NOISES, Noise, draw_samples, simulate_group

SAME = (10.0, 10.0)
FIVE_PERCENT = (10.5, 10.0)
THREE_PERCENT = (10.3, 10.0)


@pytest.mark.parametrize("noise", ["quiet", "ordinary", "loaded"])
@pytest.mark.parametrize("trials", [3, 5, 8])
def test_the_interval_holds_the_truth_as_often_as_it_says(noise: str, trials: int) -> None:
    found = rates(list(compare(NOISES[noise], SAME, trials=trials, comparisons=150, seed=trials)))
    assert 0.90 <= found.coverage <= 0.995
    assert found.bias == pytest.approx(0.0, abs=4 * found.error / 150**0.5)


def test_coverage_over_all_noises_is_what_is_promised() -> None:
    groups = [
        pair
        for number, noise in enumerate(NOISES.values())
        for pair in compare(noise, FIVE_PERCENT, trials=4, comparisons=150, seed=100 + number)
    ]
    assert 0.93 <= rates(groups).coverage <= 0.97


@pytest.mark.parametrize("noise", ["quiet", "ordinary", "loaded"])
def test_equal_engines_are_rarely_called_different(noise: str) -> None:
    found = rates(list(compare(NOISES[noise], SAME, trials=3, comparisons=200, seed=7)))
    assert found.false_difference <= 0.05


def test_a_slower_engine_is_found_when_the_noise_allows_it() -> None:
    quiet = rates(list(compare(NOISES["quiet"], FIVE_PERCENT, trials=3, comparisons=100, seed=8)))
    ordinary = rates(list(compare(NOISES["ordinary"], FIVE_PERCENT, trials=8, comparisons=100, seed=9)))
    small = rates(list(compare(NOISES["quiet"], THREE_PERCENT, trials=8, comparisons=100, seed=10)))
    assert quiet.called_right >= 0.95
    assert ordinary.called_right >= 0.85
    assert small.called_right >= 0.95
    assert quiet.wrong == ordinary.wrong == small.wrong == 0.0


def test_three_contenders_do_not_multiply_the_errors() -> None:
    latencies = (10.0, 10.0, 10.0)
    groups = list(compare(NOISES["loaded"], latencies, trials=4, comparisons=200, seed=11))
    found = rates(groups)
    assert all(len(group) == 3 for group in groups)
    assert found.decision_coverage >= 0.92
    assert found.false_difference <= 0.05
    # Without the correction the three intervals do not hold at once.
    alone = np.mean([all(pair.covered for pair in group) for group in groups])
    assert alone < found.decision_coverage


def test_the_stopping_rule_costs_little_coverage() -> None:
    """Stopping at a narrow interval favours intervals that are narrow by luck; one more trial repairs most of it."""
    found = rates(list(compare_until_settled(NOISES["ordinary"], SAME, comparisons=300, seed=12)))
    assert found.coverage >= 0.92
    assert found.wrong <= 0.05
    assert 4.0 < found.trials < 9.0


def test_a_pair_is_judged_alike_alone_and_in_its_group() -> None:
    random = np.random.default_rng(13)
    for latencies in (FIVE_PERCENT, (10.0, 10.0, 12.0)):
        results = simulate_group(random, NOISES["ordinary"], latencies, trials=3)
        assert list(judge_group(results).pairs) == judge_pairs(results)


def test_the_truth_is_what_is_asked_for() -> None:
    """The simulation itself: without noise exact, with noise unbiased, with the asked spread of processes."""
    random = np.random.default_rng(14)
    exact = draw_samples(random, Noise(), FIVE_PERCENT, trials=2, rounds=2, samples=3)
    assert exact.shape == (2, 2, 2, 3)
    assert np.allclose(exact[0] / exact[1], 1.05)
    processes = draw_samples(random, Noise(process=0.02), SAME, trials=4000, rounds=1, samples=1)
    assert np.log(processes / 10.0).std() == pytest.approx(0.02, rel=0.05)
    tail = draw_samples(
        random, Noise(process=0.02, process_tail=True), SAME, trials=20_000, rounds=1, samples=1
    )
    assert np.median(tail) == pytest.approx(10.0, rel=0.002)
    drifting = np.log(draw_samples(random, Noise(drift=0.05), SAME, trials=300, rounds=6, samples=1))
    assert np.allclose(drifting[0], drifting[1])
    assert drifting.std() == pytest.approx(0.05, rel=0.15)

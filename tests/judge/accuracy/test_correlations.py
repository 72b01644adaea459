"""Correlations against scipy's, and their intervals with known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.judge.accuracy import correlations
from harness.judge.accuracy.correlations import (
    FEWEST_PAIRS,
    correlation_intervals,
    pearson,
    ranks,
    spearman,
)


@pytest.mark.parametrize("ties", [False, True])
def test_coefficients_are_scipys(ties: bool) -> None:
    random = np.random.default_rng(5)
    x, y = random.normal(size=(2, 6, 200))
    y += x
    if ties:
        x, y = np.round(x), np.round(2 * y) / 2
    assert np.allclose(ranks(x), stats.rankdata(x, axis=-1) - 1)
    for row in range(6):
        assert spearman(x, y)[row] == pytest.approx(stats.spearmanr(x[row], y[row]).statistic)
        assert pearson(x, y)[row] == pytest.approx(stats.pearsonr(x[row], y[row]).statistic)


def test_a_constant_side_has_no_correlation() -> None:
    flat = np.full(50, 0.1)
    assert np.isnan(pearson(flat, np.arange(50.0))) and np.isnan(spearman(np.arange(50.0), flat))


def test_equal_answers_are_not_known_to_be_equal_exactly() -> None:
    random = np.random.default_rng(0)
    targets = random.normal(size=400)
    theirs = targets + random.normal(size=400)
    found = correlation_intervals(targets, theirs, theirs, spearman, 0.95, 0.95)
    assert found is not None
    # Five failures in 400 go unseen in one study of a hundred. One costs the coefficient over the number of pairs in
    # the mean, and more where it strikes a pair with an extreme score.
    worst = 5 * float(spearman(theirs, targets)) / 400
    assert -3 * worst < found.difference.low < -worst
    assert worst < found.difference.high < 3 * worst


def test_too_few_pairs_have_no_interval() -> None:
    few = np.arange(FEWEST_PAIRS - 1.0)
    assert correlation_intervals(few, few, few, spearman, 0.95, 0.95) is None


def test_the_same_seed_gives_the_same_interval_and_more_confidence_a_wider_one() -> None:
    random = np.random.default_rng(3)
    targets = random.normal(size=100)
    theirs = targets + 0.5 * random.normal(size=100)
    ours = theirs + 0.3 * random.normal(size=100)
    first, again = (
        correlation_intervals(targets, ours, theirs, spearman, 0.9, 0.99, seed=7) for _ in range(2)
    )
    assert first == again and first is not None
    assert first.decision.low < first.difference.low < first.difference.high < first.decision.high


@pytest.mark.parametrize(("noise", "failing"), [(0.02, 0.0), (0.3, 0.0), (0.01, 0.02)])
def test_intervals_of_the_difference_cover_the_truth(
    noise: float, failing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 studies of 80 pairs; the truth is that of 200,000."""
    monkeypatch.setattr(correlations, "RESAMPLES", 200)
    monkeypatch.setattr(correlations, "LEAST_RESAMPLES", 200)

    def drawn(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        targets = random.normal(size=count)
        theirs = targets + 0.7 * random.normal(size=count)
        ours = theirs + noise * random.normal(size=count)
        return targets, np.where(random.random(count) < failing, random.normal(size=count), ours), theirs

    targets, ours, theirs = drawn(np.random.default_rng(1), 200_000)
    truth = float(spearman(ours, targets) - spearman(theirs, targets))
    inside = 0
    for study in range(40):
        targets, ours, theirs = drawn(np.random.default_rng(100 + study), 80)
        found = correlation_intervals(targets, ours, theirs, spearman, 0.95, 0.95, seed=study)
        assert found is not None
        inside += found.difference.low <= truth <= found.difference.high
    # 33 of 40 would be 3 standard errors short of 95 %; the plain bootstrap has about 24 in the third case.
    assert inside > 33

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
    rank_step,
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


def test_the_step_is_what_two_neighbours_that_change_places_make() -> None:
    worst = 0.0
    places = np.arange(30.0)
    for shift in range(30):
        targets = np.roll(places, shift)
        for place in range(29):
            moved = places.copy()
            moved[[place, place + 1]] = moved[[place + 1, place]]
            worst = max(worst, abs(float(spearman(moved, targets) - spearman(places, targets))))
    assert worst == pytest.approx(rank_step(30))


def test_equal_orders_are_not_known_to_be_equal_exactly() -> None:
    random = np.random.default_rng(0)
    targets = random.normal(size=100)
    sims = targets + random.normal(size=100)
    found = correlation_intervals(targets, 2 * sims + 1, sims, spearman, 0.95, 0.99)
    assert found is not None
    assert (found.difference.low, found.difference.high) == pytest.approx((-rank_step(100), rank_step(100)))


def test_too_few_pairs_have_no_interval() -> None:
    few = np.arange(FEWEST_PAIRS - 1.0)
    assert correlation_intervals(few, few, few, spearman, 0.95, 0.95) is None


def test_the_same_seed_gives_the_same_interval_and_more_confidence_a_wider_one() -> None:
    random = np.random.default_rng(3)
    targets = random.normal(size=300)
    theirs = targets + 0.5 * random.normal(size=300)
    ours = theirs + 0.3 * random.normal(size=300)
    first, again = (
        correlation_intervals(targets, ours, theirs, spearman, 0.9, 0.99, seed=7) for _ in range(2)
    )
    assert first == again and first is not None
    assert first.decision.low < first.difference.low < first.difference.high < first.decision.high


@pytest.mark.parametrize("loss", [0.02, 0.3])
def test_intervals_of_the_difference_cover_the_truth(loss: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """80 studies of 100 pairs; the truth is that of half a million."""
    monkeypatch.setattr(correlations, "RESAMPLES", 400)

    def drawn(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        targets = random.normal(size=count)
        theirs = targets + 0.7 * random.normal(size=count)
        return targets, theirs + loss * random.normal(size=count), theirs

    targets, ours, theirs = drawn(np.random.default_rng(1), 500_000)
    truth = float(spearman(ours, targets) - spearman(theirs, targets))
    inside = 0
    for study in range(80):
        targets, ours, theirs = drawn(np.random.default_rng(100 + study), 100)
        found = correlation_intervals(targets, ours, theirs, spearman, 0.95, 0.95, seed=study)
        assert found is not None
        inside += found.difference.low <= truth <= found.difference.high
    # Over 300 studies 94 to 99 % were seen. 70 of 80 would be 3 standard errors short of 95 %.
    assert inside > 70

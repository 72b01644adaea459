"""Intervals of proportions: published examples, an independent inversion of the test, and coverage with known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from harness.judge.accuracy.proportions import Pairs, difference_interval, proportion_interval, score_limits

Z = stats.norm.ppf(0.975)


@pytest.mark.parametrize(
    ("won", "lost", "items", "low", "high"),
    [
        # Fagerland, Lydersen, Laake, "Statistical Analysis of Contingency Tables" (2017), chapter 8, as the authors'
        # package contingencytables computes it: remission before and after consolidation (Cavo et al. 2012).
        (6, 16, 161, -0.1240, -0.0054),
        # The same authors, Statistics in Medicine 33 (2014), table 7: airways before and after a transplantation.
        (1, 7, 21, -0.517, -0.026),
    ],
)
def test_published_examples(won: int, lost: int, items: int, low: float, high: float) -> None:
    found = difference_interval(Pairs(won, lost, items), 0.95)
    assert found.low == pytest.approx(low, abs=6e-5 if items > 100 else 6e-4)
    assert found.high == pytest.approx(high, abs=6e-5 if items > 100 else 6e-4)


def likelihood_score(delta: float, won: int, lost: int, items: int) -> float:
    """The score statistic with the restricted estimate found by maximising the likelihood, not by Tango's root."""

    def loss(p_lost: float) -> float:
        cells = (p_lost + delta, p_lost, 1 - 2 * p_lost - delta)
        counts = (won, lost, items - won - lost)
        return -sum(n * math.log(max(p, 1e-300)) for n, p in zip(counts, cells, strict=True) if n)

    least = max(0.0, -delta)
    most = (1 - delta) / 2
    p_lost = optimize.minimize_scalar(
        loss, bounds=(least, most), method="bounded", options={"xatol": 1e-12}
    ).x
    return (won - lost - items * delta) / math.sqrt(items * (2 * p_lost + delta - delta**2))


@pytest.mark.parametrize(("won", "lost", "items"), [(3, 9, 120), (1, 2, 797), (0, 5, 60), (40, 20, 160)])
def test_the_ends_are_where_the_score_test_begins_to_reject(won: int, lost: int, items: int) -> None:
    found = difference_interval(Pairs(won, lost, items), 0.95)
    assert likelihood_score(found.low, won, lost, items) == pytest.approx(Z, abs=1e-4)
    assert likelihood_score(found.high, won, lost, items) == pytest.approx(-Z, abs=1e-4)


def test_no_item_that_tells_them_apart_leaves_a_width() -> None:
    found = difference_interval(Pairs(0, 0, 797), 0.95)
    # Closed form: the restricted estimate is 0, and z^2 = n d / (1 - d).
    assert found.high == pytest.approx(Z**2 / (797 + Z**2), rel=1e-6)
    assert found.low == -found.high


def test_sides_exchanged_turn_the_interval_round() -> None:
    one, other = (difference_interval(Pairs(a, b, 200), 0.9) for a, b in ((3, 17), (17, 3)))
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))


@pytest.mark.parametrize(("right", "items"), [(0, 10), (10, 10), (787, 797), (5, 12)])
def test_a_proportion_has_wilsons_interval(right: int, items: int) -> None:
    found = proportion_interval(right, items, 0.95)
    other = stats.binomtest(right, items).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == (pytest.approx(other.low, abs=1e-12), pytest.approx(other.high))


def coverage(items: int, p_won: float, p_lost: float) -> tuple[float, float, float]:
    """Probability that the truth is inside, below and above, summed over all tables: no random numbers."""
    counts = np.arange(items + 1)
    most = int(np.sum(stats.binom.sf(counts, items, max(p_won, p_lost)) > 1e-9)) + 2
    won, lost = (grid.ravel().astype(float) for grid in np.meshgrid(np.arange(most), np.arange(most)))
    kept = won + lost <= items
    won, lost = won[kept], lost[kept]
    cells = np.stack([won, lost, items - won - lost], axis=1)
    chance = stats.multinomial.pmf(cells, items, [p_won, p_lost, 1 - p_won - p_lost])
    low, high = score_limits(won, lost, items, 0.95)
    truth = p_won - p_lost
    below, above = chance[truth < low - 1e-12].sum(), chance[truth > high + 1e-12].sum()
    return float(chance.sum() - below - above), float(below), float(above)


@pytest.mark.parametrize("items", [100, 797])
@pytest.mark.parametrize(
    ("p_won", "p_lost"), [(0.0, 0.0), (0.001, 0.001), (0.002, 0.006), (0.0, 0.01), (0.01, 0.03), (0.05, 0.1)]
)
def test_coverage_is_nominal_and_a_loss_is_not_understated(items: int, p_won: float, p_lost: float) -> None:
    inside, below, _above = coverage(items, p_won, p_lost)
    assert inside > 0.93
    # "below": the true loss is larger than the interval says. Half of 5 % is the nominal share.
    assert below < 0.03

"""Two modes and dependence, by simulation: how often they are seen where they are, and where they are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.judge.dependence import block_correlation, effective_count, lag1
from harness.judge.modes import two_modes

REPEATS = 200
Draw = Callable[[np.random.Generator, int], np.ndarray]


def autoregressive(generator: np.random.Generator, count: int, phi: float) -> np.ndarray:
    noise = generator.normal(size=count)
    series = np.empty(count)
    series[0] = noise[0]
    for index in range(1, count):
        series[index] = phi * series[index - 1] + np.sqrt(1 - phi * phi) * noise[index]
    return series


def share_of_alarms(draw: Draw, blocks: int, samples: int, level_noise: float = 0.0) -> float:
    """How often two modes are seen in logarithms from `draw`, with levels of blocks that vary by `level_noise`."""
    generator = np.random.default_rng(20261103)
    alarms = 0
    for _ in range(REPEATS):
        levels = generator.normal(0.0, level_noise, blocks)
        data = [1e6 * np.exp(draw(generator, samples) + level) for level in levels]
        alarms += two_modes(data) is not None
    return alarms / REPEATS


UNIMODAL: dict[str, Draw] = {
    "normal": lambda g, n: np.log(np.clip(g.normal(1.0, 0.1, n), 0.01, None)),
    "lognormal": lambda g, n: g.normal(0.0, 0.5, n),
    "heavy tail": lambda g, n: np.log1p(0.1 * g.pareto(1.5, n)),
    "heavy on both sides": lambda g, n: 0.05 * g.standard_t(2, n),
    "uniform": lambda g, n: np.log(g.uniform(1.0, 1.5, n)),
    "exponential": lambda g, n: np.log1p(0.3 * g.exponential(1.0, n)),
    "4 % far outliers": lambda g, n: (g.random(n) < 0.04) * 1.0 + g.normal(0.0, 0.02, n),
    "wandering": lambda g, n: 0.1 * autoregressive(g, n, 0.95),
    "coarse clock": lambda g, n: np.log(np.round(g.normal(100.0, 2.0, n))),
}


@pytest.mark.parametrize("blocks_by_samples", [(24, 5), (24, 40)])
@pytest.mark.parametrize("kind", UNIMODAL)
def test_false_alarms_are_rare(kind: str, blocks_by_samples: tuple[int, int]) -> None:
    assert share_of_alarms(UNIMODAL[kind], *blocks_by_samples) < 0.02


@pytest.mark.parametrize("kind", ["normal", "lognormal", "heavy tail"])
def test_blocks_at_different_levels_are_no_modes(kind: str) -> None:
    assert share_of_alarms(UNIMODAL[kind], 24, 20, level_noise=0.1) < 0.02
    assert share_of_alarms(lambda g, n: g.normal(0.0, 0.001, n), 24, 20, level_noise=0.1) < 0.02


@pytest.mark.parametrize(
    ("share", "gap", "noise", "level_noise"),
    [(0.5, 0.3, 0.02, 0.0), (0.2, 0.1, 0.01, 0.0), (0.5, 0.3, 0.05, 0.0), (0.3, 0.1, 0.01, 0.1)],
)
def test_separate_modes_are_seen(share: float, gap: float, noise: float, level_noise: float) -> None:
    def draw(generator: np.random.Generator, count: int) -> np.ndarray:
        return (generator.random(count) < share) * gap + generator.normal(0.0, noise, count)

    assert share_of_alarms(draw, 24, 40, level_noise) > 0.95


def test_separate_modes_are_seen_in_short_blocks() -> None:
    def draw(generator: np.random.Generator, count: int) -> np.ndarray:
        return (generator.random(count) < 0.5) * 0.3 + generator.normal(0.0, 0.02, count)

    assert share_of_alarms(draw, 24, 5) > 0.95


def test_modes_are_told_with_their_size() -> None:
    generator = np.random.default_rng(1)
    data = [
        np.where(generator.random(100) < 0.25, 1.3e6, 1.0e6) * generator.normal(1, 0.01, 100)
        for _ in range(10)
    ]
    modes = two_modes(data)
    assert modes is not None
    assert modes.low == pytest.approx(1.0e6, rel=0.01)
    assert modes.high == pytest.approx(1.3e6, rel=0.01)
    assert modes.share_high == pytest.approx(0.25, abs=0.05)
    assert modes.gap == pytest.approx(0.3, abs=0.01)


def test_modes_too_close_to_matter() -> None:
    generator = np.random.default_rng(1)
    data = [
        np.where(generator.random(100) < 0.5, 1.01, 1.0) * generator.normal(1, 0.0005, 100) for _ in range(10)
    ]
    assert two_modes(data) is None


@pytest.mark.parametrize(
    "data", [[], [np.array([])], [np.ones(1)], [np.ones(500)], [np.array([1.0, 2.0] * 20)]]
)
def test_no_modes_without_evidence(data: list[np.ndarray]) -> None:
    assert two_modes(data) is None


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_lag1_finds_the_correlation(phi: float) -> None:
    generator = np.random.default_rng(2)
    found = lag1([0.05 * autoregressive(generator, 400, phi) for _ in range(20)])
    assert found == pytest.approx(phi, abs=0.05)


def test_a_trend_is_no_dependence() -> None:
    generator = np.random.default_rng(3)
    trend = np.linspace(0.0, 1.0, 200)
    found = lag1([trend + generator.normal(0.0, 0.01, 200) for _ in range(10)])
    assert found == pytest.approx(0.0, abs=0.1)


def test_outliers_do_not_hide_dependence() -> None:
    generator = np.random.default_rng(4)
    blocks = [0.02 * autoregressive(generator, 400, 0.8) for _ in range(10)]
    for block in blocks:
        block[generator.integers(0, 400, 4)] += 3.0
    found = lag1(blocks)
    assert found is not None
    assert found > 0.6


@pytest.mark.parametrize("blocks", [[], [np.ones(5)] * 40, [np.zeros(100)], [np.arange(20.0)]])
def test_lag1_is_unknown_without_data(blocks: list[np.ndarray]) -> None:
    assert lag1(blocks) is None


def test_effective_count() -> None:
    assert effective_count(100, 0.0) == 100
    assert effective_count(100, 0.5) == pytest.approx(100 / 3)
    assert effective_count(100, -0.5) == 100
    assert effective_count(100, None) == 100


def test_block_correlation() -> None:
    generator = np.random.default_rng(5)
    alike = [generator.normal(0.0, 1.0, 50) for _ in range(40)]
    apart = [generator.normal(level, 1.0, 50) for level in generator.normal(0.0, 3.0, 200)]
    assert block_correlation(alike) == pytest.approx(0.0, abs=0.05)
    assert block_correlation(apart) == pytest.approx(0.9, abs=0.03)
    assert block_correlation([]) == 0.0

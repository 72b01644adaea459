"""Steady state on curves whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.steady import steady_from


def noisy(levels: np.ndarray, seed: int, share: float = 0.01) -> list[int]:
    random = np.random.default_rng(seed)
    return [int(v) for v in levels * (1 + np.abs(random.normal(0, share, len(levels))))]


@pytest.mark.parametrize("seed", range(10))
def test_a_flat_curve_is_steady_from_the_start(seed: int) -> None:
    found = steady_from(noisy(np.full(30, 1e6), seed))
    assert found is not None and found <= 3


@pytest.mark.parametrize("seed", range(10))
def test_a_slow_first_call_is_left_out(seed: int) -> None:
    found = steady_from(noisy(np.concatenate([[2e7], np.full(29, 1e6)]), seed))
    assert found is not None and 1 <= found <= 4


@pytest.mark.parametrize("seed", range(10))
def test_an_exponential_warm_up_is_left_out(seed: int) -> None:
    found = steady_from(noisy(1e6 * (1 + 2 * np.exp(-np.arange(60) / 5)), seed))
    assert found is not None and 12 <= found <= 32


@pytest.mark.parametrize("seed", range(10))
def test_a_second_step_is_noticed(seed: int) -> None:
    curve = np.concatenate([np.full(15, 3e6), np.full(40, 1e6)])
    found = steady_from(noisy(curve, seed))
    assert found is not None and 12 <= found <= 18


def test_a_drift_is_never_steady() -> None:
    assert steady_from(noisy(1e6 * 1.05 ** np.arange(60), 1)) is None


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_calls_are_not_steady(count: int) -> None:
    assert steady_from([1_000_000] * count) is None

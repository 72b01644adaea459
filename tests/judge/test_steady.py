"""Steady state on curves whose truth is known."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from harness.judge.warmup.steady import Steadiness, judge_warmup, steady_from
from tests.judge.synthetic_warmup import KINDS, Curve, draw_curve

DEVELOPED_ON = 0
HELD_OUT = 20_000
"""First seeds: the limits were chosen while looking at curves of the first set, never at one of the second."""


@cache
def judged(kind: str, seed: int) -> tuple[Curve, Steadiness]:
    curve = draw_curve(kind, seed)
    return curve, judge_warmup(curve.calls_ns)


def noisy(levels: np.ndarray, seed: int, share: float = 0.01) -> list[int]:
    random = np.random.default_rng(seed)
    return [int(v) for v in levels * (1 + np.abs(random.normal(0, share, len(levels))))]


@pytest.mark.parametrize("first_seed", [DEVELOPED_ON, HELD_OUT])
@pytest.mark.parametrize("kind", KINDS)
def test_95_of_100_curves_of_each_kind_are_judged_right(kind: str, first_seed: int) -> None:
    misses = []
    for seed in range(first_seed, first_seed + 100):
        curve, found = judged(kind, seed)
        if not curve.is_right(found.steady_from):
            misses.append(f"seed {seed}: right is {curve.earliest} to {curve.latest}, found {found}")
    assert len(misses) <= 5, "\n".join(misses)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("drift", {"drift"}),
        ("cyclic", {"cyclic"}),
        ("never", {"unsteady", "drift", "cyclic"}),
        ("two-step", {"warm-up", "slowdown"}),
    ],
)
def test_the_kind_is_named(kind: str, names: set[str]) -> None:
    found = [judged(kind, seed)[1].kind for seed in range(100)]
    assert sum(name in names for name in found) >= 90


def test_the_generator_keeps_its_word() -> None:
    for kind in KINDS:
        for seed in range(40):
            curve = draw_curve(kind, seed)
            assert 30 <= len(curve.calls_ns) == curve.level.size <= 4000
            assert draw_curve(kind, seed).calls_ns == curve.calls_ns
            if curve.steady_at is None:
                assert curve.earliest is curve.latest is None
                assert np.ptp(curve.level[-curve.level.size // 3 :]) > 0.04 * curve.level.min()
            else:
                assert curve.earliest is not None and curve.latest is not None
                late = curve.level[curve.latest :] / curve.level[-1]
                assert np.abs(late - 1.0).max() <= 0.021


@pytest.mark.parametrize("seed", range(10))
def test_a_flat_curve_is_steady_from_the_start(seed: int) -> None:
    found = judge_warmup(noisy(np.full(30, 1e6), seed))
    assert found.kind == "flat" and found.steady_from is not None and found.steady_from <= 3


@pytest.mark.parametrize("seed", range(10))
def test_a_slow_first_call_is_left_out(seed: int) -> None:
    found = steady_from(noisy(np.concatenate([[2e7], np.full(29, 1e6)]), seed))
    assert found is not None and 1 <= found <= 4


@pytest.mark.parametrize("seed", range(10))
def test_an_exponential_warm_up_is_left_out(seed: int) -> None:
    found = judge_warmup(noisy(1e6 * (1 + 2 * np.exp(-np.arange(60) / 5)), seed))
    assert found.kind == "warm-up"
    assert found.steady_from is not None and 17 <= found.steady_from <= 32
    assert found.level_ns == pytest.approx(1.008e6, rel=0.01)


@pytest.mark.parametrize("seed", range(10))
def test_a_second_step_is_noticed(seed: int) -> None:
    curve = np.concatenate([np.full(15, 3e6), np.full(40, 1e6)])
    found = judge_warmup(noisy(curve, seed))
    assert found.kind == "warm-up"
    assert found.steady_from is not None and 14 <= found.steady_from <= 16
    assert found.level_before_ns == pytest.approx(3e6, rel=0.03)


def test_a_processor_that_slows_down_and_stays_there_is_steady() -> None:
    found = judge_warmup(noisy(np.concatenate([np.full(40, 1e6), np.full(80, 1.3e6)]), 3))
    assert found.kind == "slowdown" and found.steady_from == 40


def test_a_step_near_the_end_is_not_steady() -> None:
    assert steady_from(noisy(np.concatenate([np.full(80, 3e6), np.full(15, 1e6)]), 3)) is None


def test_a_short_disturbance_does_not_restart_the_warm_up() -> None:
    curve = np.full(200, 1e6)
    curve[90:97] = 2.5e6
    found = steady_from(noisy(curve, 5))
    assert found is not None and found <= 3


def test_a_drift_is_never_steady() -> None:
    found = judge_warmup(noisy(1e6 * 1.05 ** np.arange(60), 1))
    assert found.kind == "drift" and found.steady_from is None
    assert found.trend == pytest.approx(1.05**40 - 1, rel=0.1)


def test_a_cycle_is_measured() -> None:
    wave = 1e6 * (1 + 0.3 * (np.arange(300) % 25 < 12))
    found = judge_warmup(noisy(wave, 2))
    assert found.kind == "cyclic" and found.steady_from is None and found.cycle is not None
    assert found.cycle.period == 25
    assert found.cycle.height == pytest.approx(0.3, abs=0.05)


def test_noise_has_no_cycle_and_no_trend() -> None:
    kinds = [judge_warmup(noisy(np.full(200, 1e6), seed, 0.1)).kind for seed in range(50)]
    assert kinds.count("flat") >= 48


def test_a_coarse_clock_shows_no_noise_at_all() -> None:
    assert steady_from([1000] * 50) == 0
    assert steady_from([0] * 50) == 0
    assert steady_from([9000] + [1000] * 40) == 1


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_calls_are_not_steady(count: int) -> None:
    found = judge_warmup([1_000_000] * count)
    assert found.kind == "too_short" and found.steady_from is None and found.calls == count


@pytest.mark.parametrize("count", [8, 9, 11, 16, 241, 12_000])
def test_any_longer_curve_can_be_judged(count: int) -> None:
    assert steady_from(noisy(np.full(count, 1e6), count)) is not None

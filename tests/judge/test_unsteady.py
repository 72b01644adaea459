"""The words for warm-ups that did not become steady."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.warmup.steady import judge_warmup
from harness.judge.warmup.unsteady import how_unsteady


def noisy(levels: np.ndarray) -> list[int]:
    return [int(v) for v in levels * np.exp(np.random.default_rng(3).normal(0.0, 0.01, levels.size))]


DRIFT = noisy(1e7 * np.exp(-np.linspace(0.0, 0.6, 120)))
CYCLE = noisy(1e7 * (1 + 0.3 * (np.arange(300) % 40 < 20)))
WALK = noisy(1e7 * np.repeat([1.0, 1.6, 1.1, 1.9, 1.5, 1.2, 2.0, 1.3], [40, 10, 30, 60, 15, 55, 20, 30]))


@pytest.mark.parametrize(
    ("curve", "words", "advice"),
    [
        (DRIFT, "calls kept getting faster, by 33% over the last two thirds", "--warmup-max"),
        (CYCLE, "a cycle of 40 calls, its slow half", "A longer warm-up does not help"),
        (WALK, "levels without order", "Quieten the machine"),
        ([1_000_000] * 5, "5 calls are too few to judge", "--warmup-max"),
    ],
)
def test_the_kind_its_figure_and_what_to_do(curve: list[int], words: str, advice: str) -> None:
    found, to_do = how_unsteady([judge_warmup(curve)])
    assert words in found
    assert advice in to_do


def test_the_commonest_kind_speaks_with_its_largest_figure() -> None:
    small = noisy(1e7 * np.exp(np.linspace(0.0, 0.3, 120)))
    large = noisy(1e7 * np.exp(np.linspace(0.0, 0.6, 120)))
    words, _ = how_unsteady([judge_warmup(item) for item in (CYCLE, small, large)])
    assert "slower, by 50%" in words


def test_a_steady_curve_that_was_recorded_as_unsteady_still_gets_words() -> None:
    words, advice = how_unsteady([judge_warmup(noisy(np.full(60, 1e7)))])
    assert "too short a time" in words and "--warmup-max" in advice

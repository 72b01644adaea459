"""The decision about a pair, by table."""

from __future__ import annotations

import math

import pytest

from harness.judge.intervals import Interval
from harness.judge.verdict import decide, decision_confidence, in_words, settling_advice


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.03, 1.06, "slower"),
        (1.021, 9.0, "slower"),
        (1.02, 1.06, "unsettled"),  # touching the margin is not beyond it
        (0.90, 0.95, "faster"),
        (0.90, 0.99, "unsettled"),
        (0.99, 1.01, "same"),
        (0.985, 1.019, "same"),
        (0.97, 1.01, "unsettled"),
        (0.5, 2.0, "unsettled"),
        (math.nan, 1.0, "unsettled"),
        (0.0, math.inf, "unsettled"),
    ],
)
def test_decide(low: float, high: float, verdict: str) -> None:
    assert decide(Interval(low, high), 0.02) == verdict


def test_no_interval_is_never_a_verdict() -> None:
    assert decide(None, 0.02) == "unsettled"


@pytest.mark.parametrize(("low", "high"), [(1.03, 1.06), (0.99, 1.01), (0.9, 1.0), (1.01, 1.2)])
def test_swapping_the_sides_swaps_the_verdict(low: float, high: float) -> None:
    mirror = {"slower": "faster", "faster": "slower"}
    there = decide(Interval(low, high), 0.02)
    back = decide(Interval(1 / high, 1 / low), 0.02)
    assert back == mirror.get(there, there)


def test_more_pairs_ask_for_more_confidence() -> None:
    assert decision_confidence(0.95, 1) == pytest.approx(0.95)
    assert decision_confidence(0.95, 10) == pytest.approx(0.995)


@pytest.mark.parametrize(
    ("verdict", "ratio", "interval", "words"),
    [
        ("faster", 0.5, Interval(0.4, 0.6), "a is 2.00× faster than b [1.67, 2.50]."),
        ("slower", 1.31, Interval(1.28, 1.34), "a is 1.31× slower than b [1.28, 1.34]."),
        (
            "same",
            1.001,
            Interval(0.99, 1.01),
            "a and b are equally fast within 2.0%: latency ratio 1.001 [0.990, 1.010].",
        ),
        ("unsettled", 1.03, Interval(1.01, 1.05), "by less than the margin of 2.0%"),
        ("unsettled", 0.97, Interval(0.95, 0.99), "a is faster, but perhaps by less"),
        ("unsettled", 1.2, None, "too few or differ too much"),
        ("unknown", None, None, "cannot be compared"),
    ],
)
def test_words_carry_the_figures(
    verdict: str, ratio: float | None, interval: Interval | None, words: str
) -> None:
    assert words in in_words("a", "b", verdict, ratio, interval, 0.02)  # type: ignore[arg-type]


def test_advice_names_a_budget_that_settles_it() -> None:
    # Centre 1.00, half width 4 %: about (4/2)² as many trials and a bit less for the smaller Student factor.
    advice = settling_advice(Interval(1 / 1.04, 1.04), 0.02, trials=5, trial_s=8, confidence=0.95)
    assert "--budget" in advice
    assert "--max-trials 1" in advice


def test_advice_when_nothing_settles_it() -> None:
    assert "too close to the margin" in settling_advice(Interval(1.0, 1.0404), 0.02, 5, 8, 0.95)
    assert "More trials" in settling_advice(None, 0.02, 1, 8, 0.95)

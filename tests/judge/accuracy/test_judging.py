"""Lost, same, gained, unsettled, unknown: from answers with known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.judge.accuracy import REFERENCE, accuracy_fails, correlations, judge_accuracies, judge_accuracy
from harness.judge.accuracy.needed import items_for_correlations, items_for_proportions
from harness.judge.accuracy.proportions import Pairs, score_limits
from harness.judge.intervals import Interval
from harness.records import Failure
from harness.records.accuracy import Answers
from tests.judge.accuracy.kit import classified, compared


@pytest.mark.parametrize(
    ("items", "won", "lost", "verdict", "fails"),
    [
        (797, 0, 0, "same", False),
        (797, 1, 2, "same", False),
        (797, 2, 30, "lost", True),
        (797, 40, 0, "gained", False),
        (300, 0, 0, "unsettled", False),
        (797, 0, 8, "unsettled", False),
        (10_000, 20, 60, "same", False),
        (10_000, 20, 160, "lost", True),
    ],
)
def test_the_verdict_is_where_the_interval_lies(
    items: int, won: int, lost: int, verdict: str, fails: bool
) -> None:
    judged = judge_accuracy("ort@int8", classified(items, won=won, lost=lost, both_wrong=10))
    assert (judged.verdict, judged.won, judged.lost) == (verdict, won, lost)
    assert accuracy_fails(judged) is fails
    assert judged.words.startswith("ort@int8 ")


def test_a_small_loss_is_said_with_its_interval() -> None:
    judged = judge_accuracy("ort@int8", classified(10_000, won=20, lost=60, both_wrong=10))
    assert "loses 0.40 % [0.23, 0.59] of top-1 accuracy against torch 2.13.0 float32" in judged.words
    assert "99.70 % to 99.30 % on 10,000 items" in judged.words
    first, second = judged.metrics
    assert (first.metric, first.value, first.reference) == ("top-1", 0.993, 0.997)
    # What the contender lost is beyond the first five; what the reference has wrong is in third place.
    assert (second.metric, second.value, second.reference) == ("top-5", 0.994, 1.0)


def test_too_few_items_say_how_many_would_do() -> None:
    judged = judge_accuracy("ort", classified(300))
    assert judged.items_needed is not None
    assert f"300 items are too few, about {judged.items_needed} like these would do" in judged.words
    assert judge_accuracy("ort", classified(judged.items_needed)).verdict == "same"
    assert judge_accuracy("ort", classified(int(0.95 * judged.items_needed))).verdict == "unsettled"


def test_a_difference_at_the_margin_is_not_settled_by_more() -> None:
    assert items_for_proportions(Pairs(0, 10, 1000), 0.01, 0.95) is None
    judged = judge_accuracy("ort", classified(1000, lost=10))
    assert (judged.verdict, judged.items_needed) == ("unsettled", None)
    assert "too close to the margin" in judged.words


def test_a_margin_of_ones_own_decides() -> None:
    answers = classified(797, won=2, lost=30)
    assert judge_accuracy("ort", answers, margin=0.10).verdict == "same"
    assert judge_accuracy("ort", classified(797), margin=0.001).verdict == "unsettled"


def test_several_contenders_are_decided_more_strictly_and_shown_alike() -> None:
    answers = classified(797, won=3, lost=5)
    alone = judge_accuracy("a", answers)
    together = judge_accuracies({"a": answers, "b": answers, REFERENCE: classified(797)})
    assert [judged.contender for judged in together] == ["a", "b"]
    assert together[0].metrics == alone.metrics
    assert together[0].decision_low is not None and alone.decision_low is not None
    assert together[0].decision_low < alone.decision_low


FAILURE = Failure(phase="load", kind="crashed", message="it died from SIGSEGV")


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (
            classified(797, status="crashed", answers=None, failure=FAILURE),
            "crashed in load: it died from SIGSEGV",
        ),
        (classified(797, reference=None, problem="the reference has no answers: torch: gone"), "torch: gone"),
        (classified(797, answers=None), "no answers"),
        (classified(797, answers=Answers(ranks="0" * 796)), "796 of 797"),
        (compared([1, 2, 3], [1, 2], [1, 2, 3]), "2 of 3"),
    ],
)
def test_what_is_missing_is_unknown_and_fails(answers: Any, why: str) -> None:
    judged = judge_accuracy("ort", answers)
    assert judged.verdict == "unknown" and accuracy_fails(judged)
    assert why in judged.words


def scores(count: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    targets = random.normal(size=count)
    theirs = targets + 0.5 * random.normal(size=count)
    return targets, theirs + noise * random.normal(size=count), theirs


@pytest.mark.parametrize(("noise", "verdict"), [(0.0, "same"), (0.02, "same"), (0.6, "lost")])
def test_similarities_are_decided_by_spearman(
    noise: float, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correlations, "RESAMPLES", 400)
    judged = judge_accuracy("openvino@bf16", compared(*scores(800, noise)))
    assert judged.verdict == verdict
    assert [figures.metric for figures in judged.metrics] == ["spearman", "pearson"]
    assert "Spearman correlation" in judged.words and "800 pairs" in judged.words


def test_a_similarity_that_is_no_number_is_unknown() -> None:
    targets, ours, theirs = scores(400, 0.0)
    ours[7] = np.nan
    judged = judge_accuracy("ort", compared(targets, ours, theirs))
    assert judged.verdict == "unknown" and accuracy_fails(judged)
    assert "1 of 400 pairs" in judged.words


def test_few_pairs_are_unsettled_and_told() -> None:
    judged = judge_accuracy("ort", compared(*scores(10, 0.01)))
    assert (judged.verdict, judged.items_needed) == ("unsettled", 20)


def test_pairs_needed_shrink_the_interval_to_the_margin() -> None:
    # Half-width 0.03 around 0: nine times the pairs bring it to 0.01.
    assert items_for_correlations(0.0, Interval(-0.03, 0.03), 100, 0.01) == 900
    assert items_for_correlations(-0.03, Interval(-0.07, 0.01), 100, 0.01) == 400
    assert items_for_correlations(-0.01, Interval(-0.07, 0.01), 100, 0.01) is None


def test_verdicts_are_wrong_as_rarely_as_the_confidence_says() -> None:
    """Contenders that lose exactly the margin: "same" would be a miss, as often as "lost" would be an alarm."""
    won, lost, _ = np.random.default_rng(0).multinomial(2000, [0.01, 0.02, 0.97], size=5000).T
    low, high = score_limits(won, lost, 2000, 0.95)
    assert np.mean(low >= -0.01) < 0.03
    assert np.mean(high < -0.01) < 0.03

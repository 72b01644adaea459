"""Has a contender lost accuracy? Metrics of both sides, their paired difference, and the decision about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from harness.judge.accuracy.correlations import (
    FEWEST_PAIRS,
    Coefficient,
    correlation_intervals,
    pearson,
    spearman,
)
from harness.judge.accuracy.judgement import MARGIN, AccuracyJudgement, AccuracyVerdict, MetricFigures
from harness.judge.accuracy.needed import items_for_correlations, items_for_proportions
from harness.judge.accuracy.proportions import Pairs, difference_interval, proportion_interval
from harness.judge.accuracy.words import in_words
from harness.judge.intervals import Floats, Interval
from harness.judge.verdict import decision_confidence
from harness.records.accuracy import BEYOND, PLACES, Accuracy, Answers

REFERENCE = "reference"
"""Key of the reference's own answers beside the contenders'."""

_COEFFICIENTS: Mapping[str, Coefficient] = {"spearman": spearman, "pearson": pearson}


def judge_accuracies(
    accuracies: Mapping[str, Accuracy], *, margin: float = MARGIN, confidence: float = 0.95, seed: int = 0
) -> tuple[AccuracyJudgement, ...]:
    """A judgement for every contender in `accuracies`; the reference's own entry is none.

    Several contenders are decided each at a higher confidence, so that all verdicts together hold with `confidence`.
    """
    contenders = {name: accuracy for name, accuracy in accuracies.items() if name != REFERENCE}
    return tuple(
        judge_accuracy(
            name, accuracy, margin=margin, confidence=confidence, decisions=len(contenders), seed=seed
        )
        for name, accuracy in contenders.items()
    )


def judge_accuracy(
    contender: str,
    accuracy: Accuracy,
    *,
    margin: float = MARGIN,
    confidence: float = 0.95,
    decisions: int = 1,
    seed: int = 0,
) -> AccuracyJudgement:
    """Has `contender` lost more than `margin`? `decisions` is how many contenders are judged beside each other.

    lost: the interval of the difference lies below -margin; gained: above margin; same: within; unsettled: anything
    else. unknown where one side has no answers: that is never a pass.
    """
    problem = _problem(accuracy)
    if problem or accuracy.data is None or accuracy.answers is None or accuracy.reference is None:
        words = f"The task accuracy of {contender} is unknown: {problem or 'there are no answers'}."
        return AccuracyJudgement(
            contender=contender, verdict="unknown", words=words, margin=margin, confidence=confidence
        )
    decisive = decision_confidence(confidence, decisions)
    interval: Interval | None
    won: int | None = None
    lost: int | None = None
    if accuracy.task == "classification":
        metrics, interval, pairs = _classification(accuracy, confidence, decisive)
        needed = items_for_proportions(pairs, margin, decisive)
        won, lost = int(pairs.won), int(pairs.lost)
    else:
        metrics, interval = _similarity(accuracy, confidence, decisive, seed)
        needed = items_for_correlations(metrics[0].difference, interval, accuracy.data.items, margin)
    verdict = _decide(metrics[0].difference, interval, margin)
    judgement = AccuracyJudgement(
        contender=contender,
        verdict=verdict,
        words="",
        margin=margin,
        confidence=confidence,
        decision_low=None if interval is None else interval.low,
        decision_high=None if interval is None else interval.high,
        items=accuracy.data.items,
        won=won,
        lost=lost,
        items_needed=needed if verdict == "unsettled" else None,
        metrics=metrics,
    )
    return judgement.model_copy(update={"words": in_words(judgement, accuracy.reference_name)})


def accuracy_fails(judgement: AccuracyJudgement) -> bool:
    """Whether it makes a check negative: a loss beyond the margin does, and an accuracy that is not known.

    An unsettled one does not: it is told, with the number of items that would settle it.
    """
    return judgement.verdict in ("lost", "unknown")


def _decide(difference: float | None, interval: Interval | None, margin: float) -> AccuracyVerdict:
    if difference is None:
        return "unknown"
    if interval is None:
        return "unsettled"
    if interval.high < -margin:
        return "lost"
    if interval.low > margin:
        return "gained"
    return "same" if interval.low >= -margin and interval.high <= margin else "unsettled"


def _problem(accuracy: Accuracy) -> str:
    """Why the two sides cannot be compared; "" where they can."""
    if accuracy.status != "measured":
        failure = accuracy.failure
        return f"{accuracy.status} in {failure.phase}: {failure.message}" if failure else accuracy.status
    if accuracy.problem:
        return accuracy.problem
    if accuracy.data is None or accuracy.answers is None:
        return "it left no answers"
    if accuracy.reference is None:
        return "the reference left no answers"
    for side, answers in (("it", accuracy.answers), ("the reference", accuracy.reference)):
        found = len(answers.ranks if accuracy.task == "classification" else answers.similarities)
        if found != accuracy.data.items or not found:
            return f"{side} answered {found} of {accuracy.data.items} items"
    return ""


def _classification(
    accuracy: Accuracy, confidence: float, decisive: float
) -> tuple[tuple[MetricFigures, ...], Interval, Pairs]:
    assert accuracy.data is not None and accuracy.answers is not None and accuracy.reference is not None
    metrics = [_proportion("top-1", 1, accuracy.answers, accuracy.reference, confidence)]
    if accuracy.data.classes > PLACES:
        metrics.append(_proportion("top-5", PLACES, accuracy.answers, accuracy.reference, confidence))
    pairs = _pairs(_right(accuracy.answers, 1), _right(accuracy.reference, 1))
    return tuple(metrics), difference_interval(pairs, decisive), pairs


def _proportion(
    metric: Literal["top-1", "top-5"], places: int, answers: Answers, reference: Answers, confidence: float
) -> MetricFigures:
    ours, theirs = _right(answers, places), _right(reference, places)
    pairs = _pairs(ours, theirs)
    items = ours.size
    own = proportion_interval(int(ours.sum()), items, confidence)
    other = proportion_interval(int(theirs.sum()), items, confidence)
    between = difference_interval(pairs, confidence)
    return MetricFigures(
        metric=metric,
        value=float(ours.mean()),
        low=own.low,
        high=own.high,
        reference=float(theirs.mean()),
        reference_low=other.low,
        reference_high=other.high,
        difference=pairs.difference,
        difference_low=between.low,
        difference_high=between.high,
    )


def _right(answers: Answers, places: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which items have their label among the first `places`."""
    signs = np.frombuffer(answers.ranks.encode("ascii"), np.uint8)
    return np.asarray((signs != ord(BEYOND)) & (signs < ord("0") + places))


def _pairs(
    ours: np.ndarray[tuple[int], np.dtype[np.bool_]], theirs: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Pairs:
    return Pairs(float((ours & ~theirs).sum()), float((theirs & ~ours).sum()), float(ours.size))


def _similarity(
    accuracy: Accuracy, confidence: float, decisive: float, seed: int
) -> tuple[tuple[MetricFigures, ...], Interval | None]:
    assert accuracy.data is not None and accuracy.answers is not None and accuracy.reference is not None
    targets = np.asarray(accuracy.data.targets, np.float64)
    ours, theirs = _numbers(accuracy.answers), _numbers(accuracy.reference)
    first, interval = _correlation("spearman", targets, ours, theirs, confidence, decisive, seed)
    second, _ = _correlation("pearson", targets, ours, theirs, confidence, decisive, seed)
    return (first, second), interval


def _numbers(answers: Answers) -> Floats:
    return np.array([np.nan if value is None else value for value in answers.similarities], np.float64)


def _correlation(
    metric: Literal["spearman", "pearson"],
    targets: Floats,
    ours: Floats,
    theirs: Floats,
    confidence: float,
    decisive: float,
    seed: int,
) -> tuple[MetricFigures, Interval | None]:
    broken = [int(np.count_nonzero(~np.isfinite(side))) for side in (ours, theirs)]
    coefficient = _COEFFICIENTS[metric]
    own, other = (
        None if count else _finite(coefficient(side, targets))
        for side, count in zip((ours, theirs), broken, strict=True)
    )
    if own is None or other is None:
        where = "contender" if own is None else "reference"
        count = broken[0] if own is None else broken[1]
        reason = (
            f"the {where}'s similarity of {count} of {targets.size} pairs is no finite number"
            if count
            else f"the {where}'s similarities, or the given scores, are all the same"
        )
        return MetricFigures(metric=metric, value=own, reference=other, difference=None, reason=reason), None
    found = correlation_intervals(targets, ours, theirs, coefficient, confidence, decisive, seed=seed)
    figures = MetricFigures(metric=metric, value=own, reference=other, difference=own - other)
    if found is None:
        fewest = f"an interval needs {FEWEST_PAIRS} pairs at least, with different scores"
        return figures.model_copy(update={"reason": fewest}), None
    ends = {
        "low": found.contender.low,
        "high": found.contender.high,
        "reference_low": found.reference.low,
        "reference_high": found.reference.high,
        "difference_low": found.difference.low,
        "difference_high": found.difference.high,
    }
    return figures.model_copy(update=ends), found.decision


def _finite(value: Floats) -> float | None:
    return float(value) if np.isfinite(value) else None

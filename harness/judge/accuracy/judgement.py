"""What a judgement of task accuracy holds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.records.base import Record

AccuracyVerdict = Literal["lost", "same", "gained", "unsettled", "unknown"]

MARGIN = 0.01
"""Loss that is taken for none: one point of accuracy, or 0.01 of a correlation. MLPerf Inference asks of a quantised
model 99 % of the accuracy that its reference has (Reddi et al., "MLPerf Inference Benchmark", 2020, section III-B)."""


class MetricFigures(Record):
    """One metric of the contender, of the reference, and their paired difference (contender minus reference).

    Shares and coefficients as they are (0.98, not 98). An interval that cannot be had is None, with the reason.
    """

    metric: Literal["top-1", "top-5", "spearman", "pearson"]
    value: float | None
    low: float | None = None
    high: float | None = None
    reference: float | None
    reference_low: float | None = None
    reference_high: float | None = None
    difference: float | None
    difference_low: float | None = None
    difference_high: float | None = None
    reason: str = ""


class AccuracyJudgement(Record):
    """The decision about one contender. `metrics` has the deciding one first."""

    contender: str
    verdict: AccuracyVerdict
    words: str = Field(description="the verdict as a sentence with its figures")
    margin: float
    confidence: float
    decision_low: float | None = Field(
        None,
        description="ends of the interval that decides: wider where several contenders are judged at once",
    )
    decision_high: float | None = None
    items: int = 0
    won: int | None = Field(None, description="items that only the contender has right (top-1)")
    lost: int | None = Field(None, description="items that only the reference has right (top-1)")
    items_needed: int | None = Field(
        None, description="items that should settle an unsettled verdict, if the next ones are like these"
    )
    metrics: tuple[MetricFigures, ...] = ()

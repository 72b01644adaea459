"""A figure with its interval, or the reason why it cannot be stated."""

from __future__ import annotations

from harness.records import Record


class Estimate(Record):
    """A figure with its interval. `value` None means that it cannot be stated; `reason` says why.

    `low` and `high` are None where an interval cannot be given (one trial, too few samples); `reason` says so.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    confidence: float = 0.95
    samples: int = 0
    trials: int = 0
    reason: str = ""


NOT_MEASURED = Estimate(value=None, reason="not measured")

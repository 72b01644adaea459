"""The metrics of a contender: one list for the terminal, the pages and the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.judge.comparison import ContenderSummary, Estimate

Kind = Literal["seconds", "bytes", "per_second"]


@dataclass(frozen=True)
class Metric:
    """`name` is the field of `ContenderSummary` and the name in the database; `label` is what people read."""

    name: str
    label: str
    kind: Kind

    def of(self, summary: ContenderSummary) -> Estimate:
        """This metric of one contender."""
        estimate: Estimate = getattr(summary, self.name)
        return estimate


SPEED = (
    Metric("p50", "latency p50", "seconds"),
    Metric("p90", "latency p90", "seconds"),
    Metric("p99", "latency p99", "seconds"),
    Metric("throughput", "throughput", "per_second"),
)
COST = (
    Metric("first_inference", "first inference", "seconds"),
    Metric("warmup", "warm-up", "seconds"),
    Metric("load", "load", "seconds"),
    Metric("build", "build", "seconds"),
    Metric("memory_peak", "peak memory", "bytes"),
    Metric("artefact", "artefact size", "bytes"),
)
METRICS = SPEED + COST


def estimates(summary: ContenderSummary) -> dict[str, Estimate]:
    """Every metric of one contender by name."""
    return {metric.name: metric.of(summary) for metric in METRICS}

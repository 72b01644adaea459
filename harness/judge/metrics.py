"""The metrics of a contender: one list for the terminal, the pages and the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.judge.comparison import ContenderSummary, Estimate

Kind = Literal["seconds", "bytes", "per_second", "count", "joules", "share"]


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
    Metric("ceiling_share", "of the machine's ceiling", "share"),
)
STAGES = (
    Metric("end_to_end", "end to end", "seconds"),
    Metric("preprocess", "preprocess", "seconds"),
    Metric("upload", "upload", "seconds"),
    Metric("infer", "infer", "seconds"),
    Metric("download", "download", "seconds"),
    Metric("postprocess", "postprocess", "seconds"),
)
START = (
    Metric("first_inference", "first inference", "seconds"),
    Metric("warmup", "warm-up", "seconds"),
    Metric("load", "load", "seconds"),
    Metric("load_cold", "load, cold files", "seconds"),
    Metric("build", "build", "seconds"),
    Metric("build_warm", "build again", "seconds"),
)
MEMORY = (
    Metric("memory_peak", "peak memory", "bytes"),
    Metric("memory_steady", "steady memory", "bytes"),
    Metric("device_memory", "device memory", "bytes"),
    Metric("artefact", "artefact size", "bytes"),
)
RUNNING = (
    Metric("cpu", "CPU per inference", "seconds"),
    Metric("switches", "context switches per inference", "count"),
    Metric("energy", "energy per inference", "joules"),
)
SECTIONS = (
    ("Speed and correctness", SPEED),
    ("Stages of a call", STAGES),
    ("Start", START),
    ("Memory and size", MEMORY),
    ("Cost of running", RUNNING),
)
"""Title and metrics, in the order in which they are shown; parity belongs to the first."""
METRICS = SPEED + STAGES + START + MEMORY + RUNNING


def estimates(summary: ContenderSummary) -> dict[str, Estimate]:
    """Every metric of one contender by name."""
    return {metric.name: metric.of(summary) for metric in METRICS}

"""What a gate asks, and what judging it answers. Data only; `harness.judge.gates` decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from harness.judge.comparison import Estimate
from harness.records import Record

OnUnsettled = Literal["fail", "warn"]
Percentile = Literal["p50", "p90", "p99"]
GateStatus = Literal["pass", "fail", "unknown"]


class _Scoped(Record):
    """A gate that can be narrowed to some groups; what is empty or None holds for all."""

    model: str = ""
    batch: int | None = None
    threads: int | None = None


class ParityGate(Record):
    """Every contender computes the right thing. Every plan has this gate."""

    kind: Literal["parity"] = "parity"


class MeasuredGate(Record):
    """Every case is measured."""

    kind: Literal["measured"] = "measured"


class LatencyGate(_Scoped):
    """A latency percentile of one contender is at most `at_most` seconds a call."""

    kind: Literal["latency"] = "latency"
    contender: str
    percentile: Percentile = "p50"
    at_most: float
    on_unsettled: OnUnsettled = "fail"


class RatioGate(_Scoped):
    """Latency of `of` divided by latency of `to` is at most `at_most`."""

    kind: Literal["ratio"] = "ratio"
    of: str
    to: str
    at_most: float
    on_unsettled: OnUnsettled = "fail"


class MemoryGate(_Scoped):
    """The resident size of one contender's worker never exceeded `at_most` bytes, in any trial."""

    kind: Literal["memory"] = "memory"
    contender: str
    at_most: int


Gate = Annotated[
    ParityGate | MeasuredGate | LatencyGate | RatioGate | MemoryGate,
    Field(discriminator="kind"),
]


_GATES: TypeAdapter[tuple[Gate, ...]] = TypeAdapter(tuple[Gate, ...])


def read_gates(data: Sequence[Mapping[str, Any]]) -> tuple[Gate, ...]:
    """Gates from the plain values that `Run.gates` keeps."""
    return _GATES.validate_python(data)


@dataclass(frozen=True)
class ExpectedGroup:
    """A group that the plan holds: what must be there, so that what is missing can be told."""

    model: str
    batch: int
    threads: int
    scenario: str
    contenders: tuple[str, ...]


class GateOutcome(Record):
    """A gate on one group, decided, with its evidence.

    `unsettled`: the interval straddles the threshold, so `status` is "unknown". `blocks`: the run cannot pass.
    """

    gate: Gate
    status: GateStatus
    asks: str
    """The gate in words: "p50 of ort ≤ 80 ms"."""
    words: str
    """Where, and why it passes, fails or is unknown: estimate, interval, threshold, samples; or what is missing."""
    group_id: str = ""
    """Empty where there is no such group."""
    figure: Estimate | None = None
    threshold: float | None = None
    unsettled: bool = False
    blocks: bool

    @property
    def passed(self) -> bool:
        """Whether the run may pass: the gate holds, or is unsettled and only warns."""
        return not self.blocks

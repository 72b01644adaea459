"""A model's graph before conversion and inside an engine, and what was found when the two were compared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.records import Record, Tensor


class GraphFacts(Record):
    """A graph in numbers. What is not known is empty, and `notes` say why."""

    origin: str = Field(description="where the facts were read")
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    operators: dict[str, int] = Field(default_factory=dict, description="operator type -> nodes")
    parameters: int | None = Field(
        None, description="elements of float and quantised constants; None: not known"
    )
    dtypes: dict[str, int] = Field(
        default_factory=dict, description="type -> elements of all constants of it"
    )
    stored: dict[str, int] = Field(
        default_factory=dict, description="the same in the artefact's file, where it is not the model's own"
    )
    foldable: int = Field(
        0, description="of the parameters, those that an engine may fold into others or drop (of a model)"
    )
    opset: dict[str, int] = Field(default_factory=dict, description="operator set or format -> version")
    casts: dict[str, str] = Field(
        default_factory=dict, description="input -> type that the engine turns it into before it computes"
    )
    notes: tuple[str, ...] = ()

    @property
    def nodes(self) -> int:
        """Nodes of all operators."""
        return sum(self.operators.values())


class GraphFinding(Record):
    """One difference between the model and what the engine made of it: a breach fails, a remark is told."""

    kind: Literal["breach", "remark"]
    code: str
    message: str = Field(description="what differs, with its figures")
    consequence: str = ""


class GraphContract(Record):
    """A model's graph before and after conversion. `after` None: `problem` says why it is not known."""

    before: GraphFacts | None
    after: GraphFacts | None
    findings: tuple[GraphFinding, ...] = ()
    problem: str = ""

    @property
    def breaches(self) -> tuple[GraphFinding, ...]:
        """Findings that fail."""
        return tuple(finding for finding in self.findings if finding.kind == "breach")

    @property
    def remarks(self) -> tuple[GraphFinding, ...]:
        """Findings that are told and do not fail."""
        return tuple(finding for finding in self.findings if finding.kind == "remark")

    @property
    def status(self) -> Literal["pass", "fail", "unknown"]:
        """fail: a breach; unknown: the graph before or after is not known."""
        if self.breaches:
            return "fail"
        return "unknown" if self.before is None or self.after is None else "pass"

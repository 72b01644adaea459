"""The record of a layer search: the error of every tensor that could be seen, where it began, and how to repeat it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.records import ContenderRef, Failure, VariantRef
from harness.records.base import PossiblyInfinite, Record

TensorStatus = Literal["within", "beyond", "undecided", "unseen"]
"""Of its budget; "undecided": both sides are there but cannot be compared; "unseen": no value of the engine, or none
of the reference. Both come with a reason."""

PlaceVerdict = Literal["operator", "fusion", "amplified", "unchecked"]
"""What is wrong at a place. "operator": it computes wrong values from the values that it got. "fusion": the error is
gone as soon as the engine must hand out what it fuses here. "amplified": it computes rightly what it got, and makes
an error larger that came in within its budget. "unchecked": it could not be computed alone."""


class TensorError(Record):
    """One tensor that a node produces, against the reference in float64. Errors as in `OutputParity`."""

    name: str
    operator: str
    node: str = ""
    inputs: tuple[str, ...] = Field((), description="tensors of other nodes that its node reads")
    status: TensorStatus
    reason: str = ""
    error_rms: PossiblyInfinite | None = None
    error_max: PossiblyInfinite | None = None
    yardstick_rms: float | None = None
    yardstick_max: float | None = None
    ratio_rms: PossiblyInfinite | None = Field(None, description="error_rms in units of the yardstick's own")
    ratio_max: PossiblyInfinite | None = None
    budget_rms: float | None = None
    budget_max: float | None = None
    excess: PossiblyInfinite | None = Field(
        None, description="the larger of both ratios over its budget; above 1: beyond it"
    )
    worst_index: tuple[int, ...] | None = None
    output: bool = Field(False, description="it is one of the model's outputs")
    seen: Literal["", "whole", "marked", "broken"] = Field(
        "",
        description="whole: an output of the model as it is; marked: handed out, the engine's fusions kept as far as "
        "it tells them; broken: handed out although the engine would fuse it",
    )


class Difference(Record):
    """What differs at a place between the model and the reference model: an attribute or a constant."""

    what: str = Field(description="e.g. 'attribute epsilon' or 'constant conv1.weight'")
    model: str
    reference: str


class Place(Record):
    """Where an error began: a tensor beyond its budget that is computed from tensors within theirs."""

    tensor: str
    operator: str
    node: str = ""
    verdict: PlaceVerdict
    words: str = Field(description="the finding in a sentence, with its figures")
    group: tuple[str, ...] = Field((), description="tensors that the engine fuses here, in topological order")
    alone: TensorError | None = Field(
        None, description="the place's error against the reference fed with the engine's own values"
    )
    differences: tuple[Difference, ...] = ()


class Subgraph(Record):
    """The smallest part of the model that fails by itself, fed with the reference's values in the model's dtypes."""

    status: Literal["fails", "only_in_whole", "unavailable"]
    reason: str = ""
    nodes: tuple[str, ...] = Field((), description="the outputs of its nodes, in topological order")
    operators: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    error: TensorError | None = Field(None, description="of its worst output, the engine running it alone")
    attempts: int = 0
    folder: str = Field("", description="where the reproduction is")
    reproduction: str = Field("", description="why there is no script to repeat it, when there is none")


class LayerSearch(Record):
    """One contender's search. `found`: `places` says where; `clean`: all outputs are within their budgets."""

    status: Literal["found", "clean", "not_found", "unavailable", "failed"]
    reason: str = ""
    contender: ContenderRef
    variant: VariantRef
    input_set: str
    engine_version: str = ""
    reference: str = ""
    tensors: tuple[TensorError, ...] = Field((), description="in topological order")
    places: tuple[Place, ...] = Field((), description="independent of each other, in topological order")
    subgraph: Subgraph | None = None
    notes: tuple[str, ...] = ()
    only_in_model: tuple[str, ...] = Field((), description="tensors that the reference does not have")
    only_in_reference: tuple[str, ...] = ()
    failure: Failure | None = None
    seconds: float | None = None
    memory_bytes: int | None = Field(
        None, description="largest sum of this process and the worker beside it, resident, at any step"
    )

    def tensor(self, name: str) -> TensorError | None:
        """The tensor of that name."""
        return next((tensor for tensor in self.tensors if tensor.name == name), None)

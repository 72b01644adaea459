"""Records of `harness parity`: what every contender computed on every variant and input set, and how it was judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from harness.records import (
    ContenderRef,
    Environment,
    Failure,
    Machine,
    ModelRef,
    Parity,
    Record,
    Status,
    VariantRef,
    new_id,
    now,
)
from harness.records.accuracy import Accuracy
from harness.records.graph import GraphContract
from harness.records.layers import LayerSearch


class InputSet(Record):
    """One filling of the inputs, the very same bytes for every contender."""

    name: str = Field(description="kind:seed, kind, or the name of a file")
    sha256: str = Field(description="of names, dtypes, shapes and bytes; every worker confirmed it")
    shapes: dict[str, tuple[int, ...]] = Field(description="input -> shape")
    file: str | None = Field(None, description="where it was read from, for inputs that were given")


class LeftOut(Record):
    """An input set that belongs to the default ones and was not judged, and why."""

    name: str
    reason: str


class CheckedVariant(Record):
    """One variant with its inputs, and the reference that judged it."""

    variant: VariantRef
    input_sets: tuple[InputSet, ...]
    left_out: tuple[LeftOut, ...] = ()
    reference: str = Field("", description="which reference judged, e.g. 'torch 2.13.0 float64'")
    yardstick: str = ""
    problem: str = Field("", description="why there is no reference, when there is none")


class ParityCheck(Record):
    """One contender on one variant. `parity` is there when its outputs came back, right or wrong."""

    id: str = Field(default_factory=new_id)
    created_at: datetime = Field(default_factory=now)
    contender: ContenderRef
    variant: VariantRef
    status: Status
    engine_version: str = ""
    effective: dict[str, Any] = Field(
        default_factory=dict, description="configuration read back from the engine"
    )
    parity: Parity | None = None
    graph: GraphContract | None = None
    layers: LayerSearch | None = Field(
        None, description="where it broke, or that it did not: of the contender's worst place"
    )
    accuracy: Accuracy | None = Field(
        None, description="answers on labelled data, beside the contender's first variant"
    )
    failure: Failure | None = None


class ParityRecord(Record):
    """One run of `harness parity`."""

    schema_version: Literal[1] = 1
    kind: Literal["parity"] = "parity"
    id: str = Field(default_factory=new_id)
    created_at: datetime = Field(default_factory=now)
    model: ModelRef
    reference_model: ModelRef | None = Field(
        None, description="whose outputs count as right, where that is another model"
    )
    judged_as: str = Field(
        "", description="precision whose budgets hold, where they are not those of the contenders' own"
    )
    data: str = Field("", description="labelled data that were asked for")
    margin: float = Field(0.01, description="loss of task accuracy that counts as none")
    searched: bool = Field(False, description="the layers were to be searched")
    machine: Machine
    environment: Environment
    contenders: tuple[ContenderRef, ...]
    planned: tuple[VariantRef, ...] = Field(description="variants to check, reached or not")
    variants: tuple[CheckedVariant, ...]
    checks: tuple[ParityCheck, ...]
    interrupted: bool = False

"""The record of a profile: what every engine's own profiler told, and the same calls timed without it.

Raw, like all records: which layers belong together and where time is missing is derived from it
(`harness.judge.profile.table`). Times are integers in nanoseconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from harness.records import (
    ContenderRef,
    Environment,
    Failure,
    Machine,
    ModelRef,
    Record,
    Status,
    VariantRef,
    new_id,
    now,
)


class GraphNode(Record):
    """One node of the ONNX graph. Constants and the model's inputs are not among its inputs."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class ModelGraph(Record):
    """The ONNX graph in topological order; the empty graph where a model has no ONNX file."""

    nodes: tuple[GraphNode, ...] = ()
    outputs: tuple[str, ...] = ()


class Layer(Record):
    """One thing that an engine timed, summed over the profiled calls; see `backends.profile.ProfiledLayer`."""

    name: str
    operator: str
    kernel: str = ""
    precision: str = ""
    calls: int
    total_ns: int
    by_call: tuple[int, ...] = Field(
        (), description="the same for every call, where the engine tells them apart"
    )
    outputs: tuple[str, ...] = Field((), description="ONNX tensors that it produces or helps to produce")
    fused: tuple[str, ...] = Field((), description="ONNX tensors that it computes on the way")


class ContenderProfile(Record):
    """One contender's layers, or why there are none."""

    contender: ContenderRef
    status: Status
    failure: Failure | None = None
    engine_version: str = ""
    calls: int = Field(0, description="profiled calls; the times of layers are sums over them")
    layers: tuple[Layer, ...] = ()
    whole_ns: tuple[int, ...] = Field(
        (), description="the profiled calls as the engine times them; empty where it does not"
    )
    profiled_ns: tuple[int, ...] = Field((), description="the profiled calls as the harness times them")
    unprofiled_ns: tuple[int, ...] = Field(
        (), description="the same calls without the profiler, half of them before and half after"
    )
    overhead: str = Field("", description="what the profiler adds and how fine its clock is, in words")
    notes: tuple[str, ...] = ()
    traces: tuple[str, ...] = Field((), description="raw files of the engine")


class ProfileRecord(Record):
    """One run of `harness profile`."""

    schema_version: Literal[1] = 1
    kind: Literal["profile"] = "profile"
    id: str = Field(default_factory=new_id)
    created_at: datetime = Field(default_factory=now)
    model: ModelRef
    variant: VariantRef
    input_set: str
    machine: Machine
    environment: Environment
    graph: ModelGraph = ModelGraph()
    profiles: tuple[ContenderProfile, ...]

"""Records of the roofline: what a model takes (`Work`) and what a machine can do at best (`Ceilings`).

Operations count two for one multiply-accumulate (MAC). Rates are operations or bytes a second; sizes are bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from harness.records.base import Record, Warning_, now
from harness.records.machine import Machine

BYTES_PER_ELEMENT = {"fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2, "int8": 1}
"""Width in memory of a float tensor at each precision: TF32 is float32 in memory."""

OPERATIONS_PER_MAC = 2


class Traffic(Record):
    """Tensors that are moved: elements of float tensors, whose width is the precision's, and bytes of the others."""

    float_elements: int = 0
    other_bytes: int = 0

    def size(self, precision: str) -> int:
        """Bytes when float tensors are kept in `precision`. Raises KeyError for one that is not known."""
        return self.float_elements * BYTES_PER_ELEMENT[precision] + self.other_bytes

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            float_elements=self.float_elements + other.float_elements,
            other_bytes=self.other_bytes + other.other_bytes,
        )


class OperatorWork(Record):
    """All nodes of one operator type; `activations` is what they read and write beside weights."""

    nodes: int
    macs: int
    plain: int
    activations: Traffic


class Work(Record):
    """What one call takes, counted from the ONNX graph at one batch size. Nothing in it is measured or guessed."""

    batch: int
    dims: dict[str, int] = Field(default_factory=dict)
    macs: int = Field(
        description="multiply-accumulates of products, convolutions, recurrent layers, attention"
    )
    int8_macs: int = Field(0, description="those of `macs` that the graph itself asks for on 8-bit integers")
    plain: int = Field(
        description="elements computed by everything else: activations, norms, softmax, pooling"
    )
    weights: Traffic = Field(
        description="constants that a call reads; of a looked-up table only the rows it reads"
    )
    inputs: Traffic
    outputs: Traffic
    activations: Traffic = Field(description="reads and writes of all nodes, one by one, weights left out")
    by_operator: dict[str, OperatorWork]
    uncounted: dict[str, int] = Field(
        default_factory=dict,
        description="operator -> nodes that could not be counted; the rest is then a lower bound",
    )
    uncounted_why: dict[str, str] = Field(default_factory=dict)

    @property
    def flops(self) -> int:
        """Operations of the counted MACs."""
        return OPERATIONS_PER_MAC * self.macs

    def compulsory_bytes(self, precision: str) -> int:
        """Weights, inputs and outputs, each moved once: no engine that starts with cold caches moves less."""
        return (self.weights + self.inputs + self.outputs).size(precision)

    def unfused_bytes(self, precision: str) -> int:
        """Weights once, and every node reads its inputs from memory and writes its outputs: nothing fused or cached."""
        return (self.weights + self.activations).size(precision)


class Tried(Record):
    """One way of reaching a rate, and what it reached when all were tried."""

    implementation: str
    kernel: str
    rate: float | None = None
    reason: str = Field("", description="why there is no rate")


class Ceiling(Record):
    """The best rate that any implementation at hand reached on this machine."""

    kind: Literal["compute", "memory"]
    precision: str = Field("", description="of a compute ceiling; memory moves bytes of any precision")
    rate: float = Field(description="operations (two a MAC) or bytes a second: of the fastest call")
    typical: float = Field(description="median over the rounds of each one's fastest call")
    rounds: int
    implementation: str = Field(description="library and version that gave it")
    kernel: str = Field(description="which product or stream, with its size")
    threads: int
    device: str = "cpu"
    settled: bool = Field(description="whether further rounds had stopped to give more")
    tried: tuple[Tried, ...]
    canary_spread: float | None = Field(
        None, description="slowest over fastest canary while it was measured, minus 1; None: no canary"
    )
    warnings: tuple[Warning_, ...] = ()
    measured_at: datetime = Field(default_factory=now)

    @property
    def spread(self) -> float:
        """How far the typical round stays below the best, as a share of the best."""
        return 1.0 - self.typical / self.rate


class Ceilings(Record):
    """All ceilings of a machine at one number of threads that were asked for."""

    schema_version: Literal[1] = 1
    kind: Literal["ceilings"] = "ceilings"
    machine: Machine
    device: str
    threads: int
    last_level_cache: int | None = Field(None, description="bytes; None where the system does not tell")
    compute: dict[str, Ceiling] = Field(default_factory=dict, description="by precision")
    memory: Ceiling | None = None
    missing: dict[str, str] = Field(
        default_factory=dict, description='precision or "memory" -> why there is no ceiling'
    )

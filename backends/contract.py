"""The words that an adapter and the harness exchange: tensors, models, variants, answers, errors.

Standard library and numpy only, because the worker side may live in an environment that has nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

Array = npt.NDArray[Any]
Feeds = Mapping[str, Array]

PRECISIONS = ("fp32", "tf32", "bf16", "fp16", "int8")


@dataclass(frozen=True)
class TensorSpec:
    """A named tensor of a model's signature.

    `dtype` is a numpy name ("float32", "int64"); a dimension is an int, or a str that names a dynamic one.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def to_json(self) -> dict[str, Any]:
        """This specification as JSON-able values."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TensorSpec:
        """The inverse of `to_json`."""
        return cls(str(data["name"]), str(data["dtype"]), tuple(data["shape"]))

    def concrete(self, batch: int, dims: Mapping[str, int] | None = None) -> tuple[int, ...]:
        """Shape with dynamic dimensions filled in; the first dimension, where dynamic, is the batch.

        Raises ValueError for a dynamic dimension that `dims` does not name.
        """
        known = dims or {}
        shape: list[int] = []
        for axis, dim in enumerate(self.shape):
            if isinstance(dim, int):
                shape.append(dim)
            elif dim in known:
                shape.append(known[dim])
            elif axis == 0:
                shape.append(batch)
            else:
                raise ValueError(f"input {self.name!r} has the dynamic dimension {dim!r} without a size")
        return tuple(shape)


@dataclass(frozen=True)
class ModelSource:
    """What an adapter can build from. At least one of `onnx_path` and `torch_factory` is set.

    `torch_factory` is "package.module:callable"; called with the `weights_path` it returns a `torch.nn.Module`
    in eval mode, float32. `weights_path` is a numpy `.npz` with the state dict.
    """

    name: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    onnx_path: Path | None = None
    torch_factory: str | None = None
    weights_path: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """This source as JSON-able values, paths as text."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": [spec.to_json() for spec in self.outputs],
            "onnx_path": None if self.onnx_path is None else str(self.onnx_path),
            "torch_factory": self.torch_factory,
            "weights_path": None if self.weights_path is None else str(self.weights_path),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelSource:
        """The inverse of `to_json`."""
        onnx_path, weights_path = data.get("onnx_path"), data.get("weights_path")
        return cls(
            name=data["name"],
            sha256=data["sha256"],
            inputs=tuple(TensorSpec.from_json(spec) for spec in data["inputs"]),
            outputs=tuple(TensorSpec.from_json(spec) for spec in data["outputs"]),
            onnx_path=None if onnx_path is None else Path(onnx_path),
            torch_factory=data.get("torch_factory"),
            weights_path=None if weights_path is None else Path(weights_path),
        )


@dataclass(frozen=True)
class Variant:
    """What is varied for one contender: everything that changes how a model is built or run."""

    flavour: str = ""
    precision: str = "fp32"
    batch: int = 1
    threads: int = 1
    dims: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    """Is the engine here? `available` False carries the `reason` and the `install` command."""

    available: bool
    version: str = ""
    devices: tuple[str, ...] = ()
    reason: str = ""
    install: str = ""
    flavours: Mapping[str, str] = field(default_factory=dict)
    """Flavours known to the adapter: name -> "" when it can run here, else the reason why not."""


@dataclass(frozen=True)
class Capabilities:
    """What an adapter can do. What it cannot do shows as "n/a" with a reason; nothing is approximated."""

    sources: tuple[str, ...]
    """What it builds from, in order of preference: "torch", "onnx"."""
    precisions: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    """Options that `contender?option=value` may set: name -> one line of help."""
    dynamic_shapes: bool = True
    streams: bool = False
    """Whether `Session.fork` gives further requests that run at the same time."""
    asynchronous: bool = False
    """Whether `Session.start` hands a request to a queue of the engine's own."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a field above is False: name of the field -> reason."""
    intermediate_outputs: bool = False
    """Whether `Backend.intermediates` gives the values of tensors inside a model."""
    layer_profile: bool = False
    """Whether `Backend.profile` tells the time of every layer."""
    device_events: bool = False
    """Whether `Session.events` times copies and inference on the device itself."""
    stages: Mapping[str, str] = field(default_factory=dict)
    """Stage name -> "" when the adapter separates it, else the reason why it cannot."""


ZERO_COPY = "zero_copy"
"""The engine reads (or hands out) host memory where it is."""
COPY = "copy"
"""The host copies into (or out of) memory that the engine owns."""
PINNED = "pinned"
"""Between page-locked host memory and the device."""
PAGEABLE = "pageable"
"""Between ordinary host memory and the device."""
PATHS = (ZERO_COPY, COPY, PINNED, PAGEABLE)


class DeviceEvents(Protocol):
    """Marks in the device's own queue of work, for times that the host cannot see."""

    def mark(self) -> object:
        """Put a mark behind the work that was started so far."""

    def elapsed_ns(self, start: object, end: object) -> int:
        """Nanoseconds on the device between two marks; waits for the later one."""


@dataclass(frozen=True)
class Artefact:
    """What *build* leaves and *load* takes. `bytes` is its size on disk, or in memory where `note` says so."""

    path: Path | None
    bytes: int | None
    note: str = ""


class BackendError(Exception):
    """An engine could not do what was asked. The message names what, and what would work instead."""

    kind = "error"


class UnavailableError(BackendError):
    """The engine, or the device that the flavour needs, is not here."""

    kind = "unavailable"


class UnsupportedError(BackendError):
    """The engine is here but cannot run this model, precision, option or shape."""

    kind = "unsupported"


class UncarriedError(UnsupportedError):
    """The adapter cannot carry a tensor of this type in or out; the engine itself may know it."""


class ContractError(BackendError):
    """Inputs or outputs broke the contract: a name, dtype or shape is not the declared one."""

    kind = "contract"


class StateError(BackendError):
    """Steps were called out of order; a fault of the caller, not of the engine."""

    kind = "state"

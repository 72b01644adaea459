"""Values that an engine has inside a model, named by the tensors of the model's ONNX file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from backends.contract import Array, Artefact, ContractError, Feeds, ModelSource, Variant


@dataclass(frozen=True)
class IntermediateRequest:
    """The model and inputs that `Backend.intermediates` was asked for, checked."""

    source: ModelSource
    artefact: Artefact
    variant: Variant
    feeds: Feeds


class IntermediateReader(Protocol):
    """What an adapter gives: the tensors whose values it has, and the values of some of them in one inference."""

    @property
    def tensors(self) -> tuple[str, ...]:
        """ONNX tensors that the engine computes, in topological order."""

    def read(self, tensors: Sequence[str]) -> dict[str, Array]:
        """Values by name, the caller's to keep; `tensors` are among `self.tensors`.

        Formats that numpy lacks are cast up exactly (bfloat16 to float32).
        """

    def run_part(self, given: Mapping[str, Array], target: str, folder: Path) -> Array:
        """The tensor `target`, computed from the tensors and inputs `given`; see `Backend.run_part`."""


def read_tensors(reader: IntermediateReader, tensors: Sequence[str], backend: str) -> dict[str, Array]:
    """Those of `tensors` that the engine has, in the given order. Raises ContractError for an adapter's fault."""
    there = set(reader.tensors)
    asked = [name for name in dict.fromkeys(tensors) if name in there]
    values = reader.read(asked) if asked else {}
    lost = [name for name in asked if name not in values]
    if lost:
        raise ContractError(f"{backend} says that it has the tensors {', '.join(lost)}, and gave none")
    for name in asked:
        if not isinstance(values[name], np.ndarray) or values[name].dtype.kind not in "biufc":
            raise ContractError(f"tensor {name!r} of {backend} came back as no array of numbers")
    return {name: values[name] for name in asked}

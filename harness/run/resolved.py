"""A model that was found: what it is called, takes and gives, and what an engine can build it from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.contract import ModelSource, TensorSpec
from harness.records import ModelRef, Tensor

EXPORT_DEADLINE_S = 900.0


@dataclass(frozen=True)
class ResolvedModel:
    """A model that exists, before inputs and references are made for one variant."""

    ref: ModelRef
    source: ModelSource
    ranges: Mapping[str, tuple[int, int]]
    limits: Mapping[str, int]
    """The largest size of a named dynamic dimension, where there is one."""


def tensors(specs: Sequence[TensorSpec]) -> tuple[Tensor, ...]:
    """A signature as records hold it."""
    return tuple(Tensor(name=s.name, dtype=s.dtype, shape=s.shape) for s in specs)

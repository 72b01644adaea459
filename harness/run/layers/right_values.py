"""The reference's values of a model's tensors, in float64 and float32, as files that are read one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from harness.run.layers.plan import Workshop

RUNS = {"float64": ("float64", None), "float32": ("float32", None), "neighbour": ("float32", 0)}
"""Runs of the reference: dtype, and the seed by which inputs and weights are moved by one rounding."""


@dataclass(frozen=True)
class RightValues:
    """Values by tensor name. `left_out` says why a tensor has none; `notes` what the reference is not worth."""

    float64: Mapping[str, Mapping[str, Any]]
    float32: Mapping[str, Mapping[str, Any]]
    neighbours: tuple[Mapping[str, Mapping[str, Any]], ...]
    """As `float32`, from inputs and weights moved by one rounding: one run may be exact by luck."""
    left_out: Mapping[str, str]
    notes: tuple[str, ...] = ()
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(self.float64) & frozenset(self.float32))

    def right(self, name: str) -> Array:
        """The value in float64; integers as they are."""
        return _load(self.float64[name])

    def yardstick(self, name: str) -> Array:
        """The value in float32; integers as they are."""
        return _load(self.float32[name])

    def neighbours_of(self, name: str) -> tuple[Array, ...]:
        """The values in float32 from moved numbers."""
        return tuple(_load(run[name]) for run in self.neighbours if name in run)

    def shape(self, name: str) -> tuple[int, ...]:
        """Sizes."""
        return tuple(self.float32[name]["shape"])

    def dtype(self, name: str) -> str:
        """The dtype of a model in float32."""
        return str(self.float32[name]["dtype"])

    def bytes(self, name: str) -> int:
        """Size of the value in float32."""
        return int(np.prod(self.shape(name), dtype=np.int64)) * np.dtype(self.dtype(name)).itemsize

    def remove(self) -> None:
        """Delete the files."""
        for run in (self.float64, self.float32, *self.neighbours):
            for entry in run.values():
                Path(entry["file"]).unlink(missing_ok=True)


def compute(
    workshop: Workshop, path: Path, feeds: Mapping[str, Array], tensors: Sequence[str] | None
) -> RightValues:
    """The values of `tensors` (None: of all) of the ONNX file `path`. Raises WorkerFailure."""
    runs = {
        name: {"dtype": dtype, "nudge": nudge, "folder": str(workshop.new_folder(name))}
        for name, (dtype, nudge) in RUNS.items()
    }
    arguments = {
        "path": str(path),
        "runs": runs,
        "tensors": None if tensors is None else list(tensors),
    }
    made, _ = workshop.job("suites.tensor_values:tensor_runs", arguments, feeds, "the reference's values")
    notes = []
    if made["float64"]["lower"]:
        notes.append(
            f"the ONNX reference evaluator computes {', '.join(made['float64']['lower'])} in float32: what comes after"
            " is judged less finely"
        )
    if made["float64"]["random"]:
        notes.append(
            f"the model draws random numbers ({', '.join(made['float64']['random'])}): what depends on them cannot be"
            " judged"
        )
    left_out = {**made["float32"]["left_out"], **made["float64"]["left_out"]}
    return RightValues(
        made["float64"]["tensors"],
        made["float32"]["tensors"],
        (made["neighbour"]["tensors"],),
        left_out,
        tuple(notes),
    )


def _load(entry: Mapping[str, Any]) -> Array:
    loaded: Array = np.load(entry["file"], allow_pickle=False)
    return loaded

"""The reference's values of a model's tensors, in float64 and float32, as files that are read one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from harness.run.layers.plan import Workshop

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class RightValues:
    """Values by tensor name. `left_out` says why a tensor has none; `notes` what the reference is not worth."""

    float64: Mapping[str, Mapping[str, Any]]
    float32: Mapping[str, Mapping[str, Any]]
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
        for entry in (*self.float64.values(), *self.float32.values()):
            Path(entry["file"]).unlink(missing_ok=True)


def compute(
    workshop: Workshop, path: Path, feeds: Mapping[str, Array], tensors: Sequence[str] | None
) -> RightValues:
    """The values of `tensors` (None: of all) of the ONNX file `path`. Raises WorkerFailure."""
    folder = workshop.new_folder("right")
    made = {}
    for dtype in DTYPES:
        arguments: dict[str, Any] = {"path": str(path), "folder": str(folder), "dtype": dtype}
        if tensors is not None:
            arguments["tensors"] = list(tensors)
        made[dtype], _ = workshop.job(
            "suites.tensor_values:tensor_values", arguments, feeds, f"values in {dtype}"
        )
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
    return RightValues(made["float64"]["tensors"], made["float32"]["tensors"], left_out, tuple(notes))


def _load(entry: Mapping[str, Any]) -> Array:
    loaded: Array = np.load(entry["file"], allow_pickle=False)
    return loaded

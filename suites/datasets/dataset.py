"""What a labelled data set is to the rest: so many items with labels or scores, read batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backends.contract import Array, TensorSpec
from suites.errors import ModelError


@dataclass(frozen=True)
class Asked:
    """What data are read for: a model's signature, and how its inputs are made.

    `pipeline` is NAME[:IMPLEMENTATION], or "" where there is none. `vocabulary` is a tokenizer's file, None for the one
    that belongs to the shipped encoders. `batch` is the number of rows in each batch of inputs.
    """

    model: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    dims: Mapping[str, int]
    batch: int
    pipeline: str = ""
    vocabulary: Path | None = None


class Dataset(Protocol):
    """Labelled items. Every batch of inputs has `Asked.batch` rows: the last one is filled with its own last row."""

    @property
    def form(self) -> str:
        """ "folder", "npz" or "jsonl"."""

    @property
    def task(self) -> str:
        """ "classification" or "similarity"."""

    @property
    def classes(self) -> int:
        """Classes that the model tells apart; 0 for a similarity."""

    @property
    def targets(self) -> Array:
        """By item: labels int64 [items], or the scores of pairs float64 [items]."""

    @property
    def rows(self) -> int:
        """Rows of inputs in all: one an item, two for a pair of texts."""

    @property
    def processing(self) -> str:
        """The pipeline and libraries that make inputs of items, "" for none."""

    def batch(self, index: int) -> dict[str, Array]:
        """Inputs by name of the rows from `index` times the batch on. Raises ModelError that names file and line."""


def class_output(asked: Asked) -> TensorSpec:
    """The model's one output float [batch, classes]; raises ModelError where there is none, or more than one."""
    fitting = [
        spec
        for spec in asked.outputs
        if len(spec.shape) == 2
        and isinstance(spec.shape[1], int)
        and spec.dtype.startswith(("float", "bfloat"))
    ]
    if len(fitting) != 1:
        shown = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in asked.outputs)
        raise ModelError(
            f"labels need a model with one output [batch, classes]; {asked.model!r} gives {shown}",
            "give data that fit the model's task: pairs of texts with a score for a text encoder",
        )
    return fitting[0]


def check_labels(labels: Array, classes: int, where: str) -> None:
    """Raise ModelError for a label that the model has no class for; `where` names the file."""
    for place, label in enumerate(labels.tolist()):
        if not 0 <= label < classes:
            raise ModelError(
                f"{where}: the label of item {place + 1} is {label}; the model has the classes 0 to {classes - 1}",
                "labels are the places of classes in the model's output",
            )


def padded(items: list[int], batch: int) -> list[int]:
    """`items`, filled up to `batch` with the last one."""
    return items + items[-1:] * (batch - len(items))

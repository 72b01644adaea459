"""What a layer search is asked for, and what its steps share: folders, deadlines, and the memory that they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from backends.contract import Array
from harness.records import ContenderRef, VariantRef
from harness.run.jobs import ask_job
from harness.run.resolved import ResolvedModel
from harness.run.worker import Worker

MEMORY = 1 << 30
"""Bytes that a search may take where nothing else is said."""
SHARE = 16
"""A batch of tensors takes at most this part of the memory: the engine, its adapter and its worker hold it too."""


@dataclass(frozen=True)
class LayerPlan:
    """Search `contender`, which runs `model`, for where it leaves `reference` on one input set.

    `reference` is the model itself, or another one with the same signature. `folder`: where the reproduction goes;
    None: none is written. `memory_limit`: bytes for all processes of the search, the engine's own need not counted;
    it decides how many tensors are looked at at once. `deadline_s`: for every single step; `budget_s`: after so
    many seconds of looking for the smallest part no further attempt is begun. `judged_as`: the precision whose budgets
    hold; empty: the contender's own.
    """

    model: ResolvedModel
    reference: ResolvedModel
    contender: ContenderRef
    variant: VariantRef
    feeds: Mapping[str, Array]
    input_set: str
    folder: Path | None = None
    memory_limit: int | None = None
    deadline_s: float = 120.0
    budget_s: float = 25.0
    judged_as: str = ""

    @property
    def precision(self) -> str:
        """The precision whose budgets hold."""
        return self.judged_as or self.contender.precision

    @property
    def batch_bytes(self) -> int:
        """Bytes of tensors to look at at once."""
        return (self.memory_limit or MEMORY) // SHARE

    @property
    def model_path(self) -> Path:
        """The ONNX file that the engine runs, or that its module was exported to."""
        assert self.model.source.onnx_path is not None
        return self.model.source.onnx_path

    @property
    def reference_path(self) -> Path:
        """The ONNX file that says what is right."""
        assert self.reference.source.onnx_path is not None
        return self.reference.source.onnx_path

    @property
    def one_model(self) -> bool:
        """Whether the model is its own reference."""
        return self.model.source.sha256 == self.reference.source.sha256


@dataclass
class Workshop:
    """A folder for what is in between, and the most memory that this process and a worker of it took together."""

    plan: LayerPlan
    folder: Path
    peak_bytes: int = 0
    numbers: int = field(default=0)

    def job(
        self, function: str, arguments: Mapping[str, Any], arrays: Mapping[str, Array] | None, phase: str
    ) -> tuple[dict[str, Any], dict[str, Array]]:
        """`run_job` with the plan's threads and deadline; its memory is noted."""
        with Worker(function, threads=self.plan.variant.threads) as worker:
            answer = ask_job(
                worker, function, arguments, arrays, deadline_s=self.plan.deadline_s, phase=phase
            )
            self.note(worker)
        return answer

    def note(self, worker: Worker) -> None:
        """Count what a worker took at most, with what this process holds now."""
        peak = worker.peak_bytes()
        if peak is not None:
            self.peak_bytes = max(self.peak_bytes, peak + psutil.Process().memory_info().rss)

    def new_folder(self, name: str) -> Path:
        """A fresh folder."""
        self.numbers += 1
        made = self.folder / f"{self.numbers:03d}-{name}"
        made.mkdir(parents=True)
        return made

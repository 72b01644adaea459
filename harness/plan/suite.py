"""What a suite file means: models found, contenders read, values in the harness's units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.judge.gate_types import Gate
from harness.records import ContenderRef, Settings

Auto = Literal["auto"]


@dataclass(frozen=True)
class SuiteModel:
    """`model` is a built-in name or the path of an ONNX file; `name` is what it is called; `dims` are sizes of
    dynamic dimensions beside the batch."""

    model: str
    name: str
    dims: Mapping[str, int] = field(default_factory=dict)
    pipeline: str = ""
    """Pre- and post-processing, NAME[:IMPLEMENTATION]; empty: the model's own; none: without."""
    items: tuple[Path, ...] = ()
    """Files to feed the pipeline with; empty: the shipped ones."""


@dataclass(frozen=True)
class Exclusion:
    """Leaves out the cases that match all that is given: `model` is a name, `contender` a canonical text."""

    model: str | None = None
    contender: str | None = None
    batch: int | None = None
    threads: int | Auto | None = None

    def matches(self, model: str, contender: str, batch: int, threads: int, default_threads: int) -> bool:
        """Whether a case is left out; "auto" stands for `default_threads`."""
        wanted = default_threads if self.threads == "auto" else self.threads
        return (
            self.model in (None, model)
            and self.contender in (None, contender)
            and self.batch in (None, batch)
            and wanted in (None, threads)
        )


@dataclass(frozen=True)
class SuiteGate:
    """A gate; `auto_threads`: it holds for the default number of threads, which only the machine knows."""

    gate: Gate
    auto_threads: bool = False


@dataclass(frozen=True)
class Suite:
    """A matrix of cases, how to measure them, and what must hold."""

    path: Path
    name: str
    description: str
    models: tuple[SuiteModel, ...]
    contenders: tuple[ContenderRef, ...]
    batch: tuple[int, ...]
    threads: tuple[int | Auto, ...]
    scenarios: tuple[str, ...]
    settings: Settings
    exclude: tuple[Exclusion, ...] = ()
    gates: tuple[SuiteGate, ...] = ()

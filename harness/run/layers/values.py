"""Values of tensors inside a contender, in two ways: a marked ONNX file, or the engine's own word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from backends.contract import Array, ModelSource, TensorSpec
from harness.run.layers.engine import Fusions, Loaded, read_fusions, run_engine
from harness.run.layers.plan import Workshop
from harness.run.layers.right_values import RightValues
from harness.run.worker import WorkerFailure

_SPLITS = 24
"""Attempts at most after a failed one, until the tensor that the engine does not hand out is found."""


@dataclass(frozen=True)
class Reading:
    """Values of one turn: of inner tensors, of the outputs in the same inference, and why some have none."""

    tensors: Mapping[str, Array] = field(default_factory=dict)
    outputs: Mapping[str, Array] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Graphs:
    """What is known of the model's file: a copy with the weights beside it, types of tensors, and those that vary."""

    skeleton: Path
    types: Mapping[str, Mapping[str, Any]]
    varying: frozenset[str]


class EngineValues(Protocol):
    """Where values of the engine come from."""

    def whole(self) -> tuple[Mapping[str, Array], Fusions]:
        """The outputs of the model as it is, and what the engine materialises, as far as it tells."""

    def read(self, tensors: Sequence[str]) -> Iterable[Reading]:
        """Values of `tensors`, in one or more turns."""

    @property
    def enters(self) -> frozenset[str]:
        """Tensors at which a part of the model can begin."""

    def part(
        self, path: Path, inputs: tuple[TensorSpec, ...], output: TensorSpec, feeds: Mapping[str, Array]
    ) -> Array:
        """`output` as the engine computes the part in the ONNX file `path` from `feeds`, alone.

        What the adapter's script needs to do the same is left beside the file. Raises WorkerFailure.
        """

    def close(self) -> None:
        """End what is running."""


class MarkedValues:
    """For an engine that builds from ONNX: files in which the tensors are outputs."""

    def __init__(self, workshop: Workshop, graphs: Graphs, right: RightValues) -> None:
        self._workshop, self._graphs, self._right = workshop, graphs, right
        self._left = _SPLITS
        self.version = ""

    def whole(self) -> tuple[Mapping[str, Array], Fusions]:
        """Run the model's own file, and profile it by layer."""
        plan = self._workshop.plan
        with Loaded(self._workshop, plan.model.source, plan.feeds) as loaded:
            self.version = loaded.version
            outputs = loaded.outputs()
            return outputs, read_fusions(self._workshop, loaded)

    def read(self, tensors: Sequence[str]) -> Iterable[Reading]:
        """Mark them all in one file; where the engine refuses it, halves, until those that it refuses are found."""
        asked = list(tensors)
        if not asked:
            return
        try:
            yield self._read(asked)
        except WorkerFailure as failure:
            if len(asked) == 1 or self._left <= 0:
                yield Reading(missing=dict.fromkeys(asked, f"not handed out: {failure.message}"))
                return
            self._left -= 1
            half = len(asked) // 2
            yield from self.read(asked[:half])
            yield from self.read(asked[half:])

    def _read(self, tensors: Sequence[str]) -> Reading:
        plan, workshop = self._workshop.plan, self._workshop
        workshop.numbers += 1
        target = self._graphs.skeleton.with_name(f"marked-{workshop.numbers}.onnx")
        specs = tuple(TensorSpec(name, *self._type(name)) for name in tensors)
        workshop.job(
            "suites.marked:mark",
            {
                "path": str(self._graphs.skeleton),
                "to": str(target),
                "tensors": list(tensors),
                "types": {spec.name: {"dtype": spec.dtype, "shape": list(spec.shape)} for spec in specs},
            },
            None,
            "marking tensors",
        )
        source = plan.model.source
        marked = replace(
            source,
            onnx_path=target,
            sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
            outputs=(*source.outputs, *specs),
            torch_factory=None,
            weights_path=None,
        )
        try:
            answer = run_engine(workshop, marked, plan.feeds)
        finally:
            target.unlink()
        outputs = {spec.name for spec in source.outputs}
        return Reading(
            {name: answer.outputs[name] for name in tensors if name in answer.outputs},
            {name: value for name, value in answer.outputs.items() if name in outputs},
            {name: "the engine did not return it" for name in tensors if name not in answer.outputs},
        )

    def _type(self, name: str) -> tuple[str, tuple[int | str, ...]]:
        told = self._graphs.types.get(name)
        if told is not None:
            return str(told["dtype"]), tuple(told["shape"])
        return self._right.dtype(name), self._right.shape(name)

    @property
    def enters(self) -> frozenset[str]:
        """All of them: a file can be cut anywhere."""
        return self._right.names

    def part(
        self, path: Path, inputs: tuple[TensorSpec, ...], output: TensorSpec, feeds: Mapping[str, Array]
    ) -> Array:
        """Build, load and run the part as a model of its own."""
        source = ModelSource(
            name=f"part of {self._workshop.plan.model.source.name}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            inputs=inputs,
            outputs=(output,),
            onnx_path=path,
        )
        return run_engine(self._workshop, source, feeds).outputs[output.name]

    def close(self) -> None:
        """Every file has a worker of its own, which has ended."""


class HandedValues:
    """For an engine that hands out values of its own accord (`Backend.intermediates`)."""

    def __init__(self, workshop: Workshop) -> None:
        plan = workshop.plan
        self._workshop = workshop
        self._loaded = Loaded(workshop, plan.model.source, plan.feeds)
        self._loaded.open()
        self.version = self._loaded.version
        try:
            self._there = self._loaded.intermediates(())[1]
        except BaseException:
            self._loaded.close()
            raise

    def whole(self) -> tuple[Mapping[str, Array], Fusions]:
        """The outputs of the session; all that the engine hands out is computed as such."""
        return self._loaded.outputs(), Fusions(tuple(self._there), {})

    def read(self, tensors: Sequence[str]) -> Iterable[Reading]:
        """Values by the worker's request "intermediates", the outputs among them."""
        if tensors:
            outputs = [spec.name for spec in self._workshop.plan.model.source.outputs]
            values, _, missing = self._loaded.intermediates([*tensors, *outputs])
            yield Reading(
                {name: values[name] for name in tensors if name in values},
                {name: values[name] for name in outputs if name in values},
                {name: "the engine has no such tensor" for name in missing if name not in outputs},
            )

    @property
    def enters(self) -> frozenset[str]:
        """Those that it hands out."""
        return frozenset(self._there)

    def part(
        self, path: Path, inputs: tuple[TensorSpec, ...], output: TensorSpec, feeds: Mapping[str, Array]
    ) -> Array:
        """Let the engine run the part of its own model; the file is a description only."""
        return self._loaded.part(feeds, output.name, path.parent)

    def close(self) -> None:
        """End the worker."""
        self._loaded.close()


def engine_values(workshop: Workshop, graphs: Graphs, right: RightValues) -> MarkedValues | HandedValues:
    """The engine's own word where it gives it, else marked files.

    Raises WorkerFailure when the model cannot be loaded.
    """
    try:
        return HandedValues(workshop)
    except WorkerFailure as failure:
        if failure.status != "unsupported" or failure.phase != "intermediates":
            raise
        return MarkedValues(workshop, graphs, right)

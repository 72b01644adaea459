"""What is known of every tensor of the model so far: judged values, and the values themselves as files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from backends.contract import Array
from harness.judge.layer_search import Graph
from harness.judge.tensor_error import relative_change, tensor_error
from harness.records.layers import TensorError
from harness.run.layers.plan import Workshop
from harness.run.layers.right_values import RightValues
from harness.run.layers.values import Reading

Seen = Literal["whole", "marked", "broken"]


@dataclass(frozen=True)
class Turn:
    """One reading: the judged tensors by name, and their values as files."""

    tensors: Mapping[str, TensorError]
    files: Mapping[str, Path]

    def value(self, name: str) -> Array:
        """The engine's value of a tensor."""
        loaded: Array = np.load(self.files[name], allow_pickle=False)
        return loaded


class Sightings:
    """Judges values as they come. What is seen first counts; later turns are kept beside it."""

    def __init__(self, workshop: Workshop, graph: Graph, right: RightValues) -> None:
        self._workshop, self._graph, self._right = workshop, graph, right
        self.tensors: dict[str, TensorError] = {}
        self.turns: list[Turn] = []
        self.unseen: dict[str, str] = {}
        self.moved: dict[str, float] = {}
        """Outputs that marking changed, and by how many yardsticks at most."""
        self._outputs: dict[str, Path] = {}

    def add_whole(self, outputs: Mapping[str, Array]) -> None:
        """Judge the outputs of the model as it is."""
        turn = self._turn(outputs, "whole")
        self._outputs = dict(turn.files)
        self.turns.append(turn)
        self.tensors |= turn.tensors

    def add(self, readings: Iterable[Reading], seen: Seen) -> list[Turn]:
        """Judge readings of inner tensors; returns their turns."""
        added = []
        for reading in readings:
            self.unseen |= reading.missing
            if not reading.tensors:
                continue
            turn = self._turn({**reading.outputs, **reading.tensors}, seen)
            for name, tensor in turn.tensors.items():
                self.tensors.setdefault(name, tensor)
            self._note_moves(reading.outputs)
            added.append(turn)
        self.turns += added
        return added

    def judge(self, name: str, actual: Array, values: RightValues, seen: str) -> TensorError:
        """One tensor as a record, by the right `values`."""
        node = self._graph.producer.get(name)
        precision = self._workshop.plan.precision
        figures = tensor_error(
            actual, values.right(name), values.yardstick(name), precision, values.neighbours_of(name)
        )
        return TensorError.model_validate(
            {
                "name": name,
                "operator": node.operator if node else "",
                "node": node.name if node else "",
                "inputs": node.inputs if node else (),
                "output": name in self._graph.outputs,
                "seen": seen,
                **vars(figures),
            }
        )

    def _turn(self, values: Mapping[str, Array], seen: Seen) -> Turn:
        folder = self._workshop.new_folder("engine")
        judged, files = {}, {}
        for number, (name, value) in enumerate(values.items()):
            if name not in self._right.names:
                continue
            judged[name] = self.judge(name, value, self._right, seen)
            files[name] = folder / f"{number}.npy"
            np.save(files[name], value)
        return Turn(judged, files)

    def _note_moves(self, outputs: Mapping[str, Array]) -> None:
        for name, value in outputs.items():
            if name in self._outputs:
                before = np.load(self._outputs[name], allow_pickle=False)
                moved = relative_change(value, before, self._right.right(name), self._right.yardstick(name))
                self.moved[name] = max(self.moved.get(name, 0.0), moved)

    def all_tensors(self) -> tuple[TensorError, ...]:
        """Every tensor of the graph in topological order, those without a value too."""
        return tuple(
            self.tensors.get(name) or self._blank(name, node.operator, node.name, node.inputs)
            for node in self._graph.nodes
            for name in node.outputs
        )

    def _blank(self, name: str, operator: str, node: str, inputs: tuple[str, ...]) -> TensorError:
        return TensorError(
            name=name,
            operator=operator,
            node=node,
            inputs=inputs,
            status="unseen",
            reason=self.unseen.get(name, ""),
            output=name in self._graph.outputs,
        )

"""A simulated engine: the reference's own numbers in float32, with a fault that the test decides on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from backends.contract import Array, TensorSpec
from harness.run.layers.engine import Fusions
from harness.run.layers.plan import Workshop
from harness.run.layers.values import Reading
from suites.evaluator import evaluate

Fault = Callable[[str, Array, frozenset[str]], Array]
"""(tensor, its value, the tensors that are handed out) -> what the engine has."""


class Simulated:
    """Computes node by node, so that a fault goes on from where it is."""

    version = "0"

    def __init__(self, workshop: Workshop, fault: Fault, fusions: Fusions, enters: frozenset[str]) -> None:
        self._plan, self._fault, self._fusions = workshop.plan, fault, fusions
        self._graph = onnx.load(workshop.plan.model_path)
        self._outputs = [value.name for value in self._graph.graph.output]
        self.enters = enters
        self.asked: list[tuple[str, ...]] = []

    def whole(self) -> tuple[Mapping[str, Array], Fusions]:
        found = self._run(self._graph, self._plan.feeds, frozenset())
        return {name: found[name] for name in self._outputs}, self._fusions

    def read(self, tensors: Sequence[str]) -> Iterable[Reading]:
        self.asked.append(tuple(tensors))
        found = self._run(self._graph, self._plan.feeds, frozenset(tensors))
        yield Reading({n: found[n] for n in tensors}, {n: found[n] for n in self._outputs})

    def part(
        self, path: Path, _inputs: tuple[TensorSpec, ...], output: TensorSpec, feeds: Mapping[str, Array]
    ) -> Array:
        return self._run(onnx.load(path), feeds, frozenset())[output.name]

    def close(self) -> None:
        pass

    def _run(self, model: Any, feeds: Mapping[str, Array], handed: frozenset[str]) -> dict[str, Array]:
        found: dict[str, Array] = dict(feeds)
        for node in model.graph.node:
            single = onnx.ModelProto.FromString(model.SerializeToString())
            del single.graph.node[:]
            single.graph.node.append(node)
            del single.graph.output[:]
            single.graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
            names = [name for name in node.output if name]
            for name, value in zip(names, evaluate(single, "node", names, found, exact=False), strict=True):
                found[name] = self._fault(name, np.asarray(value), handed)
        return found

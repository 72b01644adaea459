"""The smallest part of the model that fails by itself: grown from the place of the error, then shrunk."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import Array, ModelSource, TensorSpec
from harness.judge.layer_search import Graph
from harness.records.layers import Place, Subgraph, TensorError
from harness.run.layers import right_values
from harness.run.layers.engine import run_engine
from harness.run.layers.places import Search
from harness.run.layers.reproduction import adapter_facts, write_reproduction
from harness.run.layers.right_values import RightValues
from harness.run.observer import Observer
from harness.run.worker import WorkerFailure

ATTEMPTS = 14
STEPS = (0, 1, 2, 4, 8, 16)
"""How far back from the place the parts reach that are tried, in nodes."""


@dataclass(frozen=True)
class Part:
    """A part that was run alone: its file, what it was fed with, what is right, and the engine's error."""

    path: Path
    feeds: Mapping[str, Array]
    output: str
    expected: RightValues
    nodes: tuple[Mapping[str, Any], ...]
    error: TensorError
    tensors: frozenset[str]


def minimise(search: Search, place: Place, observer: Observer) -> Subgraph:
    """Find the smallest failing part at `place`, and write a folder that repeats it where one was asked for."""
    plan = search.workshop.plan
    try:
        facts = adapter_facts(search.workshop)
        if "onnx" not in facts["sources"]:
            return Subgraph(
                status="unavailable",
                reason=f"{plan.contender.backend} builds from {' or '.join(facts['sources'])}, not from ONNX:"
                " a part of the file cannot be given to it",
            )
        tries = _Tries(search, place)
        part = tries.smallest(observer)
    except WorkerFailure as failure:
        return Subgraph(
            status="unavailable", reason=f"parts of the model could not be run: {failure.message}"
        )
    if part is None:
        return Subgraph(
            status="only_in_whole",
            reason=tries.problem or f"none of {tries.count} parts around {place.tensor} fails alone",
            attempts=tries.count,
        )
    folder, reason = write_reproduction(search, place, part, facts)
    return Subgraph(
        status="fails",
        nodes=tuple(name for node in part.nodes for name in node["outputs"]),
        operators=tuple(str(node["operator"]) for node in part.nodes),
        inputs=tuple(part.feeds),
        outputs=(part.output,),
        error=part.error,
        attempts=tries.count,
        folder=folder,
        reproduction=reason,
    )


def reach(graph: Graph, start: Iterable[str], steps: int, varying: frozenset[str]) -> frozenset[str]:
    """`start` and the tensors at most `steps` nodes before it; constants are no step and always inside."""
    inside = set(start)
    edge = set(inside)
    for _ in range(steps):
        edge = {name for tensor in edge for name in graph.inputs_of(tensor) if name in varying} - inside
        inside |= edge
    return frozenset(inside)


def boundary(graph: Graph, inside: frozenset[str], varying: frozenset[str]) -> tuple[str, ...]:
    """Tensors outside that those `inside` are computed from."""
    read = {name for tensor in inside for name in graph.inputs_of(tensor) if name in varying}
    return graph.ordered(read - inside)


def without(graph: Graph, inside: frozenset[str], dropped: str, target: str) -> frozenset[str]:
    """`inside` without `dropped`, and without what then no longer leads to `target`."""
    allowed = inside - {dropped}
    kept, waiting = {target}, [target]
    while waiting:
        for name in graph.inputs_of(waiting.pop()):
            if name in allowed and name not in kept:
                kept.add(name)
                waiting.append(name)
    return frozenset(kept)


class _Tries:
    """Attempts at parts; they end when there have been `ATTEMPTS` of them, or the plan's budget is over."""

    def __init__(self, search: Search, place: Place) -> None:
        self._search, self._place = search, place
        self._end = time.monotonic() + search.workshop.plan.budget_s
        self.count = 0
        self.problem = ""
        self._tried: dict[frozenset[str], Part | None] = {}

    @property
    def _over(self) -> bool:
        return self.count >= ATTEMPTS or time.monotonic() > self._end

    def smallest(self, observer: Observer) -> Part | None:
        """Grow until it fails, then drop what is not needed."""
        graph, varying = self._search.graph, self._search.graphs.varying
        target = self._place.tensor
        start = self._place.group if self._place.verdict == "fusion" else (target,)
        failing: Part | None = None
        for steps in STEPS:
            if self._over:
                break
            observer.step(f"{self._search.workshop.plan.contender.text}: a part of the model alone")
            failing = self._try(reach(graph, {*start, target}, steps, varying))
            if failing is not None:
                break
        while failing is not None and not self._over:
            smaller = self._smaller(failing)
            if smaller is None:
                break
            failing = smaller
        return failing

    def _smaller(self, part: Part) -> Part | None:
        """The part without one of its nodes, if it still fails; those farthest from the target are tried first."""
        target = self._place.tensor
        for name in self._search.graph.ordered(part.tensors - {target}):
            if self._over:
                return None
            found = self._try(without(self._search.graph, part.tensors, name, target))
            if found is not None:
                return found
        return None

    def _try(self, inside: frozenset[str]) -> Part | None:
        """Run the part that computes `inside`; None where it is right, or cannot be run."""
        if inside in self._tried:
            return self._tried[inside]
        self.count += 1
        try:
            part = self._run(inside)
        except WorkerFailure as failure:
            self.problem = failure.message
            part = None
        kept = part if part is not None and part.error.status == "beyond" else None
        self._tried[inside] = kept
        return kept

    def _run(self, inside: frozenset[str]) -> Part | None:
        search, target = self._search, self._place.tensor
        plan, right = search.workshop.plan, search.right
        outer = boundary(search.graph, inside, search.graphs.varying)
        if not right.names.issuperset(outer):
            return None
        given = {name: right.yardstick(name) for name in outer}
        path = search.workshop.new_folder("part") / "model.onnx"
        types = search.graphs.types
        arguments: dict[str, Any] = {
            "outputs": [target],
            "dtypes": {name: types[name]["dtype"] for name in outer if name in types},
            "types": {
                target: {
                    "dtype": types.get(target, {}).get("dtype", right.dtype(target)),
                    "shape": list(right.shape(target)),
                }
            },
        }
        told, feeds = search.workshop.job(
            "suites.subgraph:cut",
            {**arguments, "path": str(plan.model_path), "to": str(path)},
            {**plan.feeds, **given},
            "cutting out a part",
        )
        if not told["inputs"]:
            return None
        expected = self._expected(arguments, feeds, path)
        if target not in expected.names:
            self.problem = expected.left_out.get(target, "the reference has no value of it")
            return None
        source = ModelSource(
            name=f"part of {plan.model.source.name}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            inputs=tuple(TensorSpec.from_json(entry) for entry in told["inputs"]),
            outputs=(TensorSpec(target, **_spec(arguments["types"], target)),),
            onnx_path=path,
        )
        actual = run_engine(search.workshop, source, feeds).outputs[target]
        error = search.sightings.judge(target, actual, expected, "marked")
        return Part(path, feeds, target, expected, tuple(told["nodes"]), error, inside)

    def _expected(self, arguments: Mapping[str, Any], feeds: Mapping[str, Array], path: Path) -> RightValues:
        """What the reference makes of the same inputs."""
        search, target = self._search, self._place.tensor
        plan = search.workshop.plan
        if not plan.one_model:
            theirs = path.with_name("reference.onnx")
            _, feeds = search.workshop.job(
                "suites.subgraph:cut",
                {**arguments, "path": str(plan.reference_path), "to": str(theirs)},
                feeds,
                "cutting out a part",
            )
            path = theirs
        return right_values.compute(search.workshop, path, feeds, [target])


def _spec(types: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"dtype": str(types[name]["dtype"]), "shape": tuple(types[name]["shape"])}

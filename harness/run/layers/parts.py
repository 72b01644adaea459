"""Parts of the model, run alone by the engine and computed by the reference from the same inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import Array, TensorSpec
from harness.judge.layer_search import Graph
from harness.records.layers import TensorError
from harness.run.layers import right_values
from harness.run.layers.places import Search
from harness.run.layers.right_values import RightValues
from harness.run.layers.values import HandedValues, MarkedValues


class PartError(Exception):
    """A part could not be compared; the message says why."""


@dataclass(frozen=True)
class Part:
    """A part that was run alone: its folder with `model.onnx`, what it was fed with, what is right, and the error."""

    folder: Path
    feeds: Mapping[str, Array]
    output: str
    expected: RightValues
    nodes: tuple[Mapping[str, Any], ...]
    error: TensorError
    tensors: frozenset[str]


def reach(graph: Graph, start: Iterable[str], steps: int, varying: frozenset[str]) -> frozenset[str]:
    """`start` and the tensors at most `steps` nodes before it; constants are no step and always inside."""
    inside = set(start)
    edge = set(inside)
    for _ in range(steps):
        edge = {name for tensor in edge for name in graph.inputs_of(tensor) if name in varying} - inside
        inside |= edge
    return frozenset(inside)


def boundary(graph: Graph, inside: Iterable[str], varying: frozenset[str]) -> tuple[str, ...]:
    """Tensors outside that those `inside` are computed from."""
    kept = set(inside)
    read = {name for tensor in kept for name in graph.inputs_of(tensor) if name in varying}
    return graph.ordered(read - kept)


def closed(
    graph: Graph, inside: frozenset[str], varying: frozenset[str], usable: frozenset[str]
) -> frozenset[str]:
    """`inside`, with as much before it as it takes until only `usable` tensors enter."""
    kept = set(inside)
    while entering := [name for name in boundary(graph, kept, varying) if name not in usable]:
        kept.update(entering)
    return frozenset(kept)


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


def run_part(
    search: Search, values: MarkedValues | HandedValues, inside: frozenset[str], target: str
) -> Part:
    """Run the part that computes the tensors `inside`, the last of them `target`, on the reference's values.

    Raises WorkerFailure where a step fails, and PartError where there is nothing to compare.
    """
    workshop, plan, right = search.workshop, search.workshop.plan, search.right
    outer = boundary(search.graph, inside, search.graphs.varying)
    folder = workshop.new_folder("part")
    path = folder / "model.onnx"
    types = search.graphs.types
    spec = TensorSpec(target, types.get(target, {}).get("dtype", right.dtype(target)), right.shape(target))
    arguments = {
        "outputs": [target],
        "dtypes": {name: types[name]["dtype"] for name in outer if name in types},
        "types": {target: spec.to_json()},
    }
    told, feeds = workshop.job(
        "suites.subgraph:cut",
        {**arguments, "path": str(plan.model_path), "to": str(path)},
        {**plan.feeds, **{name: right.yardstick(name) for name in outer}},
        "cutting out a part",
    )
    if not told["inputs"]:
        raise PartError(f"{target} depends on no input")
    expected = _expected(search, arguments, feeds, path)
    if target not in expected.names:
        raise PartError(expected.left_out.get(target, "the reference has no value of it"))
    inputs = tuple(TensorSpec.from_json(entry) for entry in told["inputs"])
    actual = values.part(path, inputs, spec, feeds)
    error = search.sightings.judge(target, actual, expected, "marked")
    return Part(folder, feeds, target, expected, tuple(told["nodes"]), error, inside)


def _expected(
    search: Search, arguments: Mapping[str, Any], feeds: Mapping[str, Array], path: Path
) -> RightValues:
    """What the reference makes of the same inputs."""
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
    return right_values.compute(search.workshop, path, feeds, arguments["outputs"])

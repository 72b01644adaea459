"""What is wrong where an error begins: the part there is computed by the reference from the engine's own values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.contract import Array
from harness.judge.layer_search import Graph, frontier, suspects
from harness.judge.layer_words import place_words
from harness.records.layers import Difference, Place, PlaceVerdict, TensorError
from harness.run.layers import right_values
from harness.run.layers.engine import Fusions
from harness.run.layers.plan import Workshop
from harness.run.layers.right_values import RightValues
from harness.run.layers.sightings import Sightings, Turn
from harness.run.layers.values import Graphs
from harness.run.worker import WorkerFailure

MOST_BEFORE = 8
"""Differences before a place that are kept."""


@dataclass(frozen=True)
class Search:
    """What the steps of a search share once the tensors have been seen."""

    workshop: Workshop
    graph: Graph
    graphs: Graphs
    right: RightValues
    sightings: Sightings
    fusions: Fusions


def examine(search: Search, tensor: str) -> Place:
    """The finding at `tensor`, which is beyond its budget and computed from tensors within theirs."""
    seen = search.sightings.tensors[tensor]
    turn = _best_turn(search, tensor)
    between = suspects(search.graph, tensor, turn.files) if turn else ()
    unseen = tuple(name for name in between if name in search.graphs.varying)
    alone, why = _alone(search, tensor, turn)
    verdict: PlaceVerdict = "unchecked"
    if _vanishes(search, tensor):
        verdict = "fusion"
    elif alone is not None:
        verdict = "operator" if alone.status == "beyond" else "amplified"
    group = _fused(search, tensor) or (*unseen, tensor) if verdict == "fusion" or unseen else ()
    node = search.graph.producer[tensor]
    differences = _differences(search, (*(group if verdict == "fusion" else ()), tensor))
    if not differences and verdict != "operator":
        differences = _differences_before(search, tensor)
    return Place(
        tensor=tensor,
        operator=node.operator,
        node=node.name,
        verdict=verdict,
        words=place_words(seen, verdict, alone, group, differences, why),
        group=group,
        alone=alone,
        differences=differences,
    )


def _fused(search: Search, tensor: str) -> tuple[str, ...]:
    """Tensors of the layer that makes `tensor`, itself the last; empty where the engine tells of no fusion there."""
    fused = (search.fusions.fused or {}).get(tensor, ())
    return search.graph.ordered({*fused, tensor}) if fused else ()


def _vanishes(search: Search, tensor: str) -> bool:
    """Whether the tensor is within its budget as soon as the engine hands out what it fuses into it."""
    later = [turn.tensors[tensor] for turn in search.sightings.turns if tensor in turn.tensors]
    return any(again.status == "within" and again.seen == "broken" for again in later[1:])


def _alone(search: Search, tensor: str, turn: Turn | None) -> tuple[TensorError | None, str]:
    """The tensor's error against the reference fed with the engine's values of what it is computed from."""
    if turn is None:
        return None, "the engine's values of its inputs were not seen in one inference with it"
    given = {name: turn.value(name) for name in frontier(search.graph, tensor, turn.files)}
    return error_from(search, tensor, given, turn.value(tensor), turn.tensors[tensor].seen)


def _best_turn(search: Search, tensor: str) -> Turn | None:
    """The turn that saw the tensor beyond its budget and the fewest unknown tensors before it."""
    turns = [
        turn
        for turn in search.sightings.turns
        if tensor in turn.tensors and turn.tensors[tensor].status == "beyond"
    ]
    return min(turns, key=lambda turn: len(suspects(search.graph, tensor, turn.files)), default=None)


def error_from(
    search: Search, tensor: str, given: Mapping[str, Array], actual: Array, seen: str
) -> tuple[TensorError | None, str]:
    """The error of `actual` against what the reference makes of the tensors `given`; or None, and why."""
    plan = search.workshop.plan
    folder = search.workshop.new_folder("alone")
    part = folder / "part.onnx"
    made = None
    try:
        _, feeds = search.workshop.job(
            "suites.subgraph:cut",
            {
                "path": str(plan.reference_path),
                "to": str(part),
                "outputs": [tensor],
                "types": {
                    tensor: {"dtype": search.right.dtype(tensor), "shape": list(search.right.shape(tensor))}
                },
            },
            {**plan.feeds, **given},
            "cutting out a part",
        )
        made = right_values.compute(search.workshop, part, feeds, [tensor])
        if tensor not in made.names:
            return None, made.left_out.get(tensor, "the reference has no value of it")
        return search.sightings.judge(tensor, actual, made, seen), ""
    except WorkerFailure as failure:
        return None, failure.message
    finally:
        part.unlink(missing_ok=True)
        if made is not None:
            made.remove()


def _differences(search: Search, tensors: Sequence[str]) -> tuple[Difference, ...]:
    """What differs between the nodes that make `tensors` in the model and in the reference."""
    return tuple(
        Difference(what=entry["what"], model=entry["model"], reference=entry["reference"])
        for entry in _compared(search, tensors)
    )


def _differences_before(search: Search, tensor: str) -> tuple[Difference, ...]:
    """The same of all that `tensor` is computed from: a change may leave no budget until it is amplified."""
    producer = search.graph.producer
    entries = _compared(search, search.graph.ordered(search.graph.ancestors([tensor])))
    return tuple(
        Difference(
            what=f"before it, {entry['what']} of {producer[entry['tensor']].operator} {entry['tensor']}",
            model=entry["model"],
            reference=entry["reference"],
        )
        for entry in entries[:MOST_BEFORE]
    )


def _compared(search: Search, tensors: Sequence[str]) -> list[dict[str, str]]:
    plan = search.workshop.plan
    if plan.one_model:
        return []
    try:
        answer, _ = search.workshop.job(
            "suites.node_differences:differences",
            {
                "model": str(plan.model_path),
                "reference": str(plan.reference_path),
                "tensors": list(dict.fromkeys(tensors)),
            },
            None,
            "comparing nodes",
        )
    except WorkerFailure:
        return []  # the finding stands without it
    entries: list[dict[str, str]] = answer["differences"]
    return entries

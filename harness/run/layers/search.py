"""Finds where a contender's error begins: sees what the engine computes anyway, then looks closer."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness.judge.layer_search import (
    Graph,
    Node,
    batches,
    beginnings,
    frontier,
    seen_tensors,
    spread,
    suspects,
)
from harness.records.layers import LayerSearch, Place, Subgraph, TensorError
from harness.run.layers import right_values
from harness.run.layers.engine import Fusions
from harness.run.layers.minimise import minimise
from harness.run.layers.notes import search_notes
from harness.run.layers.places import Search, examine
from harness.run.layers.plan import LayerPlan, Workshop
from harness.run.layers.right_values import RightValues
from harness.run.layers.sightings import Sightings
from harness.run.layers.values import Graphs, HandedValues, MarkedValues, engine_values
from harness.run.observer import Observer
from harness.run.worker import WorkerFailure

COARSE = 24
"""Tensors marked at first where the engine does not tell what it fuses."""
CLOSE = 48
"""Tensors marked at once to look closer."""
LOOKS = 8
"""Closer looks at most."""
PLACES = 4
"""Independent beginnings that are looked at closely."""


def search_layers(plan: LayerPlan, observer: Observer) -> LayerSearch:
    """Search; never raises for an engine that fails: that is a status of the answer."""
    started = time.monotonic()
    if plan.model.source.onnx_path is None or plan.reference.source.onnx_path is None:
        return LayerSearch(
            status="unavailable",
            reason="the model has no ONNX file whose tensors could be compared",
            contender=plan.contender,
            variant=plan.variant,
            input_set=plan.input_set,
        )
    with tempfile.TemporaryDirectory(prefix="harness-layers-") as folder:
        workshop = Workshop(plan, Path(folder))
        try:
            found = _search(workshop, observer)
        except WorkerFailure as failure:
            found = _failed(plan, failure.message).model_copy(update={"failure": failure.record()})
        except OSError as error:
            # The values of all tensors lie in files until they have been judged.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            found = _failed(plan, f"temporary files cannot be written: {os.strerror(errno.ENOSPC)}")
    return found.model_copy(
        update={
            "seconds": time.monotonic() - started,
            "memory_bytes": workshop.peak_bytes or None,
            "reference": plan.reference.ref.name,
        }
    )


def _failed(plan: LayerPlan, reason: str) -> LayerSearch:
    if os.strerror(errno.ENOSPC) in reason:
        reason += f"; free some space in {tempfile.gettempdir()}, or name another folder with TMPDIR"
    return LayerSearch(
        status="failed",
        reason=reason,
        contender=plan.contender,
        variant=plan.variant,
        input_set=plan.input_set,
    )


def _search(workshop: Workshop, observer: Observer) -> LayerSearch:
    plan = workshop.plan
    observer.step(f"{plan.contender.text}: reading the graph")
    graph, graphs = _graphs(workshop)
    observer.step(f"{plan.contender.text}: the reference, tensor by tensor")
    wanted = None if not plan.one_model else [*graph.tensors]
    right = right_values.compute(workshop, plan.reference_path, plan.feeds, wanted)
    observer.step(f"{plan.contender.text}: the engine, tensor by tensor")
    values = engine_values(workshop, graphs, right)
    try:
        sightings = Sightings(workshop, graph, right)
        outputs, fusions = values.whole()
        sightings.add_whole(outputs)
        search = Search(workshop, graph, graphs, right, sightings, fusions)
        _look(search, values)
        firsts = _look_closer(search, values)
        finding = _finding(search, values, firsts, observer)
    finally:
        values.close()
    found = LayerSearch(
        status="not_found",
        contender=plan.contender,
        variant=plan.variant,
        input_set=plan.input_set,
        engine_version=values.version,
        tensors=sightings.all_tensors(),
        notes=search_notes(search),
        only_in_model=() if plan.one_model else _missing(graph.tensors, right),
        only_in_reference=() if plan.one_model else tuple(sorted(right.names - set(graph.tensors))),
    )
    return found.model_copy(update=finding)


def _graphs(workshop: Workshop) -> tuple[Graph, Graphs]:
    path = {"path": str(workshop.plan.model_path)}
    folder = workshop.new_folder("marked")
    made, _ = workshop.job(
        "suites.marked:skeleton", {**path, "folder": str(folder)}, None, "reading the graph"
    )
    nodes = tuple(
        Node(node["name"], node["operator"], tuple(node["inputs"]), tuple(node["outputs"]))
        for node in made["nodes"]
        if node["operator"] != "Constant"
    )
    graph = Graph(nodes, tuple(made["outputs"]))
    return graph, Graphs(Path(made["path"]), made["types"], frozenset(made["varying"]))


def _missing(names: Sequence[str], right: RightValues) -> tuple[str, ...]:
    return tuple(name for name in names if name not in right.names and name not in right.left_out)


def _look(search: Search, values: MarkedValues | HandedValues) -> None:
    """See what the engine materialises, in batches; without its word, some tensors evenly spread."""
    fusions, graph = search.fusions, search.graph
    comparable = [name for name in graph.tensors if name in search.right.names and name not in graph.outputs]
    if fusions.unknown:
        marks = spread([name for name in comparable if name in search.graphs.varying], COARSE)
    else:
        there = set(fusions.materialised)
        marks = tuple(name for name in comparable if name in there)
    _read(search, values, marks, Fusions() if fusions.unknown else fusions)


def _read(
    search: Search, values: MarkedValues | HandedValues, names: Sequence[str], fusions: Fusions
) -> None:
    sizes = {name: search.right.bytes(name) for name in names}
    kept = set(fusions.materialised)
    for batch in batches(names, sizes, search.workshop.plan.batch_bytes):
        search.sightings.add(values.read(batch), "marked" if kept.issuperset(batch) else "broken")


def _look_closer(search: Search, values: MarkedValues | HandedValues) -> tuple[str, ...]:
    """Narrow every beginning down to tensors without unknown ones before them; returns the beginnings."""
    graph, sightings = search.graph, search.sightings
    looked: set[str] = set()
    for _ in range(LOOKS):
        firsts = beginnings(graph, sightings.tensors)[:PLACES]
        known = seen_tensors(sightings.tensors)
        asked: dict[str, None] = {}
        for first in firsts:
            unknown = [
                name
                for name in suspects(graph, first, known)
                if name in search.right.names and name not in sightings.unseen and name not in looked
            ]
            if unknown:
                asked |= dict.fromkeys(spread(unknown, CLOSE))
                asked |= dict.fromkeys(frontier(graph, first, known))
                asked[first] = None
        if not asked:
            break
        looked |= asked.keys()
        _read(search, values, [name for name in graph.ordered(asked) if name not in graph.outputs], Fusions())
    return beginnings(graph, sightings.tensors)[:PLACES]


def _finding(
    search: Search, values: MarkedValues | HandedValues, firsts: Sequence[str], observer: Observer
) -> dict[str, object]:
    """Status, places and the smallest failing part."""
    outputs = [search.sightings.tensors.get(name) for name in search.graph.outputs]
    bad = [tensor for tensor in outputs if tensor is not None and tensor.status == "beyond"]
    if not bad:
        return _without_fault(outputs)
    places: list[Place] = []
    for first in _one_a_node(search.graph, firsts):
        observer.step(f"{search.workshop.plan.contender.text}: looking at {first}")
        places.append(examine(search, first))
    ranked = sorted(places, key=lambda place: place.verdict == "amplified")
    if not ranked:
        return {"reason": "outputs are beyond their budgets, and no tensor could be seen where that begins"}
    subgraph: Subgraph = minimise(search, values, ranked[0], observer)
    return {"status": "found", "reason": ranked[0].words, "places": tuple(ranked), "subgraph": subgraph}


def _one_a_node(graph: Graph, names: Sequence[str]) -> list[str]:
    """The first of several outputs of one node."""
    return list({graph.producer[name].outputs: name for name in reversed(names)}.values())[::-1]


def _without_fault(outputs: Sequence[TensorError | None]) -> dict[str, object]:
    judged = [tensor for tensor in outputs if tensor is not None and tensor.status == "within"]
    if judged and len(judged) == len(outputs):
        return {"status": "clean", "reason": "every output is within its budget"}
    return {"reason": "not every output could be compared with the reference"}

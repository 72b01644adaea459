"""The profiler of ONNX Runtime: a trace of every node that ran, traced back to ONNX tensors by the optimised graph.

The engine writes the graph as optimised, and a trace (Chrome's JSON format) with a row of whole microseconds for every
node of every call. Nodes inside a control-flow node have rows of their own; their time is that of the node that
holds them, and is counted once.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import Session
from backends.catalogue import install_command
from backends.contract import UnavailableError
from backends.engine_import import import_engine
from backends.ort_graph import Computes, Node, trace_back
from backends.profile import Profile, ProfiledLayer, ProfileRequest

WARM_CALLS = 3
GRAPH = "optimised.onnx"
_WEIGHTS = "optimised.bin"
_SUFFIX = "_kernel_time"
_OVERHEAD = (
    "The engine notes start and end of every node in whole microseconds (truncated), and is slower for it by some"
    " microseconds a node."
)


def configure(options: Any, folder: Path) -> None:
    """Let a session's options profile into `folder`, and write the optimised graph there."""
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "onnxruntime")
    options.optimized_model_filepath = str(folder / GRAPH)
    # Beside the graph, so that no model is too large for one file.
    prefix = "session.optimized_model_external_initializers_"
    options.add_session_config_entry(prefix + "file_name", _WEIGHTS)
    options.add_session_config_entry(prefix + "min_size_in_bytes", "1024")


def profile(session: Session, engine: Any, asked: ProfileRequest) -> Profile:
    """Run the calls in a session whose options went through `configure`, and read what the engine wrote."""
    try:
        session.prepare(asked.feeds)
        session.upload()
        session.synchronize()
        call = session.timed_call()
        for _ in range(WARM_CALLS):
            call()
        asked.repeat(call, asked.calls)
    finally:
        trace = Path(engine.end_profiling())
    (asked.folder / _WEIGHTS).unlink(missing_ok=True)
    graph, notes = _graph(asked)
    rows = json.loads(trace.read_text(encoding="utf-8"))
    layers, whole_ns = read_trace(rows, graph, WARM_CALLS)
    return Profile(
        layers=layers,
        calls=asked.calls,
        overhead=_OVERHEAD,
        whole_ns=whole_ns,
        traces=tuple(path for path in (trace, asked.folder / GRAPH) if path.exists()),
        notes=notes,
    )


@dataclass(frozen=True)
class OptimisedGraph:
    """Nodes of the optimised graph with what each computes. Empty where it could not be read."""

    nodes: tuple[Node, ...] = ()
    computes: tuple[Computes, ...] = ()
    inner: frozenset[str] = frozenset()
    """Names of nodes inside control-flow nodes."""


def read_trace(
    rows: Iterable[Mapping[str, Any]], graph: OptimisedGraph, skip: int
) -> tuple[tuple[ProfiledLayer, ...], tuple[int, ...]]:
    """Layers in the order in which they first ran, and the nanoseconds of each call but the first `skip`."""
    rows = list(rows)
    runs = sorted((row for row in rows if row.get("name") == "model_run"), key=lambda row: row["ts"])[skip:]
    starts = [run["ts"] for run in runs]
    start = starts[0] if starts else 0
    found: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(_outermost(_kernels(rows, start), graph), key=lambda row: row["ts"]):
        found[row["name"].removesuffix(_SUFFIX), _index(row)].append(row)
    computes = _pair(found, graph)
    layers = tuple(
        ProfiledLayer(
            name=key[0],
            operator=str(own[0]["args"].get("op_name", "")),
            kernel=str(own[0]["args"].get("provider", "")),
            precision=_precision(own[0]["args"]),
            calls=len(own),
            total_ns=1000 * sum(int(row["dur"]) for row in own),
            by_call=_by_call(own, starts),
            outputs=computes[key].outputs,
            fused=computes[key].fused,
        )
        for key, own in found.items()
    )
    return layers, tuple(1000 * int(run["dur"]) for run in runs)


def _by_call(rows: Iterable[Mapping[str, Any]], starts: Sequence[int]) -> tuple[int, ...]:
    """Nanoseconds of a node in every call; calls begin at `starts`."""
    times = [0] * len(starts)
    for row in rows:
        times[bisect_right(starts, row["ts"]) - 1] += 1000 * int(row["dur"])
    return tuple(times)


def _kernels(rows: Iterable[Mapping[str, Any]], start: int) -> list[Mapping[str, Any]]:
    return [
        row
        for row in rows
        if row.get("cat") == "Node" and str(row.get("name", "")).endswith(_SUFFIX) and row["ts"] >= start
    ]


def _outermost(rows: list[Mapping[str, Any]], graph: OptimisedGraph) -> list[Mapping[str, Any]]:
    """Rows of the main graph: those inside a control-flow node are part of that node's time."""
    if graph.nodes and not graph.inner:
        return rows
    holders = [row for row in rows if row["args"].get("op_name") in ("If", "Loop", "Scan", "SequenceMap")]
    if not holders:
        return rows
    spans = [(row["ts"], row["ts"] + row["dur"], row) for row in holders]
    return [
        row
        for row in rows
        if not any(
            row is not holder
            and begin <= row["ts"]
            and row["ts"] + row["dur"] <= end
            # A neighbour of no length at the very edge is told from an inner node by its name.
            and (not graph.inner or row["name"].removesuffix(_SUFFIX) in graph.inner)
            for begin, end, holder in spans
        )
    ]


def _index(row: Mapping[str, Any]) -> int:
    return int(row["args"].get("node_index", -1))


def _pair(
    found: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]], graph: OptimisedGraph
) -> dict[tuple[str, int], Computes]:
    """What every traced node computes: by name where that is unique, else by turn among nodes of its operator."""
    times_named = Counter(node.name for node in graph.nodes if node.name)
    by_name = {
        node.name: computes
        for node, computes in zip(graph.nodes, graph.computes, strict=True)
        if times_named[node.name] == 1
    }
    turns: dict[str, list[Computes]] = defaultdict(list)
    for node, computes in zip(graph.nodes, graph.computes, strict=True):
        if times_named[node.name] != 1:
            turns[node.operator].append(computes)
    paired = {}
    left = {operator: iter(waiting) for operator, waiting in turns.items()}
    for key, rows in found.items():
        operator = str(rows[0]["args"].get("op_name", ""))
        paired[key] = by_name[key[0]] if key[0] in by_name else next(left.get(operator, iter(())), Computes())
    return paired


def _precision(arguments: Mapping[str, Any]) -> str:
    """Element type of the first output, as the engine names it."""
    outputs = arguments.get("output_type_shape") or []
    return next(iter(outputs[0]), "") if outputs else ""


def _graph(asked: ProfileRequest) -> tuple[OptimisedGraph, tuple[str, ...]]:
    """The optimised graph traced back to the original one; without it, why not."""
    path = asked.folder / GRAPH
    try:
        onnx = import_engine("onnx", install_command("fake"))
    except UnavailableError as error:
        return OptimisedGraph(), (f"layers are not traced back to ONNX tensors: {error}",)
    if not path.exists():
        return OptimisedGraph(), ("layers are not traced back: the engine wrote no optimised graph",)
    original, optimised = (
        onnx.load_model(str(file), format="protobuf", load_external_data=False).graph
        for file in (asked.artefact.path, path)
    )
    nodes = tuple(map(_node, optimised.node))
    computes = trace_back(
        [_node(node) for node in original.node],
        nodes,
        [value.name for value in original.input],
        [value.name for value in original.output],
    )
    inner = frozenset(_inner_names(optimised))
    return OptimisedGraph(nodes, computes, inner), ()


def _node(proto: Any) -> Node:
    return Node(proto.name, proto.op_type, tuple(proto.input), tuple(proto.output))


def _inner_names(graph: Any) -> Iterable[str]:
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from (item.name or f"{item.op_type}_{index}" for index, item in enumerate(inner.node))
                yield from _inner_names(inner)

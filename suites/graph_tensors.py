"""Which node of an ONNX file produces which tensor: what profiles of different engines are matched by.

`graph_tensors` is a job: the parent runs it in a worker process, because it imports onnx and parses untrusted bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backends.contract import Array
from suites.onnx_file import read


def graph_tensors(
    arguments: dict[str, Any], _arrays: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: the nodes of the ONNX file `arguments["path"]` in topological order.

    Answers {"nodes": [{"name", "operator", "inputs", "outputs"}], "outputs": [names]}. Inputs are those that other
    nodes produce: constants and the model's inputs are left out, tensors that a node's subgraphs (If, Loop, Scan) use
    are in. Nodes inside subgraphs are part of the node that holds them. Raises ModelError for what is no ONNX file.
    """
    return described(read(Path(str(arguments["path"]))).graph), {}


def described(graph: Any) -> dict[str, Any]:
    """What `graph_tensors` answers, of an `onnx.GraphProto`."""
    produced = {name for node in graph.node for name in node.output if name}
    nodes = [
        {
            "name": node.name,
            "operator": node.op_type,
            "inputs": list(dict.fromkeys(name for name in used_names(node) if name in produced)),
            "outputs": [name for name in node.output if name],
        }
        for node in graph.node
    ]
    return {"nodes": nodes, "outputs": [value.name for value in graph.output]}


def used_names(node: Any) -> Iterator[str]:
    """Names that a node reads, those of its subgraphs included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            yield from (value.name for value in graph.output)
            for inner in graph.node:
                yield from used_names(inner)

"""Graph facts of an ONNX model: of a model before conversion, and of a graph that an engine wrote as ONNX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any

from backends.graph_facts import GraphFacts

_NUMPY_NAMES = {"float": "float32", "double": "float64"}


def onnx_facts(model: Any, origin: str) -> GraphFacts:
    """Facts of an `onnx.ModelProto`, whose external data need not be loaded. Subgraphs and functions count too."""
    operators = Counter(label(node) for node in nodes(model) if not is_constant(node))
    dtypes: Counter[str] = Counter()
    for tensor in constants(model):
        dtypes[dtype_name(tensor.data_type)] += prod(tensor.dims)
    return GraphFacts(
        origin=origin,
        operators=dict(sorted(operators.items())),
        dtypes=dict(sorted(dtypes.items())),
        opset={entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
    )


def label(node: Any) -> str:
    """Operator type of a node, with its domain where that is not ONNX's own."""
    return str(node.op_type) if node.domain in ("", "ai.onnx") else f"{node.domain}:{node.op_type}"


def is_constant(node: Any) -> bool:
    """Whether a node only holds a constant."""
    return node.op_type == "Constant" and node.domain in ("", "ai.onnx")


def dtype_name(kind: int) -> str:
    """numpy's name of an ONNX element type; ONNX's own in small letters where numpy has none."""
    import onnx

    name = str(onnx.TensorProto.DataType.Name(kind)).lower()
    return _NUMPY_NAMES.get(name, name)


def constants(model: Any) -> Iterator[Any]:
    """Tensors of all graphs: initialisers, and those in attributes."""
    for graph in graphs(model.graph):
        yield from initialisers(graph)
    for node in nodes(model):
        yield from attribute_tensors(node)


def initialisers(graph: Any) -> Iterator[Any]:
    """Initialisers of one graph; of a sparse one its values."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values


def attribute_tensors(node: Any) -> Iterator[Any]:
    """Tensors that a node has as attributes, those of its subgraphs left out."""
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors


def nodes(model: Any) -> Iterator[Any]:
    """Nodes of all graphs and functions."""
    for graph in graphs(model.graph):
        yield from graph.node
    for function in model.functions:
        for node in function.node:
            yield node
            for inner in subgraphs(node):
                yield from inner.node


def graphs(graph: Any) -> Iterator[Any]:
    """A graph and all that are inside it."""
    yield graph
    for node in graph.node:
        yield from subgraphs(node)


def subgraphs(node: Any) -> Iterator[Any]:
    """All graphs inside a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from graphs(attribute.g)
        for inner in attribute.graphs:
            yield from graphs(inner)

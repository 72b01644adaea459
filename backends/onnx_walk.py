"""Walks through a parsed ONNX model: its nodes, the graphs inside graphs, its constants. Needs no onnx itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def label(node: Any) -> str:
    """Operator type of a node, with its domain where that is not ONNX's own."""
    return str(node.op_type) if node.domain in ("", "ai.onnx") else f"{node.domain}:{node.op_type}"


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

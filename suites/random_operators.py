"""Operators of an ONNX model that draw numbers, and those that compute on a coarse grid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

RANDOM = frozenset(
    {
        "Bernoulli",
        "Dropout",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
"""The standard fixes no generator, so even with a `seed` two engines rightly draw different numbers."""

_QUANTISING = frozenset(
    {
        "ConvInteger",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
    }
)


def drop_seeds(model: Any) -> None:
    """Take the attribute `seed` from every random operator of the `onnx.ModelProto` `model`, in place."""
    for node in _nodes(model):
        if node.op_type in RANDOM:
            kept = [attribute for attribute in node.attribute if attribute.name != "seed"]
            del node.attribute[:]
            node.attribute.extend(kept)


def is_quantised(model: Any) -> bool:
    """Whether the `onnx.ModelProto` `model` rounds activations to a coarse grid."""
    return any(node.op_type in _QUANTISING for node in _nodes(model))


def _nodes(model: Any) -> Iterator[Any]:
    yield from _within(model.graph.node)
    for function in model.functions:
        yield from _within(function.node)


def _within(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _within(graph.node)

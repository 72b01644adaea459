"""Graph facts of an ONNX model: of a model before conversion, and of a graph that an engine wrote as ONNX."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

from backends.graph_facts import GraphFacts
from backends.onnx_walk import constants, label, nodes

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


def is_constant(node: Any) -> bool:
    """Whether a node only holds a constant."""
    return node.op_type == "Constant" and node.domain in ("", "ai.onnx")


def dtype_name(kind: int) -> str:
    """numpy's name of an ONNX element type; ONNX's own in small letters where numpy has none."""
    import onnx

    name = str(onnx.TensorProto.DataType.Name(kind)).lower()
    return _NUMPY_NAMES.get(name, name)

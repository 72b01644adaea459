"""What an ONNX model itself does to its numbers: draws them by chance, or rounds them to a coarse format."""

from __future__ import annotations

from typing import Any

from backends.onnx_walk import nodes as every_node

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
    for node in every_node(model):
        if node.op_type in RANDOM:
            kept = [attribute for attribute in node.attribute if attribute.name != "seed"]
            del node.attribute[:]
            node.attribute.extend(kept)


def own_precision(model: Any) -> str:
    """The coarsest format that the `onnx.ModelProto` `model` rounds to by itself.

    "int8" where it quantises activations, "bf16" or "fp16" where an input, output, weight or cast is of that type,
    else "fp32".
    """
    from onnx import TensorProto

    nodes = list(every_node(model))
    if any(node.op_type in _QUANTISING for node in nodes):
        return "int8"
    graph = model.graph
    kinds = {tensor.data_type for tensor in graph.initializer}
    kinds |= {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    for node in nodes:
        if node.op_type == "Cast":
            kinds |= {attribute.i for attribute in node.attribute if attribute.name == "to"}
    if TensorProto.BFLOAT16 in kinds:
        return "bf16"
    return "fp16" if TensorProto.FLOAT16 in kinds else "fp32"


def has_long_sums(model: Any) -> bool:
    """Whether the order of summation may decide the error of the `onnx.ModelProto` `model`."""
    from suites.evaluator_sums import LONG_SUMS

    return any(node.op_type in LONG_SUMS for node in every_node(model))

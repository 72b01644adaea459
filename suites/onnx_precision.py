"""An ONNX model with all its floating-point arithmetic in one precision: what a float64 reference needs.

onnx is imported inside the functions, which run in workers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

_DTYPE_ATTRIBUTES = frozenset(
    {"to", "dtype", "output_dtype", "output_datatype", "softmax_precision", "stash_type"}
)
_IMPLIED_FLOAT32 = {
    "GroupNormalization": "stash_type",
    "BlackmanWindow": "output_datatype",
    "HammingWindow": "output_datatype",
    "HannWindow": "output_datatype",
    "MelWeightMatrix": "output_datatype",
}
"""Operators that compute in float32 where they are given no dtype, and the attribute that gives it."""
_OWN_PRECISION = frozenset({"LayerNormalization", "RMSNormalization"})
"""The reference evaluator computes these in their input's precision, and refuses any `stash_type` but float32."""


def set_precision(model: Any, dtype: str) -> None:
    """Turn every floating-point type (16, 32 and 64 bits) in the `onnx.ModelProto` `model` into `dtype`, in place.

    `dtype` is "float64" or "float32". Changed are initializers, tensors and dtype codes in attributes, the declared
    types of inputs, outputs and intermediate values, in the graph, its subgraphs and its functions. External data
    must have been loaded. 8-bit and integer types stay, so a quantised model keeps its grid. Casts to a lower
    precision lose their rounding: the result is what the model would compute in exact arithmetic.
    """
    _Precision(dtype).graph(model.graph)
    for function in model.functions:
        _Precision(dtype).function(function)


class _Precision:
    def __init__(self, dtype: str) -> None:
        from onnx import TensorProto, helper

        self.numpy = np.dtype(dtype)
        self.code = helper.np_dtype_to_tensor_dtype(self.numpy)
        self.floats = {TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE}

    def graph(self, graph: Any) -> None:
        for tensor in graph.initializer:
            self.tensor(tensor)
        for sparse in graph.sparse_initializer:
            self.tensor(sparse.values)
        self.values((*graph.input, *graph.output, *graph.value_info))
        for node in graph.node:
            self.node(node)

    def function(self, function: Any) -> None:
        self.values(function.value_info)
        for attribute in function.attribute_proto:
            self.attribute(attribute, "")
        for node in function.node:
            self.node(node)

    def values(self, values: Iterable[Any]) -> None:
        for value in values:
            self.type(value.type)

    def type(self, type_proto: Any) -> None:
        kind = type_proto.WhichOneof("value")
        if kind in ("tensor_type", "sparse_tensor_type"):
            tensor = getattr(type_proto, kind)
            if tensor.elem_type in self.floats:
                tensor.elem_type = self.code
        elif kind in ("sequence_type", "optional_type"):
            self.type(getattr(type_proto, kind).elem_type)
        elif kind == "map_type":
            self.type(type_proto.map_type.value_type)

    def tensor(self, tensor: Any) -> None:
        from onnx import numpy_helper

        if tensor.data_type not in self.floats or tensor.data_type == self.code:
            return
        array = np.asarray(numpy_helper.to_array(tensor)).astype(self.numpy)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))

    def node(self, node: Any) -> None:
        from onnx import helper, numpy_helper

        for attribute in node.attribute:
            self.attribute(attribute, node.op_type)
        if node.domain not in ("", "ai.onnx"):
            return
        if node.op_type == "Constant":
            # Given as plain floats these would be float32, whatever the rest of the graph is.
            for attribute in node.attribute:
                if attribute.name in ("value_float", "value_floats") and not attribute.ref_attr_name:
                    values = np.asarray(helper.get_attribute_value(attribute), self.numpy)
                    attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(values)))
        implied = _IMPLIED_FLOAT32.get(node.op_type)
        if implied is not None and not any(attribute.name == implied for attribute in node.attribute):
            node.attribute.append(helper.make_attribute(implied, self.code))
        if node.op_type == "ConstantOfShape" and not node.attribute:
            zero = numpy_helper.from_array(np.zeros(1, self.numpy))
            node.attribute.append(helper.make_attribute("value", zero))

    def attribute(self, attribute: Any, operator: str) -> None:
        if attribute.HasField("t"):
            self.tensor(attribute.t)
        for tensor in attribute.tensors:
            self.tensor(tensor)
        if attribute.HasField("sparse_tensor"):
            self.tensor(attribute.sparse_tensor.values)
        if attribute.HasField("tp"):
            self.type(attribute.tp)
        if attribute.HasField("g"):
            self.graph(attribute.g)
        for graph in attribute.graphs:
            self.graph(graph)
        is_dtype = attribute.name in _DTYPE_ATTRIBUTES and operator not in _OWN_PRECISION
        if is_dtype and attribute.i in self.floats:
            attribute.i = self.code

"""The shape of every tensor of an ONNX graph for inputs of given sizes: one walk, node by node.

Exporters compute shapes in the graph itself (Shape, Gather, Concat, Reshape). ONNX's shape inference follows only
some of these, so small values that follow from shapes alone are computed here with the ONNX reference evaluator and
handed to it. Nothing large is computed: weights are never touched. Runs in a worker, because it needs onnx.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from backends.contract import Array
from suites.work_rules import ASKS_SHAPE, Shape

LARGEST_VALUE = 16_384
"""Elements of the largest tensor whose value is followed; shapes and masks are far smaller than weights."""

_STANDARD = ("", "ai.onnx")
_RANDOM = frozenset({"Bernoulli", "Multinomial", "RandomNormal", "RandomUniform"})
_FOLDING_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What the reference evaluator raises for what it cannot compute (NotImplementedError is a RuntimeError)."""


class Shapes:
    """Shapes, element types and small known values by tensor name, filled as `visit` walks the graph in order."""

    def __init__(self, model: Any, sizes: Mapping[str, Shape]) -> None:
        """`model` is an `onnx.ModelProto`, `sizes` the shape of every input. Raises KeyError for one left out."""
        self._opsets = {entry.domain: entry.version for entry in model.opset_import}
        self._imports = list(model.opset_import)
        self._ir_version = model.ir_version
        self._types: dict[str, Any] = {}
        self._values: dict[str, Array] = {}
        self._declared = {info.name: info.type for info in (*model.graph.value_info, *model.graph.output)}
        self._symbols: dict[str, int] = {}
        given = {tensor.name for tensor in model.graph.initializer}
        for tensor in model.graph.initializer:
            self.add_constant(tensor.name, tensor)
        for value in model.graph.input:
            if value.name not in given:
                self._add_input(value, sizes[value.name])

    def of(self, name: str) -> Shape | None:
        """Sizes of a tensor; None where they are not known."""
        kind = self._types.get(name)
        if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
            return None
        dims = kind.tensor_type.shape.dim
        if not all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims):
            return None
        return tuple(int(dim.dim_value) for dim in dims)

    def kind(self, name: str) -> int:
        """Element type as ONNX numbers it; 0 where it is not known."""
        return int(self._types[name].tensor_type.elem_type) if name in self._types else 0

    def is_known(self, name: str) -> bool:
        """Whether the value itself is known before the model runs."""
        return name in self._values

    def add_constant(self, name: str, tensor: Any) -> None:
        """A constant, as an `onnx.TensorProto`; its value is kept when it is small and in the file."""
        import onnx
        from onnx import helper, numpy_helper

        self._types[name] = helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
        here = tensor.data_location != onnx.TensorProto.EXTERNAL
        if here and prod(tensor.dims) <= LARGEST_VALUE and tensor.data_type != onnx.TensorProto.STRING:
            self._values[name] = numpy_helper.to_array(tensor)

    def visit(self, node: Any) -> None:
        """Infer the types of a node's outputs, and their values where they follow from what is known."""
        if node.domain in _STANDARD:
            self._infer(node)
        for name in node.output:
            if name and self.of(name) is None and name in self._declared:
                self._types[name] = self._with_sizes(self._declared[name])
        self._compute(node)

    def _add_input(self, value: Any, sizes: Shape) -> None:
        from onnx import helper

        for dim, size in zip(value.type.tensor_type.shape.dim, sizes, strict=True):
            if dim.dim_param:
                self._symbols[dim.dim_param] = size
        self._types[value.name] = helper.make_tensor_type_proto(value.type.tensor_type.elem_type, sizes)

    def _infer(self, node: Any) -> None:
        import onnx
        from onnx import numpy_helper, shape_inference

        version = self._opsets.get(node.domain) or self._opsets.get("ai.onnx", 1)
        try:
            schema = onnx.defs.get_schema(node.op_type, version, "")
            found = shape_inference.infer_node_outputs(
                schema,
                node,
                {name: self._types[name] for name in node.input if name in self._types},
                {
                    name: numpy_helper.from_array(self._values[name])
                    for name in node.input
                    if name in self._values
                },
                opset_imports=self._imports,
                ir_version=self._ir_version,
            )
        except (shape_inference.InferenceError, onnx.defs.SchemaError):
            return
        self._types.update(found)

    def _with_sizes(self, declared: Any) -> Any:
        """A declared type with the input's sizes put in for their names; other names stay unknown."""
        import onnx

        kind = onnx.TypeProto()
        kind.CopyFrom(declared)
        if kind.HasField("tensor_type"):
            for dim in kind.tensor_type.shape.dim:
                if dim.dim_param in self._symbols:
                    dim.dim_value = self._symbols[dim.dim_param]
        return kind

    def _compute(self, node: Any) -> None:
        if node.op_type in ASKS_SHAPE and node.domain in _STANDARD:
            self._ask_shape(node)
            return
        names = [name for name in node.input if name]
        follows = names and all(name in self._values for name in names) and node.op_type not in _RANDOM
        sizes = [self.of(name) for name in node.output if name]
        small = all(size is not None and prod(size) <= LARGEST_VALUE for size in sizes)
        if (
            follows
            and small
            and node.domain in _STANDARD
            and not any(a.HasField("g") for a in node.attribute)
        ):
            self._evaluate(node, names)

    def _ask_shape(self, node: Any) -> None:
        shape = self.of(node.input[0])
        if shape is None:
            return
        if node.op_type == "Size":
            self._values[node.output[0]] = np.array(prod(shape), np.int64)
            return
        bounds = {attribute.name: attribute.i for attribute in node.attribute}
        self._values[node.output[0]] = np.array(shape[bounds.get("start", 0) : bounds.get("end")], np.int64)

    def _evaluate(self, node: Any, names: list[str]) -> None:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        infos = {
            kind: [helper.make_value_info(name, self._types[name]) for name in dict.fromkeys(of)]
            for kind, of in (("in", names), ("out", [name for name in node.output if name]))
        }
        graph = helper.make_graph([node], "one", infos["in"], infos["out"])
        single = helper.make_model(graph, opset_imports=self._imports, ir_version=self._ir_version)
        try:
            values = ReferenceEvaluator(single).run(None, {name: self._values[name] for name in names})
        except _FOLDING_ERRORS:
            return  # its value stays unknown; what needs it is then listed as uncounted
        for info, value in zip(infos["out"], values, strict=True):
            self._values[info.name] = np.asarray(value)

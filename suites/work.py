"""What one inference of an ONNX model takes: operations, weights and traffic, counted from the graph.

`count` is a job: the parent runs it in a worker process, because it imports onnx and parses untrusted bytes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from backends.contract import Array
from suites.onnx_file import read
from suites.work_rules import ASKS_SHAPE, UNCOUNTABLE, VIEWS, Operations, Shape, UncountableError, operations
from suites.work_shapes import Shapes

REVISION = 1
"""Raised when the same model and sizes would give another count: kept counts are then made again."""

_LOOKUPS = frozenset({"Gather", "GatherElements", "GatherND"})
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass
class Traffic:
    """Elements of float tensors, whose width is the precision's, and bytes of all other tensors."""

    float_elements: int = 0
    other_bytes: int = 0

    def add(self, elements: int, kind: int) -> None:
        """Count `elements` of the ONNX element type `kind`."""
        import onnx
        from onnx import helper

        types = onnx.TensorProto
        if kind in (types.FLOAT, types.FLOAT16, types.BFLOAT16, types.DOUBLE):
            self.float_elements += elements
        elif kind not in (types.UNDEFINED, types.STRING):
            self.other_bytes += elements * helper.tensor_dtype_to_np_dtype(kind).itemsize


@dataclass
class OperatorWork:
    """All nodes of one operator type."""

    nodes: int = 0
    macs: int = 0
    plain: int = 0
    activations: Traffic = field(default_factory=Traffic)


@dataclass
class Counted:
    """The whole graph; see `harness.records.work.Work` for what the fields mean."""

    macs: int = 0
    int8_macs: int = 0
    plain: int = 0
    weights: Traffic = field(default_factory=Traffic)
    inputs: Traffic = field(default_factory=Traffic)
    outputs: Traffic = field(default_factory=Traffic)
    activations: Traffic = field(default_factory=Traffic)
    by_operator: dict[str, OperatorWork] = field(default_factory=dict)
    uncounted: dict[str, int] = field(default_factory=dict)
    uncounted_why: dict[str, str] = field(default_factory=dict)


def count(arguments: dict[str, Any], _arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: count the ONNX file `arguments["path"]` for inputs of the sizes `arguments["shapes"]` (name -> list).

    Answers the fields of `Counted`. Raises ModelError for what is no ONNX file. Nodes that cannot be counted are
    listed under "uncounted" with a reason; nothing is guessed.
    """
    from onnx import inliner

    model = read(Path(str(arguments["path"])))
    if model.functions:
        model = inliner.inline_local_functions(model)
    sizes = {name: tuple(shape) for name, shape in arguments["shapes"].items()}
    return asdict(_Counter(model, sizes).counted()), {}


class _Counter:
    """One walk over the graph. A tensor is a weight, follows from shapes alone (`_free`), or is an activation."""

    def __init__(self, model: Any, sizes: dict[str, Shape]) -> None:
        self._graph = model.graph
        self._shapes = Shapes(model, sizes)
        self._weights = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
        self._free: set[str] = set()
        self._read: dict[str, int] = {}
        """Weight -> elements of it that are read."""
        self._dequantised: set[str] = set()
        self._found = Counted()
        self._uncounted: Counter[str] = Counter()

    def counted(self) -> Counted:
        for node in self._graph.node:
            self._visit(node)
        found = self._found
        for name, elements in self._read.items():
            found.weights.add(elements, self._weights[name])
        for value in self._graph.input:
            if value.name not in self._weights:
                self._add(found.inputs, value.name)
        for value in self._graph.output:
            self._add(found.outputs, value.name)
        found.uncounted = dict(sorted(self._uncounted.items()))
        return found

    def _visit(self, node: Any) -> None:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            self._constant(node)
            return
        self._shapes.visit(node)
        names = [name for name in node.input if name]
        outputs = [name for name in node.output if name]
        if node.op_type in ASKS_SHAPE or (names and all(self._is_fixed(name) for name in names)):
            self._fix(node, names, outputs)
        elif node.op_type in VIEWS and node.domain in ("", "ai.onnx"):
            self._entry(node).nodes += 1
            self._dequantised |= {name for name in outputs if names[0] in self._dequantised}
        else:
            self._count(node, names, outputs)

    def _is_fixed(self, name: str) -> bool:
        return name in self._weights or name in self._free

    def _constant(self, node: Any) -> None:
        name = node.output[0]
        tensor = next((a.t for a in node.attribute if a.HasField("t")), None)
        if tensor is None:
            self._shapes.visit(node)
            self._free.add(name)  # a few numbers written into the node itself
            return
        self._shapes.add_constant(name, tensor)
        self._weights[name] = tensor.data_type

    def _fix(self, node: Any, names: list[str], outputs: list[str]) -> None:
        """What follows from weights and shapes alone is computed once, before the first call: no work of a call."""
        from_weight = bool(names) and names[0] in self._weights and node.op_type not in ASKS_SHAPE
        for name in outputs:
            if not from_weight:
                self._free.add(name)
            elif node.op_type == "DequantizeLinear":
                # Stored and read as the 8-bit numbers that it was made from.
                self._weights[name] = self._weights[names[0]]
                self._dequantised.add(name)
            else:
                self._weights[name] = self._shapes.kind(name)
                self._dequantised |= {name} if names[0] in self._dequantised else set()

    def _count(self, node: Any, names: list[str], outputs: list[str]) -> None:
        entry = self._entry(node)
        entry.nodes += 1
        try:
            done = self._operations(node, names, outputs)
        except UncountableError as reason:
            label = _label(node)
            self._uncounted[label] += 1
            self._found.uncounted_why.setdefault(label, str(reason))
            self._read_weights(node, names, outputs)
            return
        entry.macs += done.macs
        entry.plain += done.plain
        self._found.macs += done.macs
        self._found.plain += done.plain
        self._found.int8_macs += done.macs if done.int8 or self._is_quantised(node) else 0
        if node.op_type == "DequantizeLinear":
            self._dequantised |= set(outputs)
        self._read_weights(node, names, outputs)
        self._move(node, entry, names, outputs)

    def _operations(self, node: Any, names: list[str], outputs: list[str]) -> Operations:
        from onnx import helper

        if node.domain not in ("", "ai.onnx"):
            raise UncountableError("it is no operator of the ONNX standard")
        if node.op_type not in UNCOUNTABLE and any(
            self._shapes.of(name) is None for name in (*names, *outputs)
        ):
            raise UncountableError("the shape of a tensor is not known before it runs")
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        given, made = (
            [self._shapes.of(name) if name else None for name in of] for of in (node.input, node.output)
        )
        return operations(node.op_type, attributes, given, made)

    def _is_quantised(self, node: Any) -> bool:
        """A product of two dequantised tensors: engines fuse the three into one on 8-bit numbers."""
        return node.op_type in _PRODUCTS and all(name in self._dequantised for name in node.input[:2])

    def _read_weights(self, node: Any, names: list[str], outputs: list[str]) -> None:
        for name in names:
            shape = self._shapes.of(name)
            if name in self._weights and shape is not None:
                elements = prod(shape)
                if node.op_type in _LOOKUPS and name == node.input[0]:
                    looked_up = self._shapes.of(outputs[0])
                    elements = min(elements, prod(looked_up)) if looked_up is not None else elements
                self._read[name] = max(elements, self._read.get(name, 0))

    def _move(self, node: Any, entry: OperatorWork, names: list[str], outputs: list[str]) -> None:
        reads = [name for name in dict.fromkeys(names) if name not in self._weights]
        if node.op_type in _LOOKUPS and node.input[0] in reads:
            reads[reads.index(node.input[0])] = outputs[0]
        for traffic in (entry.activations, self._found.activations):
            for name in (*reads, *outputs):
                self._add(traffic, name)

    def _add(self, traffic: Traffic, name: str) -> None:
        shape = self._shapes.of(name)
        if shape is not None:
            traffic.add(prod(shape), self._shapes.kind(name))

    def _entry(self, node: Any) -> OperatorWork:
        return self._found.by_operator.setdefault(_label(node), OperatorWork())


def _label(node: Any) -> str:
    return str(node.op_type) if node.domain in ("", "ai.onnx") else f"{node.domain}:{node.op_type}"

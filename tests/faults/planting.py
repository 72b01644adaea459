"""Faults as they get into models: each function changes a model in one place and names the tensor that turns wrong.

Nodes are named by their first output. A function takes a `ModelProto` and changes it; `planted` works on a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from backends.contract import Array

Plant = Callable[[Any], str]
"""Changes a model; returns the first tensor, in topological order, that is wrong in it."""
Change = Callable[[Array], Array]


@dataclass(frozen=True)
class Planted:
    """A model with a fault in it, and where."""

    model: Any
    tensor: str


def planted(healthy: Any, plant: Plant) -> Planted:
    """A copy of `healthy` with the fault in it. Raises AssertionError when nothing was changed."""
    model = copy.deepcopy(healthy)
    tensor = plant(model)
    assert model.SerializeToString(deterministic=True) != healthy.SerializeToString(deterministic=True)
    assert any(tensor in node.output for node in healthy.graph.node), tensor
    return Planted(model, tensor)


def node_of(model: Any, output: str) -> Any:
    """The node that makes the tensor `output`."""
    return next(node for node in model.graph.node if output in node.output)


def attribute(output: str, name: str, value: object, **others: object) -> Plant:
    """Attributes of a node have other values: epsilon, axis, alpha, pads, strides, a mode."""

    def plant(model: Any) -> str:
        from onnx import helper

        node, new = node_of(model, output), {name: value, **others}
        kept = [a for a in node.attribute if a.name not in new]
        del node.attribute[:]
        node.attribute.extend([*kept, *(helper.make_attribute(key, given) for key, given in new.items())])
        return output

    return plant


def constant(name: str, change: Change, output: str = "") -> Plant:
    """A weight has other values; `output` is the tensor of the node that reads it (default: its first reader's)."""

    def plant(model: Any) -> str:
        from onnx import numpy_helper

        tensor = next(t for t in model.graph.initializer if t.name == name)
        old = numpy_helper.to_array(tensor)
        new = change(old.copy())
        assert new.dtype == old.dtype
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(new), name))
        return output or next(node.output[0] for node in model.graph.node if name in node.input)

    return plant


def rewired(output: str, place: int, source: str) -> Plant:
    """A node reads `source` instead of its input number `place`; "" takes an optional input away."""

    def plant(model: Any) -> str:
        node_of(model, output).input[place] = source
        return output

    return plant


def operator(output: str, kind: str, inputs: Sequence[str] | None = None, **attributes: Any) -> Plant:
    """Another operator stands in a node's place, without the attributes of the old one."""

    def plant(model: Any) -> str:
        from onnx import helper

        node = node_of(model, output)
        node.CopyFrom(helper.make_node(kind, inputs or list(node.input), [output], node.name, **attributes))
        return output

    return plant


def dropped(output: str, place: int = 0) -> Plant:
    """The node passes on its input number `place` and does nothing."""

    def plant(model: Any) -> str:
        return operator(output, "Identity", [node_of(model, output).input[place]])(model)

    return plant


def followed_by(output: str, kind: str, *others: tuple[str, Array], **attributes: Any) -> Plant:
    """What a node makes goes through one operator more, with the constants `others` as further inputs."""

    def plant(model: Any) -> str:
        from onnx import helper, numpy_helper

        inner = f"{output}.inner"
        node_of(model, output).output[:] = [inner]
        names = [f"{output}.{name}" for name, _ in others]
        model.graph.initializer.extend(
            numpy_helper.from_array(value, name) for name, (_, value) in zip(names, others, strict=True)
        )
        _insert(model, inner, [helper.make_node(kind, [inner, *names], [output], **attributes)])
        return output

    return plant


def in_float16(output: str, *places: int) -> Plant:
    """A node computes in float16: its inputs `places` are cast, and its output is cast back."""

    def plant(model: Any) -> str:
        from onnx import TensorProto, helper

        node = node_of(model, output)
        casts = []
        for place in places:
            narrow = f"{output}.narrow{place}"
            casts.append(helper.make_node("Cast", [node.input[place]], [narrow], to=TensorProto.FLOAT16))
            node.input[place] = narrow
        node.output[:] = [f"{output}.narrow"]
        _insert(model, f"{output}.narrow", casts, before=True)
        back = helper.make_node("Cast", [f"{output}.narrow"], [output], to=TensorProto.FLOAT)
        _insert(model, f"{output}.narrow", [back])
        return output

    return plant


def rounding_sums(output: str, parts: int) -> Plant:
    """A MatMul adds up in `parts` steps, and after each keeps the eleven bits of a float16.

    The rounding is written as arithmetic (Veltkamp's splitting), which no engine may take out as it may a cast:
    `t = x * (2**13 + 1)`, then `t - (t - x)`.
    """

    def plant(model: Any) -> str:
        from onnx import helper, numpy_helper

        node = node_of(model, output)
        assert node.op_type == "MatMul"
        left, right = node.input
        weight = next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == right)
        edges = np.linspace(0, weight.shape[0], parts + 1).astype(np.int64)
        made: dict[str, Array] = {
            "splitter": np.array(2**13 + 1, dtype=np.float32),
            "axis": np.array([-1], dtype=np.int64),
        }
        nodes = []
        total = ""
        for part, (start, end) in enumerate(pairwise(edges)):
            made |= {f"from{part}": np.array([start]), f"to{part}": np.array([end])}
            made[f"weight{part}"] = weight[start:end]
            step = f"{output}.{part}"
            limits = [f"{output}.{name}" for name in (f"from{part}", f"to{part}", "axis")]
            nodes.append(helper.make_node("Slice", [left, *limits], [f"{step}.slice"]))
            nodes.append(
                helper.make_node("MatMul", [f"{step}.slice", f"{output}.weight{part}"], [f"{step}.part"])
            )
            total_now = f"{step}.part"
            if total:
                nodes.append(helper.make_node("Add", [total, total_now], [f"{step}.sum"]))
                total_now = f"{step}.sum"
            total = output if part == parts - 1 else f"{step}.rounded"
            nodes.append(helper.make_node("Mul", [total_now, f"{output}.splitter"], [f"{step}.t"]))
            nodes.append(helper.make_node("Sub", [f"{step}.t", total_now], [f"{step}.u"]))
            nodes.append(helper.make_node("Sub", [f"{step}.t", f"{step}.u"], [total]))
        model.graph.initializer.extend(
            numpy_helper.from_array(value, f"{output}.{name}") for name, value in made.items()
        )
        _insert(model, output, nodes)
        model.graph.node.remove(node)
        return output

    return plant


def swapped_outputs(first: str, second: str) -> Plant:
    """Two tensors go out under each other's name; the first of them in the graph is the first wrong one."""

    def plant(model: Any) -> str:
        names = {first: second, second: first}
        for node in model.graph.node:
            node.output[:] = [names.get(name, name) for name in node.output]
            node.input[:] = [names.get(name, name) for name in node.input]
        return first

    return plant


def _insert(model: Any, output: str, nodes: Sequence[Any], *, before: bool = False) -> None:
    """Put `nodes` behind (or before) the node that makes `output`."""
    all_nodes = list(model.graph.node)
    place = next(index for index, node in enumerate(all_nodes) if output in node.output)
    place += 0 if before else 1
    del model.graph.node[:]
    model.graph.node.extend([*all_nodes[:place], *nodes, *all_nodes[place:]])

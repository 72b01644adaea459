"""The kit's models as ONNX graphs (opset 17), from the weights in `backends.conformance.weights`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from backends.contract import Array, TensorSpec

OPSET = 17
Weights = dict[str, Array]


class Graph:
    """Collects nodes and initializers; every method that adds a node returns the name of its first output."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[Any] = []
        self.initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]

    def constant(self, name: str, value: Array) -> str:
        """Add an initializer."""
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def add(
        self, operator: str, inputs: Sequence[str], outputs: str | Sequence[str], **attributes: Any
    ) -> str:
        """Add a node."""
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]

    def linear(self, name: str, value: str, output: str, *, features: str) -> str:
        """`value @ weight.T + bias` over the last axis; `features` names the transposed weight."""
        transposed = self.add("Transpose", [f"{name}.weight"], features, perm=[1, 0])
        product = self.add("MatMul", [value, transposed], f"{output}.product")
        return self.add("Add", [product, f"{name}.bias"], output)


def model(graph: Graph, name: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Any:
    """A checked ModelProto with the declared signature."""
    proto = helper.make_graph(
        graph.nodes,
        name,
        [_value_info(spec) for spec in inputs],
        [_value_info(spec) for spec in outputs],
        graph.initializers,
    )
    made = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made


def _value_info(spec: TensorSpec) -> Any:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return helper.make_tensor_value_info(spec.name, kind, list(spec.shape))


def cnn(weights: Weights) -> Graph:
    """Twin of `torch_models.Cnn`."""
    graph = Graph({name: value for name, value in weights.items() if name != "norm.num_batches_tracked"})
    graph.add("Conv", ["image", "first.weight", "first.bias"], "c1", strides=[2, 2], pads=[1, 1, 1, 1])
    statistics = [f"norm.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
    graph.add("BatchNormalization", ["c1", *statistics], "n1", epsilon=1e-5)
    graph.add("Relu", ["n1"], "r1")
    graph.add("Conv", ["r1", "second.weight", "second.bias"], "c2", pads=[1, 1, 1, 1])
    graph.add("Add", ["r1", "c2"], "sum")
    graph.add("Relu", ["sum"], "r2")
    graph.add("GlobalAveragePool", ["r2"], "pool")
    graph.add("Flatten", ["pool"], "flat")
    graph.add("Gemm", ["flat", "head.weight", "head.bias"], "logits", transB=1)
    return graph


def mlp(weights: Weights) -> Graph:
    """Twin of `torch_models.Mlp`."""
    graph = Graph(weights)
    graph.add("Gemm", ["left", "left.weight", "left.bias"], "l", transB=1)
    graph.add("Gemm", ["right", "right.weight", "right.bias"], "r", transB=1)
    graph.add("Add", ["l", "r"], "sum")
    graph.add("Tanh", ["sum"], "hidden")
    graph.add("Sigmoid", ["hidden"], "alpha")
    graph.add("Gemm", ["hidden", "head.weight", "head.bias"], "zeta", transB=1)
    return graph


def lstm(weights: Weights) -> Graph:
    """Twin of `torch_models.Lstm`; ONNX orders the gates input, output, forget, cell."""

    def reorder(value: Array) -> Array:
        gate_input, forget, cell, output = np.split(value, 4)
        return np.concatenate([gate_input, output, forget, cell])

    biases = [reorder(weights["rnn.bias_ih_l0"]), reorder(weights["rnn.bias_hh_l0"])]
    graph = Graph({})
    graph.constant("W", reorder(weights["rnn.weight_ih_l0"])[None])
    graph.constant("R", reorder(weights["rnn.weight_hh_l0"])[None])
    graph.constant("B", np.concatenate(biases)[None])
    graph.constant("axis0", np.array([0], dtype=np.int64))
    graph.constant("axis1", np.array([1], dtype=np.int64))
    graph.add("Transpose", ["frames"], "steps", perm=[1, 0, 2])
    graph.add("LSTM", ["steps", "W", "R", "B"], ["Y", "Y_h"], hidden_size=16)
    graph.add("Squeeze", ["Y", "axis1"], "states")
    graph.add("Transpose", ["states"], "sequence", perm=[1, 0, 2])
    graph.add("Squeeze", ["Y_h", "axis0"], "last")
    return graph


def transformer(weights: Weights) -> Graph:
    """Twin of `torch_models.Transformer`."""
    graph = Graph(weights)
    graph.constant("quarter", np.array(0.25, dtype=np.float32))
    graph.constant("far", np.array(-1e4, dtype=np.float32))
    graph.constant("half", np.array(0.5, dtype=np.float32))
    graph.constant("one", np.array(1.0, dtype=np.float32))
    graph.constant("root_half", np.array(np.sqrt(0.5), dtype=np.float32))
    graph.constant("axis1", np.array([1], dtype=np.int64))
    graph.add("Gather", ["embed.weight", "tokens"], "embedded")
    graph.add("LayerNormalization", ["embedded", "norm1.weight", "norm1.bias"], "normed", epsilon=1e-5)
    for name in ("query", "key", "value"):
        graph.linear(name, "normed", f"{name}.out", features=f"{name}.wt")
    graph.add("Transpose", ["key.out"], "key.t", perm=[0, 2, 1])
    graph.add("MatMul", ["query.out", "key.t"], "raw")
    graph.add("Mul", ["raw", "quarter"], "scaled")
    graph.add("Unsqueeze", ["mask", "axis1"], "mask3")
    graph.add("Where", ["mask3", "scaled", "far"], "masked")
    graph.add("Softmax", ["masked"], "weights", axis=-1)
    graph.add("MatMul", ["weights", "value.out"], "mixed")
    graph.linear("project", "mixed", "projected", features="project.wt")
    graph.add("Add", ["embedded", "projected"], "attended")
    graph.add("LayerNormalization", ["attended", "norm2.weight", "norm2.bias"], "normed2", epsilon=1e-5)
    graph.linear("up", "normed2", "wide", features="up.wt")
    graph.add("Mul", ["wide", "root_half"], "erf.in")
    graph.add("Erf", ["erf.in"], "erf.out")
    graph.add("Add", ["erf.out", "one"], "erf.plus")
    graph.add("Mul", ["wide", "erf.plus"], "gelu.twice")
    graph.add("Mul", ["gelu.twice", "half"], "gelu")
    graph.linear("down", "gelu", "narrow", features="down.wt")
    graph.add("Add", ["attended", "narrow"], "hidden")
    graph.add("ArgMax", ["hidden"], "best", axis=-1, keepdims=0)
    return graph


def branch(weights: Weights) -> Graph:
    """Twin of `torch_models.Branch`: an If whose branches read the outer graph's input and weights."""
    graph = Graph(weights)
    graph.constant("zero", np.array(0.0, dtype=np.float32))
    graph.add("ReduceSum", ["x"], "total", keepdims=0)
    graph.add("Greater", ["total", "zero"], "is_positive")
    graph.add(
        "If",
        ["is_positive"],
        "y",
        then_branch=_arm("positive", "Relu"),
        else_branch=_arm("negative", "Tanh"),
    )
    return graph


def _arm(name: str, activation: str) -> Any:
    gemm = helper.make_node("Gemm", ["x", f"{name}.weight", f"{name}.bias"], [f"{name}.out"], transB=1)
    last = helper.make_node(activation, [f"{name}.out"], [f"{name}.y"])
    output = helper.make_tensor_value_info(f"{name}.y", TensorProto.FLOAT, ["batch", 4])
    return helper.make_graph([gemm, last], name, [], [output])


def bulk(weights: Weights) -> Graph:
    """Twin of `torch_models.Bulk`."""
    graph = Graph(weights)
    graph.add("Gemm", ["x", "wide.weight", "wide.bias"], "y", transB=1)
    return graph

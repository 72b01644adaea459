"""Small healthy models whose outputs are hard to judge: saturated, pooled to one number, indices, deep, quantised."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from backends.conformance.models import BULK, MODELS
from backends.contract import Array, ModelSource, TensorSpec

IMAGE = TensorSpec("image", "float32", ("batch", 3, 16, 16))
X = TensorSpec("x", "float32", ("batch", 32))


class _Graph:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, *shape: int, gain: float = 1.0) -> str:
        fan_in = int(np.prod(shape[1:])) or 1
        return self.constant(self.random.normal(scale=gain / np.sqrt(fan_in), size=shape).astype(np.float32))

    def constant(self, value: Array) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: object) -> str:
        name = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def dense(self, value: str, wide: int, narrow: int, gain: float = 1.0) -> str:
        return self.add("Gemm", value, self.weight(narrow, wide, gain=gain), self.weight(narrow), transB=1)


def _classifier(gain: float, last: str) -> Callable[[_Graph], tuple[TensorSpec, TensorSpec]]:
    """A dense network that ends in `last`; with a large gain a softmax is near 0 and 1 everywhere."""

    def build(graph: _Graph) -> tuple[TensorSpec, TensorSpec]:
        hidden = graph.add("Tanh", graph.dense("x", 32, 64))
        logits = graph.dense(hidden, 64, 100, gain)
        if last == "ArgMax":
            graph.add("ArgMax", logits, output="y", axis=-1, keepdims=0)
            return X, TensorSpec("y", "int64", ("batch",))
        graph.add(last, logits, output="y", **({"axis": -1} if last.endswith("oftmax") else {}))
        return X, TensorSpec("y", "float32", ("batch", 100))

    return build


def _pooled(graph: _Graph) -> tuple[TensorSpec, TensorSpec]:
    """Convolutions, then one number for each picture: no average hides luck."""
    value = "image"
    for wide in (3, 16, 16):
        value = graph.add("Relu", graph.add("Conv", value, graph.weight(16, wide, 3, 3), pads=[1, 1, 1, 1]))
    flat = graph.add("Flatten", graph.add("GlobalAveragePool", value))
    graph.add("MatMul", flat, graph.weight(16, 1), output="y")
    return IMAGE, TensorSpec("y", "float32", ("batch", 1))


def _deep(graph: _Graph) -> tuple[TensorSpec, TensorSpec]:
    """Forty residual layers: rounding has a long way to grow."""
    value = "x"
    for _ in range(40):
        value = graph.add("Add", value, graph.add("Tanh", graph.dense(value, 32, 32)))
    graph.add("Identity", value, output="y")
    return X, TensorSpec("y", "float32", ("batch", 32))


def _norms(size: int) -> Callable[[_Graph], tuple[TensorSpec, TensorSpec]]:
    """Convolutions with instance normalisation and a sigmoid: of a constant picture the variance is 0."""

    def build(graph: _Graph) -> tuple[TensorSpec, TensorSpec]:
        value = graph.add("Conv", "image", graph.weight(16, 3, 3, 3), graph.weight(16), pads=[1, 1, 1, 1])
        for _ in range(3):
            ones = [graph.constant(np.ones(16, np.float32)), graph.weight(16)]
            normal = graph.add("InstanceNormalization", value, *ones, epsilon=1e-3)
            value = graph.add(
                "Conv", graph.add("Sigmoid", normal), graph.weight(16, 16, 3, 3), pads=[1, 1, 1, 1]
            )
        graph.add("AveragePool", value, output="y", kernel_shape=[2, 2], strides=[2, 2])
        image = TensorSpec("image", "float32", ("batch", 3, size, size))
        return image, TensorSpec("y", "float32", ("batch", 16, size // 2, size // 2))

    return build


def _quantised(graph: _Graph) -> tuple[TensorSpec, TensorSpec]:
    """8-bit weights and activations between QuantizeLinear and DequantizeLinear, as quantisers write them."""

    def grid(value: str, step: float) -> str:
        scale = graph.constant(np.array(step, np.float32))
        zero = graph.constant(np.array(0, np.int8))
        return graph.add("DequantizeLinear", graph.add("QuantizeLinear", value, scale, zero), scale, zero)

    value, wide = "x", 32
    for narrow in (64, 64, 10):
        weights = graph.random.normal(scale=1 / np.sqrt(wide), size=(wide, narrow))
        steps = (np.abs(weights).max(axis=0) / 127).astype(np.float32)
        whole = graph.constant(np.clip(np.round(weights / steps), -127, 127).astype(np.int8))
        kept = graph.add(
            "DequantizeLinear",
            whole,
            graph.constant(steps),
            graph.constant(np.zeros(narrow, np.int8)),
            axis=1,
        )
        value = graph.add("MatMul", grid(value, 4 / 127), kept)
        value, wide = (graph.add("Relu", value) if narrow != 10 else value), narrow
    graph.add("Identity", value, output="y")
    return X, TensorSpec("y", "float32", ("batch", 10))


SMALL: Mapping[str, Callable[[_Graph], tuple[TensorSpec, TensorSpec]]] = {
    "softmax": _classifier(1.0, "Softmax"),
    "saturated": _classifier(30.0, "Softmax"),
    "log-softmax": _classifier(10.0, "LogSoftmax"),
    "sigmoid": _classifier(10.0, "Sigmoid"),
    "labels": _classifier(1.0, "ArgMax"),
    "pooled": _pooled,
    "deep": _deep,
    "norms": _norms(16),
    "wide-norms": _norms(96),
    "quantised": _quantised,
}


def write_small(name: str, folder: Path) -> ModelSource:
    """Write one of SMALL, or one of the conformance kit's models, into `folder`."""
    for model in (*MODELS.values(), BULK):
        if model.name == name:
            return model.source(folder)
    graph = _Graph(seed=sum(name.encode()))
    given, made = SMALL[name](graph)
    values = [
        helper.make_tensor_value_info(
            s.name, helper.np_dtype_to_tensor_dtype(np.dtype(s.dtype)), list(s.shape)
        )
        for s in (given, made)
    ]
    proto = helper.make_graph(graph.nodes, name, values[:1], values[1:], graph.weights)
    model_proto = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model_proto, full_check=True)
    path = folder / f"{name}.onnx"
    onnx.save_model(model_proto, path)
    return ModelSource(name, hashlib.sha256(path.read_bytes()).hexdigest(), (given,), (made,), onnx_path=path)

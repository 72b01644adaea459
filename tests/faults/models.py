"""Small healthy models of many operators, written out node by node so that faults can be planted anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backends.conformance.onnx_models import Graph, model
from backends.contract import Array, TensorSpec

BATCH = 3
CLASSES, CHANNELS, EDGE = 10, 12, 24
TOKENS, WORDS, WIDTH = 12, 64, 16
DEPTH = 40
SIDE = 16

IMAGE = (TensorSpec("image", "float32", ("batch", 3, EDGE, EDGE)),)
TEXT = (
    TensorSpec("input_ids", "int64", ("batch", TOKENS)),
    TensorSpec("attention_mask", "int64", ("batch", TOKENS)),
)
ROW = (TensorSpec("x", "float32", ("batch", WIDTH)),)
TABLE = (TensorSpec("x", "float32", ("batch", SIDE, SIDE)),)
RANGES: Mapping[str, tuple[int, int]] = {"input_ids": (0, WORDS), "attention_mask": (0, 2)}


class _Weights:
    """Seeded weights that keep the size of what goes through them."""

    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng(seed)
        self.graph = Graph({})

    def weight(self, name: str, *shape: int, fan: int, gain: float = 1.0) -> str:
        value = self._draw.standard_normal(shape) * gain / np.sqrt(fan)
        return self.graph.constant(name, value.astype(np.float32))

    def small(self, name: str, *shape: int, around: float = 0.0) -> str:
        value = around + 0.1 * self._draw.standard_normal(shape)
        return self.graph.constant(name, value.astype(np.float32))

    def number(self, name: str, value: float | list[int]) -> str:
        kind = np.int64 if isinstance(value, list) else np.float32
        return self.graph.constant(name, np.array(value, dtype=kind))

    def conv(self, value: str, output: str, ins: int, outs: int, edge: int, **attributes: Any) -> str:
        group = int(attributes.get("group", 1))
        fan = ins // group * edge * edge
        inputs = [
            value,
            self.weight(f"{output}.weight", outs, ins // group, edge, edge, fan=fan, gain=1.4),
            self.small(f"{output}.bias", outs),
        ]
        return self.graph.add("Conv", inputs, output, **attributes)

    def norm(self, value: str, output: str, channels: int) -> str:
        statistics = [
            self.small(f"{output}.scale", channels, around=1.0),
            self.small(f"{output}.bias", channels),
            self.small(f"{output}.mean", channels),
            self.small(f"{output}.var", channels, around=1.0),
        ]
        return self.graph.add("BatchNormalization", [value, *statistics], output, epsilon=1e-5)

    def layer_norm(self, value: str, output: str) -> str:
        inputs = [
            value,
            self.small(f"{output}.scale", WIDTH, around=1.0),
            self.small(f"{output}.bias", WIDTH),
        ]
        return self.graph.add("LayerNormalization", inputs, output, epsilon=1e-5)

    def linear(self, value: str, output: str, ins: int, outs: int) -> str:
        weight = self.weight(f"{output}.weight", ins, outs, fan=ins)
        product = self.graph.add("MatMul", [value, weight], f"{output}.product")
        return self.graph.add("Add", [product, self.small(f"{output}.bias", outs)], output)


def vision() -> Any:
    """A convolutional network with every kind of layer that such networks have, batch norms not folded."""
    w = _Weights(1)
    g = w.graph
    w.conv("image", "c1", 3, 8, 3, pads=[1, 1, 1, 1])
    w.norm("c1", "n1", 8)
    g.add("Relu", ["n1"], "r1")
    w.conv("r1", "c2", 8, 8, 3, pads=[1, 1, 1, 1])
    w.norm("c2", "n2", 8)
    g.add("Add", ["n2", "r1"], "s2")
    g.add("Relu", ["s2"], "r2")
    g.add(
        "AveragePool",
        ["r2"],
        "p2",
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        count_include_pad=0,
    )
    w.conv("p2", "c3", 8, CHANNELS, 3, pads=[2, 2, 2, 2], dilations=[2, 2])
    g.add("LeakyRelu", ["c3"], "k3", alpha=0.1)
    g.add("MaxPool", ["k3"], "m3", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    w.conv("m3", "c4", CHANNELS, CHANNELS, 3, pads=[1, 1, 1, 1], group=CHANNELS)
    g.add("Mul", ["c4", w.number("four", 4.0)], "v4")
    g.add("Clip", ["v4", w.number("zero", 0.0), w.number("six", 6.0)], "x4")
    scales = g.constant("scales", np.array([1, 1, 2, 2], dtype=np.float32))
    g.add("Resize", ["x4", "", scales], "u4", mode="linear", coordinate_transformation_mode="half_pixel")
    w.conv("u4", "c5", CHANNELS, CHANNELS, 1)
    g.add("Sigmoid", ["c5"], "g5")
    g.add("Mul", ["c5", "g5"], "h5")
    g.add("GlobalAveragePool", ["h5"], "a6")
    g.add("Flatten", ["a6"], "features", axis=1)
    w.weight("head.weight", CLASSES, CHANNELS, fan=CHANNELS)
    g.add("Gemm", ["features", "head.weight", w.small("head.bias", CLASSES)], "logits", transB=1)
    g.add("Softmax", ["logits"], "probabilities", axis=1)
    return model(
        g,
        "vision",
        IMAGE,
        (
            TensorSpec("logits", "float32", ("batch", CLASSES)),
            TensorSpec("probabilities", "float32", ("batch", CLASSES)),
            TensorSpec("features", "float32", ("batch", CHANNELS)),
        ),
    )


def encoder() -> Any:
    """One block of a transformer over padded texts, with a pooled output and the place of the largest value."""
    w = _Weights(2)
    g = w.graph
    w.weight("words", WORDS, WIDTH, fan=1)
    g.add("Gather", ["words", "input_ids"], "embedded")
    g.add("Add", ["embedded", w.weight("places", TOKENS, WIDTH, fan=2)], "x0")
    w.layer_norm("x0", "y0")
    for name in ("query", "key", "value"):
        w.linear("y0", name, WIDTH, WIDTH)
    g.add("Transpose", ["key"], "key.t", perm=[0, 2, 1])
    g.add("MatMul", ["query", "key.t"], "raw")
    g.add("Mul", ["raw", w.number("quarter", 0.25)], "scaled")
    g.add("Cast", ["attention_mask"], "mask", to=1)
    g.add("Sub", [w.number("one", 1.0), "mask"], "padding")
    g.add("Mul", ["padding", w.number("far", -1e4)], "penalty")
    g.add("Unsqueeze", ["penalty", w.number("middle", [1])], "penalties")
    g.add("Add", ["scaled", "penalties"], "scores")
    g.add("Softmax", ["scores"], "attention", axis=-1)
    g.add("MatMul", ["attention", "value"], "context")
    w.linear("context", "projected", WIDTH, WIDTH)
    g.add("Add", ["x0", "projected"], "x1")
    w.layer_norm("x1", "y1")
    w.linear("y1", "up", WIDTH, 4 * WIDTH)
    g.add("Mul", ["up", w.number("root_half", float(np.sqrt(0.5)))], "erf.in")
    g.add("Erf", ["erf.in"], "erf.out")
    g.add("Add", ["erf.out", "one"], "erf.plus")
    g.add("Mul", ["up", "erf.plus"], "gelu.twice")
    g.add("Mul", ["gelu.twice", w.number("half", 0.5)], "gelu")
    w.linear("gelu", "down", 4 * WIDTH, WIDTH)
    g.add("Add", ["x1", "down"], "x2")
    w.layer_norm("x2", "hidden")
    g.add("Unsqueeze", ["mask", w.number("last", [2])], "mask3")
    g.add("Mul", ["hidden", "mask3"], "kept")
    g.add("ReduceSum", ["kept", "middle"], "sum", keepdims=0)
    g.add("ReduceSum", ["mask3", "middle"], "count", keepdims=0)
    g.add("Div", ["sum", "count"], "pooled")
    g.add("ArgMax", ["pooled"], "best", axis=-1, keepdims=0)
    return model(
        g,
        "encoder",
        TEXT,
        (
            TensorSpec("hidden", "float32", ("batch", TOKENS, WIDTH)),
            TensorSpec("pooled", "float32", ("batch", WIDTH)),
            TensorSpec("best", "int64", ("batch",)),
        ),
    )


def deep() -> Any:
    """Forty residual layers, one like the other: the fault must be told from its consequences."""
    w = _Weights(3)
    g = w.graph
    value = "x"
    for layer in range(1, DEPTH + 1):
        w.weight(f"w{layer}", WIDTH, WIDTH, fan=WIDTH)
        g.add("Gemm", [value, f"w{layer}", w.small(f"b{layer}", WIDTH)], f"l{layer}")
        g.add("Tanh", [f"l{layer}"], f"t{layer}")
        g.add("Add", [value, f"t{layer}"], f"h{layer}")
        value = f"h{layer}"
    g.add("Mul", [value, w.number("smaller", 0.2)], "y")
    return model(g, "deep", ROW, (TensorSpec("y", "float32", ("batch", WIDTH)),))


def tables() -> Any:
    """Square tensors, on which wrong axes, orders and shapes go through without a complaint."""
    w = _Weights(4)
    g = w.graph
    w.weight("row", SIDE, fan=1)
    g.add("Add", ["x", "row"], "shifted")
    g.add("Tanh", ["shifted"], "squashed")
    g.add("Exp", ["squashed"], "grown")
    g.add("Div", ["grown", w.number("seven", 7.0)], "scaled")
    g.add("ReduceMean", ["scaled"], "means", axes=[1], keepdims=1)
    g.add("Sub", ["scaled", "means"], "centred")
    g.add("Abs", ["x"], "size")
    g.add("Max", ["size", w.number("tiny", 1e-6)], "safe")
    g.add("Div", ["x", "safe"], "signs")
    g.add("Transpose", ["centred"], "turned", perm=[0, 2, 1])
    g.add("MatMul", ["turned", w.weight("square", SIDE, SIDE, fan=SIDE)], "mixed")
    g.add("Slice", ["mixed", w.number("from", [0]), w.number("to", [8]), w.number("axis", [2])], "left")
    g.add("Slice", ["mixed", w.number("from2", [8]), w.number("to2", [16]), "axis"], "right")
    g.add("Concat", ["left", "right"], "joined", axis=2)
    order = g.constant("order", np.random.default_rng(5).permutation(SIDE).astype(np.int64))
    g.add("Gather", ["joined", order], "sorted", axis=2)
    g.add("Greater", ["x", w.number("nought", 0.0)], "positive")
    g.add("Where", ["positive", "sorted", "centred"], "chosen")
    g.add("CumSum", ["chosen", g.constant("along", np.array(1, dtype=np.int64))], "running")
    g.add("Tanh", ["running"], "bounded")
    return model(
        g,
        "tables",
        TABLE,
        (
            TensorSpec("bounded", "float32", ("batch", SIDE, SIDE)),
            TensorSpec("signs", "float32", ("batch", SIDE, SIDE)),
        ),
    )


MODELS: Mapping[str, Callable[[], Any]] = {
    "vision": vision,
    "encoder": encoder,
    "deep": deep,
    "tables": tables,
}


def constants(proto: Any) -> dict[str, Array]:
    """The initializers of a model."""
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}

"""The battery: every fault with the model that it is planted in, and the inputs on which it shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from backends.contract import Array
from tests.faults import planting
from tests.faults.models import MODELS
from tests.faults.planting import Plant, Planted


@dataclass(frozen=True)
class Fault:
    """`shows`: the input set on which an engine that runs the planted model must be found out."""

    name: str
    model: str
    plant: Plant
    shows: str = "normal:0"
    blamed: str = ""
    """Tensor that a search must name, where it is not the first wrong one of the healthy graph."""

    def __str__(self) -> str:
        return self.name


def swap(*places: int, axis: int = 0) -> planting.Change:
    """Exchange two entries along an axis."""

    def change(value: Array) -> Array:
        first, second = places
        order = list(range(value.shape[axis]))
        order[first], order[second] = order[second], order[first]
        return value.take(order, axis=axis)

    return change


def entry(place: tuple[int, ...], add: float) -> planting.Change:
    """Add to one entry."""

    def change(value: Array) -> Array:
        value[place] += add
        return value

    return change


def negative(channel: int) -> planting.Change:
    """Turn the sign of one output channel."""

    def change(value: Array) -> Array:
        value[channel] *= -1
        return value

    return change


def rounded_to(bits: int) -> planting.Change:
    """Round to so many significant bits: 11 as float16 has them, 8 as bfloat16."""

    def change(value: Array) -> Array:
        mantissa, exponent = np.frexp(value)
        rounded: Array = np.ldexp(np.round(mantissa * 2.0**bits) / 2.0**bits, exponent).astype(value.dtype)
        return rounded

    return change


def int8(value: Array) -> Array:
    """Quantise to 255 steps and back."""
    step = np.abs(value).max() / 127
    stepped: Array = (np.round(value / step) * step).astype(value.dtype)
    return stepped


def roll(value: Array) -> Array:
    """Everything one place further: an index that is off by one."""
    return np.roll(value, 1, axis=0)


def broadcast_along_the_other_axis(model: Any) -> str:
    """A vector is added to columns instead of rows: the shapes fit both ways."""
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        if tensor.name == "row":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:, None], "row"))
    return "shifted"


FAULTS: tuple[Fault, ...] = (
    # The issue's own list.
    Fault("wrong epsilon in one batch norm", "vision", planting.attribute("n2", "epsilon", 1e-3)),
    Fault("swapped channels", "vision", planting.constant("c2.weight", swap(1, 4))),
    Fault("transposed weight", "encoder", planting.constant("key.weight", np.transpose)),
    Fault("one corrupted weight in layer 30", "deep", planting.constant("w30", entry((3, 5), 0.25))),
    Fault("average pool counts its padding", "vision", planting.attribute("p2", "count_include_pad", 1)),
    Fault("softmax axis off by one", "encoder", planting.attribute("attention", "axis", 1)),
    Fault("float16 accumulation", "encoder", planting.rounding_sums("up.product", 4)),
    Fault("float16 casts around a product", "encoder", planting.in_float16("query.product", 0, 1)),
    Fault(
        "outputs swapped",
        "vision",
        planting.swapped_outputs("logits", "probabilities"),
        blamed="probabilities",
    ),
    Fault("NaN only for zeros", "tables", planting.rewired("signs", 1, "size"), shows="zeros"),
    # What else converters, optimisers and kernels get wrong.
    Fault("batch norm epsilon ten times too large", "vision", planting.attribute("n1", "epsilon", 1e-4)),
    Fault("layer norm epsilon of another framework", "encoder", planting.attribute("y1", "epsilon", 1e-3)),
    Fault("batch norm's variance read as mean", "vision", planting.rewired("n2", 3, "n2.var")),
    Fault("pads on the wrong side", "vision", planting.attribute("c1", "pads", [2, 2, 0, 0])),
    Fault(
        "dilation forgotten, pads that fit",
        "vision",
        planting.attribute("c3", "dilations", [1, 1], pads=[1, 1, 1, 1]),
    ),
    Fault("max pool padded on the wrong side", "vision", planting.attribute("m3", "pads", [0, 0, 1, 1])),
    Fault("missing activation", "vision", planting.dropped("r1")),
    Fault("activation twice as steep", "vision", planting.attribute("k3", "alpha", 0.2)),
    Fault("leaky relu's default slope", "vision", planting.attribute("k3", "alpha", 0.01)),
    Fault("relu6 without its upper bound", "vision", planting.operator("x4", "Relu", ["v4"])),
    Fault(
        "resize by other coordinates",
        "vision",
        planting.attribute("u4", "coordinate_transformation_mode", "asymmetric"),
    ),
    Fault("resize by nearest", "vision", planting.attribute("u4", "mode", "nearest")),
    Fault(
        "depthwise kernel flipped", "vision", planting.constant("c4.weight", lambda w: w[:, :, ::-1, ::-1])
    ),
    Fault("hard sigmoid for sigmoid", "vision", planting.operator("g5", "HardSigmoid")),
    Fault("bias dropped", "vision", planting.constant("c5.bias", np.zeros_like)),
    Fault("bias twice", "vision", planting.constant("head.bias", lambda b: 2 * b)),
    Fault("one bias off", "vision", planting.constant("head.bias", entry((7,), 1e-3))),
    Fault("gemm alpha", "vision", planting.attribute("logits", "alpha", 1.001)),
    Fault("softmax over the batch", "vision", planting.attribute("probabilities", "axis", 0)),
    Fault("residual from before the activation", "vision", planting.rewired("s2", 1, "n1")),
    Fault("sign of one channel", "vision", planting.constant("c3.weight", negative(5))),
    Fault("weights rounded to float16", "vision", planting.constant("c1.weight", rounded_to(11))),
    Fault("weights rounded to bfloat16", "encoder", planting.constant("down.weight", rounded_to(8))),
    Fault("weights rounded to int8", "deep", planting.constant("w12", int8)),
    Fault(
        "output scaled by 1.001",
        "vision",
        planting.followed_by("features", "Mul", ("factor", np.array([1.001], np.float32))),
    ),
    Fault("gelu by tanh", "encoder", planting.operator("erf.out", "Tanh")),
    Fault("mask ignored", "encoder", planting.dropped("scores")),
    Fault("padding attended", "encoder", planting.constant("far", lambda f: np.float32(-1.0) + 0 * f)),
    Fault(
        "scale of the scores",
        "encoder",
        planting.constant("quarter", lambda q: (q * 1.0001).astype(np.float32)),
    ),
    Fault("query and key exchanged", "encoder", planting.rewired("key.t", 0, "query")),
    Fault("embedding off by one", "encoder", planting.constant("words", roll)),
    Fault("positions off by one", "encoder", planting.constant("places", roll)),
    Fault("residual from after the norm", "encoder", planting.rewired("x1", 0, "y0")),
    Fault("pooled over the padding", "encoder", planting.dropped("kept")),
    Fault("argmin for argmax", "encoder", planting.operator("best", "ArgMin", axis=-1, keepdims=0)),
    Fault("skipped layer", "deep", planting.dropped("h21")),
    Fault("activation approximated", "deep", planting.operator("t8", "Softsign")),
    Fault(
        "exp of reduced precision",
        "tables",
        planting.followed_by("grown", "Mul", ("wobble", np.array([1 + 2**-12], np.float32))),
    ),
    Fault("mean over the wrong axis", "tables", planting.attribute("means", "axes", [2])),
    Fault("transpose the other way", "tables", planting.attribute("turned", "perm", [0, 1, 2])),
    Fault("concatenated in the wrong order", "tables", planting.rewired("joined", 0, "right")),
    Fault("gather off by one", "tables", planting.constant("order", lambda o: (o + 1) % len(o))),
    Fault("wrong broadcasting", "tables", broadcast_along_the_other_axis),
    Fault("condition turned round", "tables", planting.operator("positive", "Less")),
    Fault("exclusive running sum", "tables", planting.attribute("running", "exclusive", 1)),
)


@cache
def healthy(model: str) -> Any:
    """The healthy model, made once."""
    return MODELS[model]()


def plant(fault: Fault) -> Planted:
    """The fault in a copy of its model."""
    return planting.planted(healthy(fault.model), fault.plant)

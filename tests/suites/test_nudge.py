"""Moved models: every weight moves by one rounding, and what decides sizes does not move."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from backends.contract import Array
from suites.nudge import moved_model

SIZE = 2.0**-24


def model(nodes: list[Any], **constants: Array) -> Any:
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "moved", [image], [result], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def constants(proto: onnx.ModelProto) -> dict[str, Array]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}


def moved(healthy: Any) -> dict[str, bool]:
    before = constants(healthy)
    after = constants(moved_model(healthy, np.random.default_rng(0), SIZE))
    return {name: not np.array_equal(before[name], after[name]) for name in before}


def test_weights_move_by_one_rounding_and_scales_stay() -> None:
    weight = np.linspace(0.5, 2, 4, dtype=np.float32).reshape(2, 2, 1, 1)
    healthy = model(
        [
            helper.make_node("Conv", ["x", "weight"], ["c"]),
            helper.make_node("Resize", ["c", "", "scales"], ["y"]),
        ],
        weight=weight,
        scales=np.array([1, 1, 2, 2], np.float32),
    )
    assert moved(healthy) == {"weight": True, "scales": False}
    after = constants(moved_model(healthy, np.random.default_rng(0), SIZE))["weight"]
    assert np.abs(after / weight - 1).max() <= 2.0**-23
    assert constants(healthy)["weight"].tobytes() == weight.tobytes()


def test_what_sizes_are_computed_from_stays() -> None:
    """Sizes as exporters compute them: shape, cast, product, floor, cast."""
    healthy = model(
        [
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Cast", ["shape"], ["wide"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["wide", "factor"], ["product"]),
            helper.make_node("Floor", ["product"], ["whole"]),
            helper.make_node("Cast", ["whole"], ["sizes"], to=TensorProto.INT64),
            helper.make_node("Mul", ["x", "weight"], ["scaled"]),
            helper.make_node("Resize", ["scaled", "", "", "sizes"], ["y"]),
        ],
        factor=np.array([1, 1, 2, 2], np.float32),
        weight=np.array([0.3], np.float32),
    )
    assert moved(healthy) == {"factor": False, "weight": True}


def test_a_rounded_product_of_the_inputs_keeps_its_weights_moving() -> None:
    healthy = model(
        [
            helper.make_node("Mul", ["x", "weight"], ["scaled"]),
            helper.make_node("Floor", ["scaled"], ["y"]),
        ],
        weight=np.array([0.3], np.float32),
    )
    assert moved(healthy) == {"weight": True}

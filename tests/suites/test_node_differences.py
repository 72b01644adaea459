"""What differs between the same part of two models, in words that name the value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from backends.conformance.models import MODELS
from suites.node_differences import differences


def change(path: Path, to: Path, edit: Any) -> Path:
    proto = onnx.load(path)
    edit(proto.graph)
    onnx.save(proto, to)
    return to


def test_differences_are_named_with_their_values(tmp_path: Path) -> None:
    path = MODELS["cnn"].source(tmp_path).onnx_path
    assert path is not None

    def spoil(graph: Any) -> None:
        norm = next(node for node in graph.node if node.op_type == "BatchNormalization")
        norm.attribute[0].f = 1e-2
        weight = next(tensor for tensor in graph.initializer if tensor.name == "second.weight")
        array = np.array(numpy_helper.to_array(weight))
        array[1, 2, 0, 1] = 7.0
        weight.CopyFrom(numpy_helper.from_array(array, weight.name))

    other = change(path, tmp_path / "other.onnx", spoil)
    asked = {"model": str(other), "reference": str(path)}
    (found,) = differences({**asked, "tensors": ["n1"]}, {})[0]["differences"]
    assert (found["what"], found["model"], found["reference"]) == ("attribute epsilon", "0.01", "1e-05")
    (found,) = differences({**asked, "tensors": ["c2"]}, {})[0]["differences"]
    assert found["what"] == "constant second.weight"
    assert found["model"].startswith("7 at [1, 2, 0, 1]; 1 of ")
    assert differences({**asked, "tensors": ["r1", "logits"]}, {})[0]["differences"] == []


def test_another_operator_and_another_input_are_differences(tmp_path: Path) -> None:
    path = MODELS["cnn"].source(tmp_path).onnx_path
    assert path is not None

    def rewire(graph: Any) -> None:
        node = next(node for node in graph.node if node.output[0] == "r2")
        node.CopyFrom(helper.make_node("Sigmoid", ["r1"], ["r2"]))

    other = change(path, tmp_path / "other.onnx", rewire)
    told, _ = differences({"model": str(other), "reference": str(path), "tensors": ["r2"]}, {})
    found = {entry["what"]: (entry["model"], entry["reference"]) for entry in told["differences"]}
    assert found == {"operator": ("Sigmoid", "Relu"), "input": ("r1", "sum")}


LINEAR = ("MatMul", "Add")


def looping(to: Path, scale: float = 1.0, trips: Any = 5, kinds: tuple[str, str] = LINEAR) -> Path:
    """A Loop whose body reads a weight from outside, and has a constant of its own as a node."""
    float32 = TensorProto.FLOAT

    def value(name: str, kind: int, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    body = helper.make_graph(
        [
            helper.make_node(
                "Constant", [], ["one"], value=numpy_helper.from_array(np.array([scale], np.float32))
            ),
            helper.make_node(kinds[0], ["state", "weight"], ["product"]),
            helper.make_node(kinds[1], ["product", "one"], ["next"]),
            helper.make_node("Identity", ["going"], ["on"]),
        ],
        "body",
        [value("number", TensorProto.INT64), value("going", TensorProto.BOOL), value("state", float32, 1, 2)],
        [value("on", TensorProto.BOOL), value("next", float32, 1, 2)],
    )
    weight = np.full((2, 2), scale, np.float32)
    graph = helper.make_graph(
        [helper.make_node("Loop", ["trips", "", "x"], ["y"], body=body)],
        "looping",
        [value("x", float32, 1, 2)],
        [value("y", float32, 1, 2)],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.array(trips), "trips")],
    )
    onnx.save(helper.make_model(graph), to)
    return to


def told(model: Path, reference: Path, tensor: str) -> dict[str, tuple[str, str]]:
    answer, _ = differences({"model": str(model), "reference": str(reference), "tensors": [tensor]}, {})
    return {entry["what"]: (entry["model"], entry["reference"]) for entry in answer["differences"]}


def test_bodies_are_compared_node_by_node_with_what_they_read_from_outside(tmp_path: Path) -> None:
    plain = looping(tmp_path / "plain.onnx")
    assert told(looping(tmp_path / "same.onnx"), plain, "y") == {}
    assert told(looping(tmp_path / "scaled.onnx", 2.0), plain, "y") == {
        "constant weight in body": ("2 at [0, 0]; 4 of 4 values differ", "1"),
        "constant one in body": ("2 at [0]; 1 of 1 values differ", "1"),
    }
    assert told(looping(tmp_path / "others.onnx", kinds=("Add", "Add")), plain, "y") == {
        "operators of body": ("Add, Add, Identity", "MatMul, Add, Identity")
    }


def test_names_inside_bodies_do_not_matter_but_wires_do(tmp_path: Path) -> None:
    plain = looping(tmp_path / "plain.onnx")

    def rename(graph: Any) -> None:
        body = graph.node[0].attribute[0].g
        for node in body.node:
            for names in (node.input, node.output):
                names[:] = ["made" if name == "product" else name for name in names]

    def rewire(graph: Any) -> None:
        graph.node[0].attribute[0].g.node[2].input[0] = "state"

    assert told(change(plain, tmp_path / "renamed.onnx", rename), plain, "y") == {}
    assert told(change(plain, tmp_path / "rewired.onnx", rewire), plain, "y") == {
        "input in body": ("state", "product")
    }


def test_constants_of_other_shapes_are_told_with_their_values(tmp_path: Path) -> None:
    plain = looping(tmp_path / "plain.onnx")
    assert told(looping(tmp_path / "fewer.onnx", trips=[4]), plain, "y") == {
        "constant trips": ("4 (int64 [1])", "5 (int64 [])")
    }


def test_a_constant_may_be_a_node_in_one_model_and_an_initializer_in_the_other(tmp_path: Path) -> None:
    plain = looping(tmp_path / "plain.onnx")

    def as_node(number: int) -> Any:
        def edit(graph: Any) -> None:
            del graph.initializer[1]
            graph.node.insert(0, helper.make_node("Constant", [], ["trips"], value_int=number))

        return edit

    assert told(change(plain, tmp_path / "same.onnx", as_node(5)), plain, "y") == {}
    assert told(change(plain, tmp_path / "four.onnx", as_node(4)), plain, "y") == {
        "constant trips": ("4 at []; 1 of 1 values differ", "5")
    }


def test_each_difference_names_the_tensor_behind_it(tmp_path: Path) -> None:
    path = MODELS["cnn"].source(tmp_path).onnx_path
    assert path is not None

    def spoil(graph: Any) -> None:
        weight = next(tensor for tensor in graph.initializer if tensor.name == "second.weight")
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 2, weight.name))

    other = change(path, tmp_path / "other.onnx", spoil)
    tensors = [node.output[0] for node in onnx.load(path).graph.node]
    answer, _ = differences({"model": str(other), "reference": str(path), "tensors": tensors}, {})
    assert [(entry["what"], entry["tensor"]) for entry in answer["differences"]] == [
        ("constant second.weight", "c2")
    ]

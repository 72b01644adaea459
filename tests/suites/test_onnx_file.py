"""Real ONNX files, good and bad, read or refused with words that help."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backends.contract import TensorSpec
from suites.errors import ModelError
from suites.onnx_file import inspect

FLOAT = TensorProto.FLOAT


def tensor(name: str, shape: Any, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **more: Any) -> Path:
    opsets = [helper.make_opsetid("", 18), *more.pop("opsets", [])]
    functions = more.pop("functions", [])
    graph = helper.make_graph(nodes, "g", inputs, outputs, **more)
    model = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=9)
    model.producer_name, model.producer_version = "by hand", "1"
    onnx.save_model(model, path, format="protobuf")
    return path


def linear(path: Path, **more: Any) -> Path:
    weight = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    shape = numpy_helper.from_array(np.array([-1, 3], np.int64), "s")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Reshape", ["h", "s"], ["y"]),
    ]
    return save(
        path, nodes, [tensor("x", ["n", 4])], [tensor("y", ["n", 3])], initializer=[weight, shape], **more
    )


def look(path: Path) -> dict[str, Any]:
    answer, arrays = inspect({"path": str(path)}, {})
    assert arrays == {}
    assert json.loads(json.dumps(answer)) == answer
    return answer


def test_a_plain_model(tmp_path: Path) -> None:
    path = linear(tmp_path / "m.onnx")
    assert look(path) == {
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["n", 4]}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": ["n", 3]}],
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "opset": {"ai.onnx": 18},
        "producer": "by hand 1",
        "parameters": 12,
        "operators": {"MatMul": 1, "Reshape": 1},
        "external_data": [],
    }


def test_specs_survive_json() -> None:
    spec = TensorSpec("x", "float32", ("batch", 3))
    assert TensorSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_an_initializer_that_is_also_an_input_is_no_input(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [tensor("x", ["n", 4]), tensor("w", [4, 3])],
        [tensor("y", ["n", 3])],
        initializer=[weight],
    )
    assert [spec["name"] for spec in look(path)["inputs"]] == ["x"]


def test_dimensions_without_a_name_get_one(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("Relu", ["x"], ["y"])],
        [tensor("x", [None, -1, 5, "t"])],
        [tensor("y", [None, None, 5, "t"])],
    )
    found = look(path)
    assert found["inputs"][0]["shape"] == ["x_dim0", "x_dim1", 5, "t"]
    assert found["outputs"][0]["shape"] == ["y_dim0", "y_dim1", 5, "t"]


def test_a_scalar_has_no_dimensions(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], [tensor("x", [])], [tensor("y", [])]
    )
    assert look(path)["inputs"][0]["shape"] == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (TensorProto.FLOAT16, "float16"),
        (TensorProto.DOUBLE, "float64"),
        (TensorProto.INT64, "int64"),
        (TensorProto.UINT8, "uint8"),
        (TensorProto.BOOL, "bool"),
    ],
)
def test_dtypes_have_numpy_names(tmp_path: Path, kind: int, name: str) -> None:
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("Identity", ["x"], ["y"])],
        [tensor("x", [2], kind)],
        [tensor("y", [2], kind)],
    )
    assert look(path)["inputs"][0]["dtype"] == np.dtype(name).name


def test_an_output_without_a_shape_is_inferred(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])],
        [tensor("x", ["n", 4])],
        [tensor("y", None)],
    )
    assert look(path)["outputs"] == [{"name": "y", "dtype": "float32", "shape": [4, "n"]}]


def test_an_output_whose_shape_nobody_knows(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("Reshape", ["x", "s"], ["y"])],
        [tensor("x", ["n", 4]), tensor("s", ["k"], TensorProto.INT64)],
        [tensor("y", None)],
    )
    refused(path, "output 'y' declares no shape")


def test_operators_are_counted_in_subgraphs_and_functions(tmp_path: Path) -> None:
    def branch(name: str, operator: str) -> Any:
        node = helper.make_node(operator, ["x"], [f"{name}_y"])
        return helper.make_graph([node], name, [], [tensor(f"{name}_y", ["n"])])

    function = helper.make_function(
        "mine",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 18)],
    )
    nodes = [
        helper.make_node(
            "If", ["c"], ["h"], then_branch=branch("yes", "Relu"), else_branch=branch("no", "Neg")
        ),
        helper.make_node("Twice", ["h"], ["y"], domain="mine"),
    ]
    path = save(
        tmp_path / "m.onnx",
        nodes,
        [tensor("c", [], TensorProto.BOOL), tensor("x", ["n"])],
        [tensor("y", ["n"])],
        functions=[function],
        opsets=[helper.make_opsetid("mine", 1)],
    )
    found = look(path)
    assert found["operators"] == {"Add": 1, "If": 1, "Neg": 1, "Relu": 1, "mine:Twice": 1}
    assert found["opset"] == {"ai.onnx": 18, "mine": 1}


def external(folder: Path) -> Path:
    model = onnx.load_model(linear(folder / "plain.onnx"))
    onnx.save_model(model, folder / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    return folder / "m.onnx"


def test_external_data_belongs_to_the_model(tmp_path: Path) -> None:
    path = external(tmp_path)
    data = tmp_path / "m.data"
    before = look(path)
    assert before["external_data"] == [{"location": "m.data", "bytes": data.stat().st_size}]
    assert before["bytes"] == path.stat().st_size + data.stat().st_size
    assert before["parameters"] == 12
    data.write_bytes(bytes(data.stat().st_size))
    after = look(path)
    assert after["sha256"] != before["sha256"]


def refused(path: Path, message: str) -> ModelError:
    with pytest.raises(ModelError, match=message) as caught:
        inspect({"path": str(path)}, {})
    assert caught.value.hint
    return caught.value


def test_missing_external_data(tmp_path: Path) -> None:
    path = external(tmp_path)
    (tmp_path / "m.data").unlink()
    refused(path, r"needs the external data file 'm\.data', which is not in")


@pytest.mark.parametrize("location", ["../m.data", "/etc/hostname", ""])
def test_external_data_outside_the_models_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "m.data").write_bytes(bytes(1000))
    path = external(tmp_path / "inner")
    model = onnx.load_model(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    path.write_bytes(model.SerializeToString())
    refused(path, "outside the model's folder")


def test_a_missing_path(tmp_path: Path) -> None:
    refused(tmp_path / "gone.onnx", r"there is no model file .*gone\.onnx")


def test_a_folder(tmp_path: Path) -> None:
    refused(tmp_path, "is a folder")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").touch()
    refused(tmp_path / "m.onnx", r"m\.onnx is empty")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file(tmp_path: Path, share: float) -> None:
    path = linear(tmp_path / "m.onnx")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "cut short|ONNX checker refuses|has no outputs")


@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        b"<!doctype html><html><body>Not found</body></html>",
        b"name: net\nlayers: [1, 2]\n",
        b"\x00" * 64,
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        b"\n\n\n\n",
        b"PK\x03\x04" + bytes(60),
    ],
)
def test_what_is_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    refused(path, "is not an ONNX file")


def test_a_text_suffix_does_not_change_how_it_is_read(tmp_path: Path) -> None:
    path = linear(tmp_path / "m.json")
    assert look(path)["parameters"] == 12


def test_a_graph_without_outputs(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], [tensor("x", [1])], [])
    refused(path, "has no outputs")


def test_what_the_checker_refuses(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("Relu", ["nowhere"], ["y"])],
        [tensor("x", [1])],
        [tensor("y", [1])],
    )
    assert "nowhere" in refused(path, "the ONNX checker refuses").message


def test_an_input_without_a_shape(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], [tensor("x", None)], [tensor("y", [1])]
    )
    refused(path, "input 'x' declares no shape")


def test_a_sequence_input(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("ConcatFromSequence", ["x"], ["y"], axis=0)],
        [helper.make_tensor_sequence_value_info("x", FLOAT, [2])],
        [tensor("y", ["n"])],
    )
    refused(path, "input 'x' has sequence type")


def test_an_optional_input(tmp_path: Path) -> None:
    element = helper.make_tensor_type_proto(FLOAT, [2])
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("OptionalGetElement", ["x"], ["y"])],
        [helper.make_value_info("x", helper.make_optional_type_proto(element))],
        [tensor("y", [2])],
    )
    refused(path, "input 'x' has optional type")


@pytest.mark.parametrize(
    ("kind", "name"), [(TensorProto.STRING, "string"), (TensorProto.BFLOAT16, "bfloat16")]
)
def test_an_unsupported_element_type(tmp_path: Path, kind: int, name: str) -> None:
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("Identity", ["x"], ["y"])],
        [tensor("x", [2], kind)],
        [tensor("y", [2], kind)],
    )
    refused(path, f"input 'x' is of type {name}, which is not supported")


def test_a_sequence_output(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("SequenceConstruct", ["x"], ["y"])],
        [tensor("x", [2])],
        [helper.make_tensor_sequence_value_info("y", FLOAT, [2])],
    )
    refused(path, "output 'y' has sequence type")

"""Values of inner tensors: the same as the evaluator gives at once, and as much as can be had of any graph."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backends.conformance.models import MODELS
from backends.contract import Array
from suites.errors import ModelError
from suites.evaluator import evaluate
from suites.graph_tensors import graph_tensors
from suites.onnx_precision import set_precision
from suites.tensor_values import tensor_runs, tensor_values


def compute(path: Path, feeds: dict[str, Array], folder: Path, dtype: str, **more: Any) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    answer, arrays = tensor_values({"path": str(path), "folder": str(folder), "dtype": dtype, **more}, feeds)
    assert arrays == {}
    return answer


def values_of(answer: dict[str, Any]) -> dict[str, Array]:
    return {name: np.load(entry["file"]) for name, entry in answer["tensors"].items()}


def graph_of(nodes: list[Any], outputs: list[str], path: Path, *constants: Any, opset: int = 17) -> Path:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    made = helper.make_graph(
        nodes, "g", [x], [onnx.ValueInfoProto(name=name) for name in outputs], list(constants)
    )
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_tensor_is_what_the_whole_graph_gives(kind: str, dtype: str, tmp_path: Path) -> None:
    model = MODELS[kind]
    source, feeds = model.source(tmp_path), model.feeds(0, 2)
    assert source.onnx_path is not None
    found = values_of(compute(source.onnx_path, feeds, tmp_path / "out", dtype))
    told, _ = graph_tensors({"path": str(source.onnx_path)}, {})
    names = [name for node in told["nodes"] if node["operator"] != "Constant" for name in node["outputs"]]
    assert sorted(found) == sorted(names)
    proto = onnx.load(source.onnx_path)
    set_precision(proto, dtype)
    cast = {name: v.astype(dtype) if v.dtype.kind == "f" else v for name, v in feeds.items()}
    for name, expected in zip(names, evaluate(proto, kind, names, cast, exact=False), strict=True):
        np.testing.assert_array_equal(found[name], expected)


def test_only_what_is_asked_for_is_kept(tmp_path: Path) -> None:
    model = MODELS["cnn"]
    path = model.source(tmp_path).onnx_path
    assert path is not None
    answer = compute(path, model.feeds(0, 1), tmp_path / "out", "float32", tensors=["r1", "logits"])
    assert sorted(answer["tensors"]) == ["logits", "r1"]
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_what_depends_on_an_unknown_operator_is_left_out_and_the_rest_is_there(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Unheard", ["a"], ["b"], domain="somewhere"),
        helper.make_node("Neg", ["b"], ["c"]),
        helper.make_node("Neg", ["a"], ["d"]),
    ]
    path = graph_of(nodes, ["c", "d"], tmp_path / "m.onnx")
    feeds: dict[str, Array] = {"x": np.ones((2, 3), np.float32)}
    answer = compute(path, feeds, tmp_path / "out", "float64")
    assert sorted(answer["tensors"]) == ["a", "d"]
    assert set(answer["left_out"]) == {"b", "c"}
    assert "Unheard" in answer["left_out"]["c"]


def test_sequences_are_left_out_and_what_is_made_of_them_is_there(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("SequenceConstruct", ["x", "x"], ["s"]),
        helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0),
    ]
    path = graph_of(nodes, ["y"], tmp_path / "m.onnx")
    feeds: dict[str, Array] = {"x": np.ones((2, 3), np.float32)}
    answer = compute(path, feeds, tmp_path / "out", "float32")
    assert "plain numbers" in answer["left_out"]["s"]
    assert answer["tensors"]["y"]["shape"] == [4, 3]


def test_an_operator_in_a_lower_precision_and_random_ones_are_told(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("RandomNormalLike", ["x"], ["r"]),
    ]
    path = graph_of(nodes, ["scale", "r"], tmp_path / "m.onnx")
    feeds: dict[str, Array] = {"x": np.ones((2, 3), np.float32)}
    answer = compute(path, feeds, tmp_path / "out", "float64")
    assert answer["lower"] == ["DynamicQuantizeLinear"]
    assert answer["random"] == ["RandomNormalLike"]


def test_moved_numbers_are_neighbours(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.full((3, 4), 0.5, np.float32), "w")
    bias = numpy_helper.from_array(np.ones(4, np.float32), "b")
    path = graph_of(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], ["y"], tmp_path / "m.onnx", weight, bias
    )
    feeds: dict[str, Array] = {"x": np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)}
    runs = {
        name: {"dtype": "float32", "nudge": nudge, "folder": str(tmp_path / name)}
        for name, nudge in (("plain", None), ("moved", 0))
    }
    for run in runs.values():
        Path(run["folder"]).mkdir()
    answer, _ = tensor_runs({"path": str(path), "runs": runs}, feeds)
    plain, moved = (values_of(answer[name])["y"] for name in runs)
    assert not np.array_equal(plain, moved)
    np.testing.assert_allclose(plain, moved, atol=3e-6)


def test_a_missing_input_is_an_error(tmp_path: Path) -> None:
    path = graph_of([helper.make_node("Relu", ["x"], ["y"])], ["y"], tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="without the inputs x"):
        compute(path, {}, tmp_path / "out", "float32")


def test_memory_does_not_grow_with_the_number_of_tensors(tmp_path: Path) -> None:
    """64 tensors of 1 MB in float64, of which two are needed at a time."""
    count, side = 64, 362
    nodes = [helper.make_node("Relu" if i % 2 else "Neg", [f"t{i}"], [f"t{i + 1}"]) for i in range(count)]
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "g",
        [value("t0", TensorProto.FLOAT, [side, side])],
        [value(f"t{count}", TensorProto.FLOAT, [side, side])],
    )
    path = tmp_path / "long.onnx"
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    feeds: dict[str, Array] = {"t0": np.ones((side, side), np.float32)}
    compute(path, feeds, tmp_path / "warm", "float64", tensors=[])  # what imports take is not counted
    tracemalloc.start()
    answer = compute(path, feeds, tmp_path / "out", "float64")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(answer["tensors"]) == count
    assert peak < 12e6

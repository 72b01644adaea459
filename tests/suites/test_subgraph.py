"""Parts of a model as models of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from backends.conformance.models import MODELS
from backends.contract import Array
from suites.errors import ModelError
from suites.evaluator import evaluate
from suites.subgraph import cut


def every_value(path: Path, feeds: dict[str, Array]) -> dict[str, Array]:
    proto = onnx.load(path)
    names = [name for node in proto.graph.node for name in node.output if name]
    return dict(zip(names, evaluate(proto, "m", names, feeds, exact=False), strict=True))


def cut_out(
    path: Path, to: Path, target: str, known: dict[str, Array], given: list[str]
) -> tuple[dict[str, Any], dict[str, Array]]:
    spec = {"dtype": known[target].dtype.name, "shape": list(known[target].shape)}
    return cut(
        {"path": str(path), "to": str(to), "outputs": [target], "types": {target: spec}},
        {name: known[name] for name in given},
    )


@pytest.mark.parametrize("kind", MODELS)
def test_a_single_node_gives_what_it_gives_in_the_whole(kind: str, tmp_path: Path) -> None:
    model = MODELS[kind]
    path, feeds = model.source(tmp_path).onnx_path, model.feeds(0, 2)
    assert path is not None
    known = {**feeds, **every_value(path, feeds)}
    proto = onnx.load(path)
    produced = {name for node in proto.graph.node for name in node.output}
    for node in proto.graph.node:
        target = node.output[0]
        given = [name for name in (*produced, *feeds) if name != target]
        told, used = cut_out(path, tmp_path / "part.onnx", target, known, given)
        assert [entry["operator"] for entry in told["nodes"]] == [node.op_type]
        part = onnx.load(tmp_path / "part.onnx")
        onnx.checker.check_model(part)
        (value,) = evaluate(part, "part", [target], used, exact=False)
        np.testing.assert_array_equal(value, known[target])


def test_a_part_reaches_back_to_what_is_given(tmp_path: Path) -> None:
    model = MODELS["cnn"]
    path, feeds = model.source(tmp_path).onnx_path, model.feeds(0, 1)
    assert path is not None
    known = {**feeds, **every_value(path, feeds)}
    told, used = cut_out(path, tmp_path / "p.onnx", "sum", known, ["r1", "image"])
    assert [entry["operator"] for entry in told["nodes"]] == ["Conv", "Add"]
    assert list(used) == ["r1"]
    assert told["inputs"] == [{"name": "r1", "dtype": "float32", "shape": list(known["r1"].shape)}]
    with pytest.raises(ModelError, match="'image'"):
        cut_out(path, tmp_path / "p.onnx", "sum", known, ["logits"])


def test_inputs_are_cast_to_what_the_model_takes(tmp_path: Path) -> None:
    path = MODELS["cnn"].source(tmp_path).onnx_path
    arguments = {
        "path": str(path),
        "to": str(tmp_path / "p.onnx"),
        "outputs": ["r1"],
        "types": {"r1": {"dtype": "float32", "shape": [1, 8, 8, 8]}},
        "dtypes": {"n1": "float32"},
    }
    _, used = cut(arguments, {"n1": np.ones((1, 8, 8, 8))})
    assert used["n1"].dtype == np.float32

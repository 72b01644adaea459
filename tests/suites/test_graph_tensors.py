"""Which node of an ONNX file produces which tensor."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.conformance.models import MODELS
from suites.errors import ModelError
from suites.graph_tensors import graph_tensors


def test_inputs_are_tensors_of_other_nodes(tmp_path: Path) -> None:
    source = MODELS["cnn"].source(tmp_path)
    answer, arrays = graph_tensors({"path": str(source.onnx_path)}, {})
    assert arrays == {}
    assert answer["outputs"] == ["logits"]
    produced: set[str] = set()
    for node in answer["nodes"]:
        assert set(node["inputs"]) <= produced  # topological, without weights and the model's inputs
        produced |= set(node["outputs"])
    assert answer["nodes"][0]["inputs"] == []
    assert "logits" in produced


def test_a_node_reads_what_its_subgraphs_read(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])

    inner = helper.make_graph([helper.make_node("Neg", ["deep"], ["d"])], "inner", [], [value("d")])
    arm = helper.make_graph(
        [helper.make_node("If", ["cond"], ["e"], then_branch=inner, else_branch=inner)],
        "arm",
        [],
        [value("e")],
    )
    plain = helper.make_graph([], "plain", [], [value("direct")])
    nodes = [
        helper.make_node("Abs", ["x"], ["deep"]),
        helper.make_node("Exp", ["x"], ["direct"]),
        helper.make_node("Greater", ["x", "x"], ["cond"]),
        helper.make_node("If", ["cond"], ["y"], then_branch=arm, else_branch=plain),
    ]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    answer, _ = graph_tensors({"path": str(tmp_path / "m.onnx")}, {})
    assert len(answer["nodes"]) == 4
    assert set(answer["nodes"][3]["inputs"]) == {"cond", "deep", "direct"}


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_text("nothing")
    with pytest.raises(ModelError, match="not an ONNX file"):
        graph_tensors({"path": str(path)}, {})

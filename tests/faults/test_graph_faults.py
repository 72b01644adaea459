"""Every planted graph fault, run by the real engines: the judge finds it against the healthy model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from harness.judge.layer_search import Graph, Node, beginnings
from harness.judge.parity import judge_outputs
from harness.judge.tensor_error import tensor_error
from harness.records.layers import TensorError
from suites.graph_tensors import graph_tensors
from tests.faults.battery import FAULTS, Fault, plant
from tests.faults.running import every_tensor, feeds, open_session, reference, references, run, source_of

ENGINES = ("ort", "openvino")


@pytest.mark.engine("ort")
@pytest.mark.engine("openvino")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_judge_finds_it(fault: Fault, engine: str, tmp_path: Path) -> None:
    source = source_of(plant(fault).model, tmp_path, "faulty")
    session = open_session(engine, source, tmp_path)
    outputs = {fault.shows: run(session, feeds(fault.model, fault.shows))}
    session.close()
    judged = judge_outputs(source.outputs, outputs, references(fault.model), "fp32", detail="none")
    assert {one.status for one in judged} <= {"pass", "fail"}, judged
    assert "fail" in {one.status for one in judged}, judged


@pytest.mark.engine("ort")
@pytest.mark.engine("openvino")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_begins_where_it_was_planted(fault: Fault, engine: str, tmp_path: Path) -> None:
    """With every tensor in sight, the first beyond its budget is the planted one, and there is no other."""
    made = plant(fault)
    inputs = feeds(fault.model, fault.shows)
    actual = every_tensor(engine, made.model, inputs, tmp_path)
    right, yardstick = reference(fault.model, fault.shows)
    told, _ = graph_tensors({"path": str(tmp_path / "plain.onnx")}, {})
    nodes = [
        Node(node["name"], node["operator"], tuple(node["inputs"]), tuple(node["outputs"]))
        for node in told["nodes"]
    ]
    seen = {
        name: TensorError(
            name=name,
            operator=node.operator,
            inputs=node.inputs,
            **asdict(tensor_error(actual[name], right[name], yardstick[name], "fp32")),
        )
        for node in nodes
        for name in node.outputs
        if name in right and name in actual
    }
    found = beginnings(Graph(tuple(nodes), tuple(told["outputs"])), seen)
    assert found == (fault.blamed or made.tensor,)

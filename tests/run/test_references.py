"""References of real models: the right one is chosen, and a model that disagrees with itself is found out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import harness.run.references as module
from backends.contract import Array, ModelSource, TensorSpec
from harness.run.observer import Silent
from harness.run.references import References, make_references
from suites.inputs import make_inputs, sha256_of

FLOAT = TensorProto.FLOAT
X = TensorSpec("x", "float32", (4, 6))
Y = TensorSpec("y", "float32", (4, 6))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def saved(tmp_path: Path, nodes: list[Any], *, opset: int = 21, domain: str = "", **more: Any) -> ModelSource:
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    values = [[helper.make_tensor_value_info(s.name, FLOAT, list(s.shape))] for s in (X, Y)]
    graph = helper.make_graph(nodes, "g", *values, **more)
    path = tmp_path / "model.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ModelSource("by-hand", sha256, (X,), (Y,), onnx_path=path)


def constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)


def references(source: ModelSource, sets: tuple[str, ...] = ("normal:0",)) -> References:
    feeds: dict[str, Mapping[str, Array]] = {name: make_inputs(source.inputs, name) for name in sets}
    return make_references(source, feeds, {n: sha256_of(f) for n, f in feeds.items()}, 1, Silent())


RANDOM_GRAPHS: dict[str, tuple[list[Any], list[Any]]] = {
    "random normal": (
        [
            helper.make_node("RandomNormalLike", ["x"], ["n"], scale=0.01),
            helper.make_node("Add", ["x", "n"], ["y"]),
        ],
        [],
    ),
    "random normal with a seed, which is another number in every engine": (
        [
            helper.make_node("RandomNormal", [], ["n"], shape=[4, 6], seed=1.0),
            helper.make_node("Add", ["x", "n"], ["y"]),
        ],
        [],
    ),
    "dropout left on": (
        [
            helper.make_node("Exp", ["x"], ["e"]),
            helper.make_node("Dropout", ["e", "ratio", "training"], ["y"], seed=7),
        ],
        [constant("ratio", np.float32(0.3)), constant("training", True)],
    ),
}


@pytest.mark.parametrize("name", RANDOM_GRAPHS)
def test_a_random_model_disagrees_with_itself(tmp_path: Path, name: str) -> None:
    nodes, weights = RANDOM_GRAPHS[name]
    source = saved(tmp_path, nodes, initializer=weights)
    found = references(source, ("normal:0", "ones"))
    assert found.problem == ""
    assert {one.input_set for one in found.disagreements} == {"normal:0", "ones"}
    for one in found.disagreements:
        assert (one.output, one.agrees, one.total) == ("y", False, 24)
        assert one.differing >= 1 and one.difference > 1e-3
    assert references(source, ("normal:0", "ones")).disagreements == found.disagreements  # from the cache


QUIET_GRAPHS: dict[str, tuple[list[Any], list[Any]]] = {
    "dropout that is off": (
        [
            helper.make_node("Exp", ["x"], ["e"]),
            helper.make_node("Dropout", ["e", "ratio", "training"], ["y"]),
        ],
        [constant("ratio", np.float32(0.3)), constant("training", False)],
    ),
    "a random number that does not matter": (
        [
            helper.make_node("RandomNormalLike", ["x"], ["n"], seed=3.0),
            helper.make_node("Mul", ["n", "zero"], ["none"]),
            helper.make_node("Add", ["x", "none"], ["y"]),
        ],
        [constant("zero", np.float32(0))],
    ),
}


@pytest.mark.parametrize("name", QUIET_GRAPHS)
def test_an_operator_that_does_not_matter_is_no_disagreement(tmp_path: Path, name: str) -> None:
    nodes, weights = QUIET_GRAPHS[name]
    found = references(saved(tmp_path, nodes, initializer=weights))
    assert (found.problem, found.disagreements, found.strength) == ("", (), "independent")


@pytest.mark.engine("torch")
@pytest.mark.parametrize(("factory", "random"), [("left_on", True), ("switched_off", False)])
def test_a_torch_module_with_dropout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factory: str, random: bool
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent.parent))
    source = ModelSource("dropout", factory, (X,), (Y,), torch_factory=f"tests.run.dropout_module:{factory}")
    found = references(source)
    assert found.problem == ""
    assert bool(found.disagreements) is random
    assert found.reference_name.startswith("torch")


def test_the_evaluator_judges_an_onnx_model(tmp_path: Path) -> None:
    found = references(saved(tmp_path, [helper.make_node("Exp", ["x"], ["y"])]))
    assert (found.strength, found.note, found.engine, found.own_precision) == ("independent", "", "", "fp32")
    assert "reference evaluator float64" in found.reference_name
    x = make_inputs((X,), "normal:0")["x"].astype(np.float64)
    assert found.by_set["normal:0"].right["y"] == pytest.approx(np.exp(x), rel=1e-15)


def test_an_operator_in_float32_is_named_and_its_rounding_is_in_the_yardstick(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    found = references(saved(tmp_path, nodes))
    assert (found.strength, found.engine, found.own_precision) == ("mixed", "", "int8")
    assert "DynamicQuantizeLinear in a lower precision" in found.note
    assert "moved by one rounding" in found.yardstick_name
    assert found.precision("fp32") == "int8"


def test_an_old_quantised_model_is_converted_for_the_evaluator(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    weights = [constant("s", np.float32(0.5)), constant("z", np.int8(0))]
    found = references(saved(tmp_path, nodes, opset=13, initializer=weights))
    assert (found.problem, found.strength, found.engine) == ("", "independent", "")
    assert "converted to opset 21" in found.note
    x = make_inputs((X,), "normal:0")["x"]
    assert np.array_equal(found.by_set["normal:0"].right["y"], np.rint(x / 0.5) * 0.5)


GELU = [helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")]


@pytest.mark.engine("ort")
def test_an_engine_stands_in_where_the_evaluator_lacks_an_operator(tmp_path: Path) -> None:
    found = references(saved(tmp_path, GELU, domain="com.microsoft", opset=17))
    assert (found.problem, found.strength, found.engine) == ("", "engine", "ort")
    assert "onnxruntime" in found.reference_name and "not optimised" in found.reference_name
    assert "Gelu" in found.note and "stays hidden" in found.note
    one = found.by_set["normal:0"]
    assert one.right["y"].dtype == np.float64
    moved = np.abs(one.right["y"] - one.yardstick["y"]).max() / np.abs(one.right["y"]).max()
    assert 1e-9 < moved < 1e-6


@pytest.mark.engine("ort")
def test_an_engine_stands_in_where_the_evaluator_is_too_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVALUATOR_DEADLINE_S", 0.001)
    source = saved(tmp_path, [helper.make_node("Exp", ["x"], ["y"])])
    found = references(source)
    assert (found.strength, found.engine) == ("engine", "ort")
    assert "no reference in float64" in found.note
    asked: list[str] = []
    real = module.ask_job

    def counted(worker: Any, job: str, *arguments: Any, **more: Any) -> Any:
        asked.append(job)
        return real(worker, job, *arguments, **more)

    monkeypatch.setattr(module, "ask_job", counted)
    assert references(source).engine == "ort"
    assert asked == []  # neither the evaluator is waited for again, nor the engine asked


def test_nothing_can_run_it_and_both_reasons_are_told(tmp_path: Path) -> None:
    nodes = [helper.make_node("Unheard", ["x"], ["y"], domain="com.example")]
    found = references(saved(tmp_path, nodes, domain="com.example"))
    assert not found.by_set
    assert "Unheard" in found.problem and "as a last resort" in found.problem

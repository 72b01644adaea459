"""Facts of graphs: of ONNX models against a count by hand, and of real engines that were given less than the model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.base import Session
from backends.catalogue import load_adapter
from backends.conformance.models import MODELS, KitModel
from backends.contract import ContractError, ModelSource, Variant
from backends.graph_facts import GraphFacts, check_graph_facts, parameters_of
from suites.graph_facts import foldable, graph_facts

KIT = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))


def variant_of(model: KitModel, precision: str = "fp32", **options: str) -> Variant:
    return Variant(precision=precision, batch=2, threads=1, dims=dict(model.dims), options=options)


def loaded(engine: str, source: ModelSource, variant: Variant, folder: Path) -> Session:
    backend = load_adapter(engine)
    built = folder / "built"
    built.mkdir()
    return backend.load(source, backend.build(source, variant, built), variant)


def told(engine: str, model: KitModel, folder: Path, precision: str = "fp32") -> GraphFacts:
    session = loaded(engine, model.source(folder), variant_of(model, precision), folder)
    try:
        session.prepare(model.feeds(0, batch=2))
        facts = session.graph()
    finally:
        session.close()
    return check_graph_facts(facts, engine)


@KIT
def test_facts_of_a_model_are_what_a_count_by_hand_gives(model: KitModel, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    source = model.source(tmp_path)
    answer, _ = graph_facts({"path": str(source.onnx_path)}, {})
    graph = onnx.load(str(source.onnx_path)).graph
    arrays = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    operators: Counter[str] = Counter()
    for node in graph.node:
        if node.op_type == "Constant":
            arrays.append(numpy_helper.to_array(node.attribute[0].t))
            continue
        operators[node.op_type] += 1
        for attribute in node.attribute:
            for inner in attribute.g.node:
                if inner.op_type == "Constant":
                    arrays.append(numpy_helper.to_array(inner.attribute[0].t))
                else:
                    operators[inner.op_type] += 1
            arrays += [numpy_helper.to_array(tensor) for tensor in attribute.g.initializer]
    dtypes: Counter[str] = Counter()
    for array in arrays:
        dtypes[array.dtype.name] += array.size
    assert answer["operators"] == dict(operators)
    assert answer["dtypes"] == dict(dtypes)
    assert answer["parameters"] == dtypes["float32"]
    assert answer["opset"]["ai.onnx"] >= 13
    assert 0 <= answer["foldable"] <= answer["parameters"]


def small_graph() -> object:
    """Two products, a scale, a table that only constants and shapes read, a twin, and a constant nobody reads."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def tensor(name: str, *shape: int, seed: int = 0) -> object:
        values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
        return numpy_helper.from_array(values, name)

    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["a"]),
        helper.make_node("Mul", ["a", "scale"], ["b"]),
        helper.make_node("MatMul", ["b", "second"], ["c"]),
        helper.make_node("MatMul", ["c", "twin"], ["d"]),
        helper.make_node("MatMul", ["left", "right"], ["folded"]),
        helper.make_node("Add", ["d", "folded"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        [
            tensor("first", 4, 4, seed=1),
            tensor("scale", 1, 4, seed=2),
            tensor("second", 4, 4, seed=3),
            tensor("twin", 4, 4, seed=3),
            tensor("left", 1, 3, seed=4),
            tensor("right", 3, 4, seed=5),
            tensor("unread", 5, 5, seed=6),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def test_a_constant_of_one_number_may_be_folded_into_one() -> None:
    from onnx import numpy_helper

    graph = small_graph()
    before = foldable(graph)
    first = next(tensor for tensor in graph.graph.initializer if tensor.name == "first")  # type: ignore[attr-defined]
    first.CopyFrom(numpy_helper.from_array(np.ones((4, 4), np.float32), "first"))
    assert foldable(graph) == before + 16


def test_what_may_be_folded_is_what_an_engine_can_do_without() -> None:
    # scale (a vector), twin (the same values as second), left and right (constants alone), unread.
    assert foldable(small_graph()) == 4 + 16 + 3 + 12 + 25


@pytest.mark.engine("ort")
@pytest.mark.parametrize("engine", ["ort", "openvino"])
def test_engines_fold_no_more_than_that(engine: str, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "small.onnx"
    onnx.save(small_graph(), str(path))
    answer, _ = graph_facts({"path": str(path)}, {})
    model = MODELS["mlp"]
    source = replace(model.source(tmp_path), onnx_path=path, torch_factory=None)
    session = loaded(engine, source, variant_of(model), tmp_path)
    facts = session.graph()
    session.close()
    assert facts is not None and facts.parameters is not None
    assert answer["parameters"] - answer["foldable"] <= facts.parameters < answer["parameters"]


def recurrent_graph() -> object:
    """A GRU in both directions; OpenVINO adds biases to each other, and keeps axes of its own as uint8."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32) / 4, name)
        for name, shape in {"w": (2, 24, 4), "r": (2, 24, 8), "b": (2, 48)}.items()
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
            helper.make_node(
                "GRU",
                ["steps", "w", "r", "b"],
                ["y", ""],
                hidden_size=8,
                direction="bidirectional",
                linear_before_reset=1,
            ),
        ],
        "recurrent",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 6, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [6, 2, "batch", 8])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model


@pytest.mark.engine("ort")
@pytest.mark.parametrize("engine", ["ort", "openvino"])
def test_healthy_engines_have_the_weights_of_a_recurrent_layer(engine: str, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "recurrent.onnx"
    onnx.save(recurrent_graph(), str(path))
    answer, _ = graph_facts({"path": str(path)}, {})
    assert answer["foldable"] == 2 * 48  # the biases
    model = MODELS["mlp"]
    session = loaded(
        engine,
        replace(model.source(tmp_path), onnx_path=path, torch_factory=None),
        variant_of(model),
        tmp_path,
    )
    facts = session.graph()
    session.close()
    assert facts is not None and facts.parameters is not None
    assert facts.parameters >= answer["parameters"] - answer["foldable"]
    assert set(facts.dtypes) <= {"float32", "int32", "int64"}


@pytest.mark.engine("torch")
@KIT
@pytest.mark.parametrize("engine", ["ort", "openvino", "torch", "fake"])
def test_healthy_engines_have_the_models_weights(engine: str, model: KitModel, tmp_path: Path) -> None:
    facts = told(engine, model, tmp_path)
    answer, _ = graph_facts({"path": str(model.source(tmp_path).onnx_path)}, {})
    counts = [count for count in (facts.parameters, parameters_of(facts.stored)) if count is not None]
    assert counts and (facts.parameters is not None or facts.notes)
    assert min(counts) >= answer["parameters"] - answer["foldable"]
    assert facts.operators and sum(facts.operators.values()) > 0
    assert set(facts.dtypes) & {"float16", "bfloat16"} == set()


@pytest.mark.engine("torch")
def test_torch_in_bfloat16_holds_bfloat16(tmp_path: Path) -> None:
    assert told("torch", MODELS["cnn"], tmp_path, "bf16").dtypes["bfloat16"] > 0


@pytest.mark.engine("openvino")
def test_weights_that_were_compressed_when_they_were_saved_are_seen(tmp_path: Path) -> None:
    import openvino

    model = MODELS["cnn"]
    source, variant = model.source(tmp_path), variant_of(model)
    backend = load_adapter("openvino")
    artefact = backend.build(source, variant, tmp_path)
    assert artefact.path is not None
    openvino.save_model(
        openvino.Core().read_model(str(source.onnx_path)), str(artefact.path), compress_to_fp16=True
    )
    session = backend.load(source, artefact, variant)
    facts = session.graph()
    session.close()
    assert facts is not None
    assert facts.stored["float16"] > 0.9 * sum(facts.dtypes.values())


@pytest.mark.engine("openvino")
def test_openvino_tells_that_it_turns_64_bit_integers_into_32(tmp_path: Path) -> None:
    facts = told("openvino", MODELS["transformer"], tmp_path)
    assert facts.casts["tokens"] == "int32"


@pytest.mark.engine("ort")
def test_facts_of_onnx_runtime_are_of_its_optimised_graph(tmp_path: Path) -> None:
    model = MODELS["cnn"]
    source = model.source(tmp_path)
    plain = loaded("ort", source, variant_of(model, graph_optimization_level="off"), tmp_path)
    (tmp_path / "built").rmdir()
    best = loaded("ort", source, variant_of(model), tmp_path)
    before, after = plain.graph(), best.graph()
    plain.close(), best.close()
    assert before is not None and after is not None
    answer, _ = graph_facts({"path": str(source.onnx_path)}, {})
    assert before.operators == answer["operators"]
    assert sum(after.operators.values()) < sum(before.operators.values())


@pytest.mark.parametrize(
    "facts", [{"operators": {}}, GraphFacts("x", {"Conv": -1}, {}), GraphFacts("x", {}, {"float32": 1.5})]
)
def test_facts_that_are_none_are_refused(facts: object) -> None:
    with pytest.raises(ContractError, match="graph\\(\\) of odd"):
        check_graph_facts(facts, "odd")

"""Graph facts of a model and of an engine held against each other, by table."""

from __future__ import annotations

from typing import Any

import pytest

from harness.judge.graph_contract import contract_of, judge_graph
from harness.records import Tensor
from harness.records.graph import GraphFacts

IMAGE = Tensor(name="image", dtype="float32", shape=("batch", 3, 8, 8))
TOKENS = Tensor(name="tokens", dtype="int64", shape=("batch", "length"))
SCORES = Tensor(name="scores", dtype="float32", shape=("batch", 10))


def facts(**overrides: Any) -> GraphFacts:
    """A model of 10 000 parameters, of which 200 may be folded."""
    fields: dict[str, Any] = {
        "origin": "the ONNX file",
        "inputs": (IMAGE, TOKENS),
        "outputs": (SCORES,),
        "operators": {"Conv": 3, "Gemm": 1},
        "dtypes": {"float32": 10_000, "int64": 4},
        "foldable": 200,
        "opset": {"ai.onnx": 18},
    }
    made = {**fields, **overrides}
    dtypes = made["dtypes"]
    made.setdefault("parameters", sum(n for name, n in dtypes.items() if name != "int64") if dtypes else None)
    return GraphFacts(**made)


def found(
    after: GraphFacts, precision: str = "fp32", before: GraphFacts | None = None, **asked: Any
) -> set[str]:
    findings = judge_graph(before or facts(), after, precision, **asked)
    for finding in findings:
        assert finding.message and (finding.consequence or finding.code == "signature")
    return {f"{finding.kind} {finding.code}" for finding in findings}


def with_axis(tensor: Tensor, axis: int, size: int | str) -> Tensor:
    shape = list(tensor.shape)
    shape[axis] = size
    return tensor.model_copy(update={"shape": tuple(shape)})


def test_the_same_graph_has_no_finding() -> None:
    assert found(facts()) == set()


@pytest.mark.parametrize(
    ("after", "precision", "expected"),
    [
        # Fusing removes vectors, layouts pad: neither is worth a word.
        ({"dtypes": {"float32": 9_800}}, "fp32", set()),
        ({"dtypes": {"float32": 10_500}}, "fp32", set()),
        ({"dtypes": {"float32": 9_799}}, "fp32", {"breach parameters_vanished"}),
        ({"dtypes": {"float32": 5_000}}, "fp32", {"breach parameters_vanished"}),
        ({"dtypes": {"float32": 20_000}}, "fp32", {"remark parameters_grew"}),
        ({"dtypes": {}, "parameters": None}, "fp32", set()),
        # Weights below what was asked for, in the engine or in its file.
        ({"dtypes": {"float16": 10_000}}, "fp32", {"breach lower_precision"}),
        ({"dtypes": {"float32": 9_999, "bfloat16": 1}}, "tf32", {"breach lower_precision"}),
        ({"stored": {"float16": 10_000}}, "fp32", {"breach lower_precision"}),
        ({"stored": {"float32": 10_000, "int64": 90}}, "fp32", set()),
        ({"stored": {"float32": 100}}, "fp32", {"breach parameters_vanished"}),
        ({"dtypes": {"float16": 10_000}}, "fp16", set()),
        ({"dtypes": {"float16": 10_000}}, "bf16", set()),
        ({"dtypes": {"bfloat16": 10_000}}, "fp16", {"breach lower_precision"}),
        ({"dtypes": {"float32": 10_000}}, "bf16", set()),
        ({"dtypes": {"int8": 10_000}}, "bf16", {"breach lower_precision"}),
        ({"dtypes": {"int8": 10_000}}, "int8", set()),
        # Inputs turned into something else before anything is computed.
        ({"casts": {"tokens": "int32"}}, "fp32", {"remark input_cast"}),
        ({"casts": {"image": "float16"}}, "fp32", {"breach input_cast"}),
        ({"casts": {"image": "bfloat16"}}, "bf16", set()),
        ({"casts": {"image": "float64"}}, "fp32", set()),
        ({"opset": {"ai.onnx": 21, "com.microsoft": 1}}, "fp32", {"remark opset_changed"}),
        ({"opset": {"OpenVINO IR": 11}}, "fp32", set()),
        # The signature.
        ({"inputs": (IMAGE,)}, "fp32", {"breach signature"}),
        ({"inputs": (TOKENS, IMAGE)}, "fp32", {"breach signature"}),
        (
            {"inputs": (IMAGE, TOKENS.model_copy(update={"dtype": "int32"}))},
            "fp32",
            {"breach signature"},
        ),
    ],
)
def test_what_is_a_breach_and_what_a_remark(
    after: dict[str, Any], precision: str, expected: set[str]
) -> None:
    assert found(facts(**after), precision) == expected


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        ((with_axis(IMAGE, 0, 4), TOKENS), (SCORES,), {"remark axis_fixed"}),
        ((with_axis(IMAGE, 0, 1), TOKENS), (SCORES,), {"breach axis_fixed"}),
        ((IMAGE, with_axis(TOKENS, 1, 16)), (SCORES,), {"remark axis_fixed"}),
        ((IMAGE, with_axis(TOKENS, 1, 128)), (SCORES,), {"breach axis_fixed"}),
        ((IMAGE, TOKENS), (with_axis(SCORES, 0, 4),), {"remark axis_fixed"}),
        ((IMAGE, TOKENS), (with_axis(SCORES, 0, 1),), {"breach axis_fixed"}),
        ((with_axis(IMAGE, 2, "height"), TOKENS), (SCORES,), {"remark axis_opened"}),
        ((IMAGE, with_axis(TOKENS, 1, "other name")), (SCORES,), set()),
        ((with_axis(IMAGE, 2, 9), TOKENS), (SCORES,), {"breach signature"}),
    ],
)
def test_dynamic_axes(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], expected: set[str]) -> None:
    after = facts(inputs=inputs, outputs=outputs)
    assert found(after, batch=4, dims={"length": 16}) == expected


def test_an_outputs_own_axis_that_is_fixed_is_a_remark() -> None:
    boxes = Tensor(name="boxes", dtype="float32", shape=("found", 4))
    before = facts(outputs=(boxes,))
    assert found(facts(outputs=(with_axis(boxes, 0, 100),)), before=before) == {"remark axis_fixed"}


def test_a_quantised_model_at_fp32_keeps_its_own_8_bit_weights() -> None:
    own = {"float32": 100, "int8": 9_900}
    assert found(facts(dtypes=own), before=facts(dtypes=own)) == set()
    more = facts(dtypes={"int8": 10_000})
    assert found(more, before=facts(dtypes=own)) == {"breach lower_precision"}


def test_scales_and_zero_points_that_an_engine_adds_are_no_lowered_weights() -> None:
    """Seen: ONNX Runtime with a zero point more, OpenVINO's file with the factors of every layer of a float16 model."""
    before = facts(dtypes={"float32": 5_000, "int8": 9_000})
    for after in ({"float32": 4_998, "int8": 8_994, "uint8": 7}, {"float32": 5_000, "int8": 9_200}):
        assert found(facts(dtypes=after), before=before) == set()
    lowered = facts(dtypes={"float32": 4_900, "int8": 9_000, "float16": 100})
    assert found(lowered, before=before) == {"breach lower_precision"}
    half = facts(dtypes={"float16": 300_000})
    assert found(facts(dtypes={"float16": 300_062}), before=half) == set()


def test_figures_are_told() -> None:
    (lost,) = judge_graph(facts(), facts(dtypes={"float32": 5_000}), "fp32")
    assert (
        lost.message
        == "5,000 parameters in the engine, 10,000 in the model; optimising explains a loss of up to 200"
    )
    assert "At least 4,800 parameters" in lost.consequence
    (lower,) = judge_graph(facts(), facts(dtypes={"float16": 10_000}), "fp32")
    assert (
        "10,000 elements of weights are below fp32 in the engine (float16 10,000); in the model it is 0"
        in lower.message
    )


def test_breaches_come_first_and_what_is_missing_is_unknown() -> None:
    after = facts(dtypes={"float16": 10_000}, opset={"ai.onnx": 21}, casts={"tokens": "int32"})
    contract = contract_of(facts(), after, "fp32")
    assert [finding.kind for finding in contract.findings] == ["breach", "remark", "remark"]
    assert contract.status == "fail"
    assert [f.code for f in contract.breaches] == ["lower_precision"]
    assert contract_of(facts(), facts(), "fp32").status == "pass"
    assert contract_of(facts(), None, "fp32", problem="it does not tell").status == "unknown"
    assert contract_of(None, facts(), "fp32").status == "unknown"

"""Graphs before and after conversion as text."""

from __future__ import annotations

import io

from rich.console import Console

from harness.judge.graph_contract import contract_of
from harness.records import Tensor
from harness.records.graph import GraphContract, GraphFacts
from harness.show.graph import MOST_OPERATORS, finding_lines, print_graphs

BEFORE = GraphFacts(
    origin="the ONNX file",
    inputs=(Tensor(name="x[0]", dtype="float32", shape=("batch", 4)),),
    outputs=(Tensor(name="y", dtype="float32", shape=("batch", 2)),),
    operators={"Gemm": 2, "Relu": 1},
    parameters=1234567,
    dtypes={"float32": 1234567, "int64": 3},
    opset={"ai.onnx": 18, "com.microsoft": 1},
)


def after(**changes: object) -> GraphFacts:
    return BEFORE.model_copy(update={"origin": "an engine", **changes})


def text(**contracts: GraphContract) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_graphs(contracts, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_model_stands_before_every_engine() -> None:
    fused = after(
        operators={"FusedGemm": 2}, parameters=1234000, dtypes={"float32": 1234000}, opset={"IR": 11}
    )
    lines = text(ort=contract_of(BEFORE, after(), "fp32"), ov=contract_of(BEFORE, fused, "fp32")).splitlines()
    assert lines[0].split() == ["graph", "model", "ort", "ov"]
    rows = {line.split("  ")[0].strip() or line.split()[0]: line.split() for line in lines}
    assert rows["parameters"][1:] == ["1,234,567", "1,234,567", "1,234,000"]
    assert rows["operators"][1:] == ["3", "3", "2"]
    assert "ai.onnx 18" in lines[4] and "IR 11" in lines[4] and "com.microsoft" not in lines[4]
    shown = "\n".join(lines)
    assert shown.count("x[0] float32 [batch, 4]") == 3
    assert shown.index("Gemm") < shown.index("FusedGemm")


def test_findings_name_who_what_and_why() -> None:
    shown = text(ov=contract_of(BEFORE, after(dtypes={"float16": 1234567}, opset={"ai.onnx": 20}), "fp32"))
    words = " ".join(shown.split())
    assert "breach: ov: 1,234,567 elements of weights are below fp32 in the engine" in words
    assert "remark: ov: operator set ai.onnx 20 in the engine, 18 in the model." in words


def test_what_is_not_known_is_said() -> None:
    contract = contract_of(BEFORE, None, "fp32", problem="the engine does not tell its graph")
    assert "odd: the graph is not compared: the engine does not tell its graph" in text(odd=contract)
    (note,) = finding_lines("ov", contract_of(BEFORE, after(notes=("constants are hidden",)), "fp32"))
    assert note.plain == "ov: constants are hidden"


def test_rare_operators_are_summed_up() -> None:
    many = {f"Op{number:02}": 100 - number for number in range(MOST_OPERATORS + 3)}
    shown = text(ort=contract_of(BEFORE, after(operators=many), "fp32"))
    assert "5 more kinds" in shown

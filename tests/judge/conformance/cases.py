"""Cases and results for tests of conformance."""

from __future__ import annotations

from typing import Any

from harness.records import ContenderRef
from harness.records.conformance import (
    CaseError,
    CaseFacts,
    CaseResult,
    ConformanceRecord,
    EngineConformance,
    Outcome,
)
from tests.factories import make_environment, make_machine


def facts(name: str = "test_abs", operator: str = "Abs", opset: int = 13, sha256: str = "s") -> CaseFacts:
    return CaseFacts(
        name=name, kind="node", operator=operator, opset=opset, dtypes=("float32",), sha256=sha256
    )


def result(outcome: Outcome, name: str = "test_abs", **more: Any) -> CaseResult:
    about = {key: more.pop(key) for key in ("operator", "opset", "sha256") if key in more}
    return CaseResult(case=facts(name, **about), outcome=outcome, **more)


def engine(text: str, *results: CaseResult, version: str = "1.0", **more: Any) -> EngineConformance:
    return EngineConformance(
        contender=ContenderRef(text=text, backend=text.partition("@")[0]),
        engine_version=version,
        results=results,
        **more,
    )


def record(*engines: EngineConformance, cases: int | None = None) -> ConformanceRecord:
    return ConformanceRecord(
        run_id="a" * 32,
        machine=make_machine(),
        environment=make_environment(),
        onnx="1.23.2",
        cases=max((len(each.results) for each in engines), default=0) if cases is None else cases,
        engines=engines,
    )


WRONG = CaseError(
    output="y", what="values", words="2, expected 1; 1 of 3 elements are wrong", share=999.0, absolute=1.0,
    ulp=8388608.0, wrong=1, of=3, place=(2,),
)  # fmt: skip

"""Parity documents for the pages: an ordinary one, one with hostile names, many contenders, nothing compared."""

from __future__ import annotations

import numpy as np

from harness.judge.parity import diagnose, error_picture, judge_output
from harness.judge.parity_document import ParityDocument, document_of
from harness.records import ContenderRef, Failure, OutputParity, Parity, VariantRef
from harness.records.graph import GraphContract, GraphFacts, GraphFinding
from harness.records.parity_check import CheckedVariant, InputSet, LeftOut, ParityCheck, ParityRecord
from tests.factories import make_environment, make_machine, make_model

HOSTILE = "</script><script>window.intruder = true</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def output(name: str = "logits", *, off: float = 0.0, broken: bool = False, seed: int = 0) -> OutputParity:
    """One judged output [4, 10]; `off` is added to its third row, `broken` puts a NaN there."""
    rng = np.random.default_rng(seed)
    right = rng.standard_normal((4, 10))
    yardstick = right.astype(np.float32)
    actual = (right * (1 + 1e-7 * rng.standard_normal(right.shape))).astype(np.float32)
    actual[2] += off
    if broken:
        actual[2, 3] = np.nan
    judged = judge_output(name, "normal:0", actual, right, yardstick, "fp32")
    figures = {"diagnostics": diagnose(actual, right, yardstick), "picture": error_picture(actual, right)}
    return judged.model_copy(update=figures)


def check(text: str, *outputs: OutputParity, batch: int = 1, breach: str = "") -> ParityCheck:
    """A contender whose outputs came back."""
    bad = breach or any(entry.status == "fail" for entry in outputs)
    reason = breach or next((entry.reason for entry in outputs if entry.status == "fail"), "")
    facts = GraphFacts(origin="the file", operators={"Conv": 3}, parameters=10, dtypes={"float32": 10})
    finding = GraphFinding(kind="remark", code="axis_fixed", message=f"axis 0 of {text} is fixed")
    return ParityCheck(
        contender=ContenderRef(text=text, backend="ort"),
        variant=VariantRef(batch=batch),
        status="measured",
        engine_version="1.2",
        parity=Parity(
            status="fail" if bad else "pass", reference="torch float64", yardstick="torch float32",
            reason=reason, contract=(breach,) if breach else (), outputs=outputs,
        ),
        graph=GraphContract(before=facts, after=facts, findings=(finding,)),
    )  # fmt: skip


def crashed(text: str, batch: int = 1) -> ParityCheck:
    """A contender that died."""
    failure = Failure(phase="infer", kind="crashed", message="the worker crashed with SIGSEGV",
                      exit_signal="SIGSEGV", stderr_tail="last words", hint="try less")  # fmt: skip
    return ParityCheck(
        contender=ContenderRef(text=text, backend="x"),
        variant=VariantRef(batch=batch),
        status="crashed",
        failure=failure,
    )


def document(
    *checks: ParityCheck, interrupted: bool = False, batches: tuple[int, ...] = (1,)
) -> ParityDocument:
    """Judged; every contender of `checks`, all of `batches` planned."""
    refs = {each.contender.text: each.contender for each in checks}
    planned = tuple(VariantRef(batch=batch) for batch in batches)
    sets = (InputSet(name="normal:0", sha256="0" * 64, shapes={"input": (1, 3)}),)
    left = (
        LeftOut(name="zeros", reason="the reference itself is not finite in float32 there (output logits)"),
    )
    return document_of(
        ParityRecord(
            model=make_model(), machine=make_machine(), environment=make_environment(),
            contenders=tuple(refs.values()), planned=planned, checks=checks, interrupted=interrupted,
            variants=tuple(CheckedVariant(variant=v, input_sets=sets, left_out=left, reference="torch float64",
                                          yardstick="torch float32") for v in planned),
        )
    )  # fmt: skip


def full() -> ParityDocument:
    """One that passes, one that is wrong, one with NaN, one that died on both batches."""
    return document(
        check("ort", output()),
        check("openvino", output(off=0.5), output("boxes", seed=1)),
        check("torch", output(broken=True)),
        crashed("tvm"),
        crashed("tvm", batch=8),
        check("ort", output(seed=2), batch=8),
        batches=(1, 8),
    )


def hostile() -> ParityDocument:
    """Names that try to get out of where they stand."""
    return document(check(HOSTILE, output(HOSTILE, off=0.5), breach=HOSTILE), crashed(f"x{HOSTILE}"))


def many() -> ParityDocument:
    """More contenders than colours."""
    return document(*(check(f"engine-{i}", output(off=i * 1e-3, seed=i)) for i in range(10)))


def nothing() -> ParityDocument:
    """Nobody gave an output."""
    return document(crashed("tvm"), crashed("trt"), interrupted=True)

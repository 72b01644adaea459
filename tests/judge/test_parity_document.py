"""The verdict on each contender of a parity check, and the exit code: nothing missing may come out as 0."""

from __future__ import annotations

import pytest

from harness.errors import ExitCode
from harness.judge.parity_document import ParityDocument
from harness.records import OutputParity, ParityStatus
from harness.records.parity_check import ParityCheck
from tests.dashboards.parities import check, crashed, document, full, output


def with_status(text: str, status: ParityStatus, batch: int = 1) -> ParityCheck:
    made = check(text, output(), batch=batch)
    assert made.parity is not None
    return made.model_copy(
        update={"parity": made.parity.model_copy(update={"status": status, "reason": f"it is {status}"})}
    )


def verdict_of(told: ParityDocument, contender: str = "a") -> str:
    return next(verdict.verdict for verdict in told.verdicts if verdict.contender == contender)


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        (("pass", "pass"), "pass"),
        (("pass", "unknown"), "unknown"),
        (("unknown", "nondeterministic"), "nondeterministic"),
        (("nondeterministic", "fail"), "fail"),
        (("fail", "pass"), "fail"),
        (("pass",), "unknown"),  # the second batch was not reached
        ((), "unknown"),
    ],
)
def test_the_worst_over_the_variants_decides(statuses: tuple[ParityStatus, ...], verdict: str) -> None:
    checks = [with_status("a", status, batch) for status, batch in zip(statuses, (1, 8), strict=False)]
    told = document(*checks, check("b", output()), check("b", output(), batch=8), batches=(1, 8))
    if not checks:
        record = told.record.model_copy(
            update={"contenders": (check("a", output()).contender, *told.record.contenders)}
        )
        from harness.judge.parity_document import document_of

        told = document_of(record)
    assert verdict_of(told) == verdict
    assert told.exit_code == (0 if verdict == "pass" else 1)
    if verdict not in ("pass",):
        assert next(v.reason for v in told.verdicts if v.contender == "a")


def test_exit_codes() -> None:
    good = check("a", output())
    assert document(good).exit_code == ExitCode.OK
    assert document(good, crashed("b")).exit_code == ExitCode.NEGATIVE
    assert document(good, check("b", output(off=0.5))).exit_code == ExitCode.NEGATIVE
    assert document(crashed("b")).exit_code == ExitCode.NOTHING_MEASURED
    assert document(good, interrupted=True).exit_code == ExitCode.INTERRUPTED
    assert document().exit_code == ExitCode.NOTHING_MEASURED


def test_data_that_were_asked_for_and_gave_no_answers_are_no_pass() -> None:
    from harness.judge.parity_document import document_of

    record = document(check("a", output())).record.model_copy(update={"data": "digits"})
    told = document_of(record)
    assert [judgement.verdict for judgement in told.accuracy] == ["unknown"]
    assert told.exit_code == ExitCode.NEGATIVE


def test_the_worst_place_is_the_one_farthest_beyond_its_budget() -> None:
    told = document(check("a", output(), output("boxes", off=0.5, seed=1)), check("a", output(seed=3), batch=8),
                    batches=(1, 8))  # fmt: skip
    (verdict,) = told.verdicts
    worst = verdict.worst
    assert worst is not None
    assert (worst.check, worst.entry, worst.output, worst.batch) == (0, 1, "boxes", 1)
    assert worst.index is not None and worst.index[0] == 2
    assert worst.share > 1
    assert (verdict.compared, verdict.failed) == (3, 1)


def test_a_nan_is_worse_than_any_figure() -> None:
    told = document(check("a", output(off=5.0), output("boxes", broken=True)))
    worst = told.verdicts[0].worst
    assert worst is not None
    assert (worst.output, worst.ratio, worst.index) == ("boxes", None, (2, 3))
    assert worst.share == float("inf")


def test_a_check_that_ended_in_no_output_says_how() -> None:
    told = full()
    verdict = next(verdict for verdict in told.verdicts if verdict.contender == "tvm")
    assert (verdict.verdict, verdict.status, verdict.compared, verdict.worst) == (
        "unknown",
        "crashed",
        0,
        None,
    )
    assert verdict.reason == "batch 1: crashed in infer: the worker crashed with SIGSEGV"


def test_the_document_reads_back() -> None:
    told = full()
    assert ParityDocument.model_validate_json(told.model_dump_json()) == told


def test_outputs_are_equal_to_none_without_figures() -> None:
    """An output of integers that passes has no ratio: it is no place, and no failure."""
    plain = OutputParity(output="ids", input_set="zeros", status="pass", error_rms=0.0, error_max=0.0,
                         yardstick_rms=None, yardstick_max=None, budget_rms=10, budget_max=20)  # fmt: skip
    told = document(check("a", plain))
    assert verdict_of(told) == "pass"
    assert told.exit_code == 0

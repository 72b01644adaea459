"""Outcomes, totals, matrix, changes and exit codes: tables."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.conformance.changes import changes_between
from harness.judge.conformance.document import Comparison, document_of, exit_code
from harness.judge.conformance.matrix import WHOLE, make_matrix, totals
from harness.judge.conformance.outcome import Answer, Expected, judge_case
from harness.records import Failure
from harness.records.conformance import OUTCOMES
from tests.judge.conformance.cases import WRONG, engine, facts, record, result

ONE = np.ones(3, np.float32)


def problem(**more):
    found = {"phase": "load", "type": "Fail", "message": "it is bad", "lacks": "", "uncarried": False}
    return {**found, **more}


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        (Answer(outputs=[{0: ONE}]), "passes", ""),
        (Answer(outputs=[{0: ONE * 2}]), "fails", "3 of 3 elements are wrong"),
        (Answer(outputs=[{}]), "fails", "missing"),
        (Answer(outputs=[]), "fails", "0 of 1 data sets"),
        (Answer(), "fails", "0 of 1 data sets"),
        (Answer(problem=problem()), "fails", "it is bad"),
        (Answer(problem=problem(lacks="no kernel for Abs")), "unsupported", "no kernel for Abs"),
        (Answer(problem=problem(lacks="x", uncarried=True)), "excluded", "our adapter cannot carry it"),
        (Answer(problem=problem(out_of_memory=True)), "crashes", "it is bad"),
        (Answer(status="crashed"), "crashes", "crashed"),
        (Answer(status="out_of_memory"), "crashes", "out_of_memory"),
        (Answer(status="timeout"), "times_out", "timeout"),
        (Answer(status="failed"), "fails", "failed"),
        (Answer(status="unsupported"), "fails", "unsupported"),
    ],
)
def test_every_end_of_a_case_has_an_outcome(answer, outcome, reason):
    judged = judge_case(Expected(facts(), [[("y", ONE)]]), answer)
    assert judged.outcome == outcome and reason in judged.reason
    assert (judged.reason == "") == (outcome == "passes")


def test_a_case_that_expects_nothing_does_not_pass():
    assert judge_case(Expected(facts(), []), Answer(outputs=[])).outcome == "fails"


def test_random_values_are_not_judged_but_shapes_are():
    expected = Expected(facts(), [[("y", ONE)]], random=True)
    assert judge_case(expected, Answer(outputs=[{0: ONE}])).outcome == "passes"
    assert judge_case(expected, Answer(outputs=[{0: ONE * 2}])).outcome == "excluded"
    assert judge_case(expected, Answer(outputs=[{0: np.ones(4, np.float32)}])).outcome == "fails"
    assert judge_case(expected, Answer(outputs=[{0: np.ones(3)}])).outcome == "fails"


def test_a_crash_keeps_its_signal_and_a_long_message_its_end():
    failure = Failure(phase="case", kind="crashed", message="a" * 900 + " the end", exit_signal="SIGSEGV")
    judged = judge_case(Expected(facts(), [[("y", ONE)]]), Answer(status="crashed", failure=failure))
    assert judged.exit_signal == "SIGSEGV" and judged.reason.endswith("the end") and len(judged.reason) < 500


def test_totals_name_every_outcome_and_add_up():
    results = [result("passes"), result("fails", "b"), result("passes", "c"), result("excluded", "d")]
    counts = totals(results)
    assert tuple(counts) == OUTCOMES and sum(counts.values()) == 4 and counts["passes"] == 2


def test_the_matrix_holds_every_case_of_every_engine_once():
    first = engine(
        "ort",
        result("passes", "a", operator="Abs", opset=13),
        result("fails", "b", operator="Abs", opset=6),
        result("passes", "c", operator=""),
        result("crashes", "d", operator="Abs", opset=6),
    )
    second = engine("openvino", result("unsupported", "a", operator="Abs", opset=13))
    matrix = make_matrix([first, second, engine("torch", state="not_applicable")])
    assert matrix.contenders == ("ort", "openvino")
    assert {(row.operator, row.opset) for row in matrix.rows} == {("Abs", 6), ("Abs", 13), (WHOLE, 13)}
    assert sum(row.cells[0].cases for row in matrix.rows if row.cells[0]) == 4
    (whole, of_abs) = matrix.operators
    assert of_abs.opsets == (6, 13) and of_abs.cells[0] is not None and of_abs.cells[1] is not None
    assert of_abs.cells[0].counts == {"passes": 1, "fails": 1, "crashes": 1}
    assert of_abs.cells[0].worst == "crashes" and of_abs.cells[1].worst == "unsupported"
    assert whole.cells[1] is None


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        ("passes", "fails", "broken"),
        ("passes", "unsupported", "broken"),
        ("passes", "excluded", "broken"),
        ("passes", "crashes", "broken"),
        ("unsupported", "fails", "broken"),
        ("fails", "crashes", "broken"),
        ("fails", "times_out", "broken"),
        ("crashes", "fails", "other"),
        ("fails", "unsupported", "other"),
        ("fails", "excluded", "other"),
        ("fails", "passes", "fixed"),
        ("excluded", "passes", "fixed"),
        ("excluded", "crashes", "broken"),
    ],
)
def test_directions_of_change(before, after, direction):
    (change,) = changes_between([result(before)], [result(after)])
    assert (change.before, change.after, change.direction) == (before, after, direction)


def test_changes_come_broken_first_and_say_nothing_of_what_is_the_same():
    before = [result("fails", "a"), result("passes", "b"), result("passes", "c"), result("passes", "gone")]
    after = [
        result("passes", "a"),
        result("crashes", "b", reason="died"),
        result("passes", "c"),
        result("fails", "new"),
    ]
    changes = changes_between(before, after)
    assert [(c.case.name, c.direction) for c in changes] == [
        ("b", "broken"), ("a", "fixed"), ("new", "new"), ("gone", "gone"),
    ]  # fmt: skip
    assert changes[0].reason == "died"


def test_a_case_that_onnx_changed_says_nothing_of_the_engine():
    before, after = result("passes", sha256="old"), result("fails", sha256="new")
    (change,) = changes_between([before], [after])
    assert change.direction == "case_changed"


def comparison(*changes):
    return Comparison(
        contender="ort", before="ort 1", after="ort 2", cases_before=1, cases_after=1, changes=changes
    )


BROKEN = changes_between([result("passes")], [result("fails")])
FIXED = changes_between([result("fails")], [result("passes")])


@pytest.mark.parametrize(
    ("engines", "cases", "comparisons", "new_only", "code"),
    [
        ([engine("ort", result("passes"))], 1, [], False, 0),
        ([engine("ort", result("unsupported"), result("excluded", "b"))], 2, [], False, 0),
        ([engine("ort", result("fails"))], 1, [], False, 1),
        ([engine("ort", result("crashes"))], 1, [], False, 1),
        ([engine("ort", result("times_out"))], 1, [], False, 1),
        ([engine("ort", result("passes"))], 2, [], False, 1),  # one case is missing
        ([engine("torch", state="not_applicable")], 1, [], False, 3),
        ([engine("ort", state="unavailable")], 1, [], False, 3),
        ([engine("ort", result("passes")), engine("torch", state="not_applicable")], 1, [], False, 0),
        ([engine("ort", result("passes")), engine("trt", state="unavailable")], 1, [], False, 1),
        ([engine("ort", result("passes"), state="interrupted")], 2, [], False, 130),
        ([engine("ort", result("fails"))], 1, [comparison(*BROKEN)], True, 1),
        ([engine("ort", result("fails"))], 1, [comparison(*FIXED)], True, 0),
        ([engine("ort", result("fails"))], 1, [comparison()], True, 0),
        ([engine("ort", result("fails"))], 1, [], True, 1),  # nothing to compare with
        ([engine("ort", result("passes"))], 1, [comparison(*BROKEN)], False, 0),
        ([], 0, [], False, 3),
    ],
)
def test_exit_codes(engines, cases, comparisons, new_only, code):
    assert exit_code(engines, cases, comparisons, new_only=new_only) == code


def test_a_document_survives_json():
    made = document_of(
        record(engine("ort", result("fails", error=WRONG, reason="y is wrong"), result("passes", "b"))),
        [comparison(*BROKEN)],
    )
    assert type(made).model_validate_json(made.model_dump_json()) == made
    infinite = WRONG.model_copy(update={"share": float("inf")})
    made = document_of(record(engine("ort", result("fails", error=infinite))))
    assert type(made).model_validate_json(made.model_dump_json()) == made

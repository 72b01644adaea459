"""The outcome of a case: a pure function of what the worker answered, or of how it died."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from harness.judge.conformance.compare import compare_outputs
from harness.records import Failure, Status
from harness.records.conformance import CaseFacts, CaseResult, Outcome

Array = npt.NDArray[Any]

RANDOM = "the specification leaves its random numbers open: names, shapes and dtypes are as expected, values differ"
_LONGEST = 400


@dataclass(frozen=True)
class Answer:
    """What became of a case in its worker: outputs, a problem that the adapter met, or the worker's end."""

    problem: Mapping[str, Any] | None = None
    """See `harness.worker.conformance`."""
    outputs: Sequence[Mapping[int, Array]] = ()
    status: Status | None = None
    """How the worker ended, where it did."""
    failure: Failure | None = None


@dataclass(frozen=True)
class Expected:
    """What a case asks for."""

    facts: CaseFacts
    outputs: Sequence[Sequence[tuple[str, Array]]] = field(default_factory=tuple)
    rtol: float = 1e-3
    atol: float = 1e-7
    random: bool = False


def judge_case(expected: Expected, answer: Answer) -> CaseResult:
    """Decide one case. Nothing that is missing or unknown comes out as "passes"."""
    if answer.status is not None:
        return _ended(expected.facts, answer)
    if answer.problem is not None:
        return _problem(expected.facts, answer.problem)
    if len(answer.outputs) != len(expected.outputs) or not expected.outputs:
        words = f"{len(answer.outputs)} of {len(expected.outputs)} data sets were run"
        return CaseResult(case=expected.facts, outcome="fails", reason=words)
    error = compare_outputs(answer.outputs, expected.outputs, expected.rtol, expected.atol)
    if error is None:
        return CaseResult(case=expected.facts, outcome="passes")
    if expected.random and error.what == "values":
        return CaseResult(case=expected.facts, outcome="excluded", reason=RANDOM)
    reason = f"{error.output}: {error.words}"
    return CaseResult(case=expected.facts, outcome="fails", reason=reason, phase="compare", error=error)


def _problem(facts: CaseFacts, problem: Mapping[str, Any]) -> CaseResult:
    outcome: Outcome = "fails"
    reason = problem["message"]
    if problem.get("out_of_memory"):
        outcome = "crashes"
    elif problem["uncarried"]:
        outcome = "excluded"
        reason = f"our adapter cannot carry it: {reason}"
    elif problem["lacks"]:
        outcome, reason = "unsupported", problem["lacks"]
    return CaseResult(
        case=facts,
        outcome=outcome,
        reason=_line(reason),
        phase=problem["phase"],
        error_type=problem["type"],
    )


def _ended(facts: CaseFacts, answer: Answer) -> CaseResult:
    failure = answer.failure
    outcome: Outcome = "times_out" if answer.status == "timeout" else "crashes"
    if answer.status in ("failed", "unsupported", "unavailable"):
        outcome = "fails"
    return CaseResult(
        case=facts,
        outcome=outcome,
        reason=_line(failure.message if failure else str(answer.status)),
        phase=failure.phase if failure else "",
        error_type=failure.kind if failure else "",
        exit_signal=failure.exit_signal if failure else "",
    )


def _line(text: str) -> str:
    words = " ".join(text.split())
    # Engines put where it happened first and what happened last.
    return words if len(words) <= _LONGEST else "… " + words[-_LONGEST:]

"""The whole of `harness parity` in one record: what `--json` writes and its page shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.errors import ExitCode
from harness.judge.accuracy import AccuracyJudgement, accuracy_fails, judge_accuracies
from harness.judge.parity import budget_use, worst_place
from harness.judge.parity.summary import ORDER
from harness.records import OutputParity, ParityStatus, Record, Status, VariantRef
from harness.records.accuracy import Accuracy, Task
from harness.records.base import PossiblyInfinite
from harness.records.parity_check import ParityCheck, ParityRecord


class WorstPlace(Record):
    """Where a contender is nearest to its budget, or farthest beyond."""

    check: int = Field(description="which of the record's checks")
    entry: int = Field(description="which of that check's outputs")
    output: str
    input_set: str
    batch: int
    index: tuple[int, ...] | None
    measure: Literal["rms", "max"]
    ratio: PossiblyInfinite | None = Field(
        description="error in units of the yardstick's; None: it has no figure (a NaN, a missing output)"
    )
    budget: float

    @property
    def share(self) -> float:
        """Error as a share of the budget: above 1 is over it, and so is what has no figure."""
        return math.inf if self.ratio is None else self.ratio / self.budget


class ContenderVerdict(Record):
    """What is known of one contender over all variants and input sets: the worst of it."""

    contender: str
    engine_version: str
    verdict: ParityStatus
    status: Status = Field(description="the first status that is not `measured`, where there is one")
    reason: str = Field("", description="why it is no pass")
    compared: int = Field(description="outputs on input sets that were compared")
    failed: int = Field(description="those of them that fail")
    worst: WorstPlace | None = None


class ParityDocument(Record):
    """The raw record, and the verdicts that follow from it, in the order of the contenders."""

    record: ParityRecord
    verdicts: tuple[ContenderVerdict, ...]
    accuracy: tuple[AccuracyJudgement, ...] = Field((), description="of labelled data, where some were given")
    exit_code: int


def document_of(record: ParityRecord) -> ParityDocument:
    """Judge a record.

    Exit code 0 only when every contender passes on every variant, and has lost no accuracy where that was asked;
    3 when nothing was measured.
    """
    verdicts = tuple(judge_contender(record, ref.text) for ref in record.contenders)
    accuracy = _accuracy(record)
    code = _exit_code(record, verdicts, accuracy)
    return ParityDocument(record=record, verdicts=verdicts, accuracy=accuracy, exit_code=int(code))


def judge_contender(record: ParityRecord, contender: str) -> ContenderVerdict:
    """The worst over the variants: fail beats nondeterministic beats unknown beats pass; nothing is unknown.

    A variant that was not reached and a check that ended in anything but outputs are unknown.
    """
    own = [(place, check) for place, check in enumerate(record.checks) if check.contender.text == contender]
    found = [_judged(variant, [check for _, check in own], record) for variant in record.planned]
    verdict, reason = max(found, key=lambda pair: ORDER[pair[0]], default=("unknown", "nothing was compared"))
    outputs = [output for _, check in own if check.parity for output in check.parity.outputs]
    statuses = [check.status for _, check in own] if own else ["interrupted"]
    return ContenderVerdict(
        contender=contender,
        engine_version=next((check.engine_version for _, check in own if check.engine_version), ""),
        verdict=verdict,
        status=next((status for status in statuses if status != "measured"), "measured"),
        reason=reason,
        compared=len(outputs),
        failed=sum(output.status == "fail" for output in outputs),
        worst=_worst(own),
    )


def _judged(
    variant: VariantRef, checks: Sequence[ParityCheck], record: ParityRecord
) -> tuple[ParityStatus, str]:
    prefix = f"batch {variant.batch}: " if len(record.planned) > 1 else ""
    check = next((check for check in checks if check.variant == variant), None)
    if check is None:
        return "unknown", f"{prefix}it was not reached before the interruption"
    if check.parity is None:
        failure = check.failure
        words = f" in {failure.phase}: {failure.message}" if failure else ""
        return "unknown", f"{prefix}{check.status}{words}"
    reason = check.parity.reason
    return check.parity.status, f"{prefix}{reason}" if reason else ""


def _worst(checks: Sequence[tuple[int, ParityCheck]]) -> WorstPlace | None:
    """The worst place over all checks; the first of equals."""
    found = [
        (number, check, output)
        for number, check in checks
        if check.parity is not None and (output := worst_place(check.parity.outputs)) is not None
    ]
    if not found:
        return None
    number, check, output = max(found, key=lambda each: (ORDER[each[2].status], budget_use(each[2])))
    assert check.parity is not None
    measure, ratio, budget = _measure(output)
    return WorstPlace(
        check=number,
        entry=check.parity.outputs.index(output),
        output=output.output,
        input_set=output.input_set,
        batch=check.variant.batch,
        index=output.worst_index,
        measure=measure,
        ratio=ratio,
        budget=budget,
    )


def _measure(output: OutputParity) -> tuple[Literal["rms", "max"], float | None, float]:
    """The error that takes the larger share of its budget; without a figure, none."""
    pairs: list[tuple[Literal["rms", "max"], float | None, float]] = [
        ("rms", output.ratio_rms, output.budget_rms),
        ("max", output.ratio_max, output.budget_max),
    ]
    known = [(measure, ratio, budget) for measure, ratio, budget in pairs if ratio is not None]
    return max(known, key=lambda each: each[1] / each[2], default=("max", None, output.budget_max))


def _accuracy(record: ParityRecord) -> tuple[AccuracyJudgement, ...]:
    """Judgements by contender; one that has no answers is unknown."""
    if not record.data:
        return ()
    found = {check.contender.text: check.accuracy for check in record.checks if check.accuracy is not None}
    task: Task = next((accuracy.task for accuracy in found.values()), "classification")
    missing = Accuracy(task=task, status="interrupted")
    every = {ref.text: found.get(ref.text, missing) for ref in record.contenders}
    return judge_accuracies(every, margin=record.margin)


def _exit_code(
    record: ParityRecord,
    verdicts: Sequence[ContenderVerdict],
    accuracy: Sequence[AccuracyJudgement],
) -> ExitCode:
    if record.interrupted:
        return ExitCode.INTERRUPTED
    if not any(check.parity is not None for check in record.checks):
        return ExitCode.NOTHING_MEASURED
    good = bool(verdicts) and all(verdict.verdict == "pass" for verdict in verdicts)
    lost = any(accuracy_fails(judgement) for judgement in accuracy)
    return ExitCode.OK if good and not lost else ExitCode.NEGATIVE

"""The whole of `harness conformance` in one record: what `--json` writes and its page shows."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import ExitCode
from harness.judge.conformance.changes import Change
from harness.judge.conformance.matrix import Matrix, make_matrix, totals
from harness.records import Record
from harness.records.conformance import ConformanceRecord, EngineConformance, Outcome

BAD: tuple[Outcome, ...] = ("fails", "crashes", "times_out")


class EngineTotals(Record):
    """How many cases of one contender ended how; the counts add up to `cases`."""

    contender: str
    engine_version: str
    cases: int
    counts: dict[Outcome, int]


class Comparison(Record):
    """One contender against an earlier version of its engine."""

    contender: str
    before: str
    after: str
    cases_before: int
    cases_after: int
    changes: tuple[Change, ...]


class ConformanceDocument(Record):
    """The raw record, and what follows from it."""

    record: ConformanceRecord
    totals: tuple[EngineTotals, ...]
    matrix: Matrix
    comparisons: tuple[Comparison, ...] = ()
    exit_code: int


def document_of(
    record: ConformanceRecord, comparisons: Sequence[Comparison] = (), *, new_only: bool = False
) -> ConformanceDocument:
    """Judge a record; `new_only`: only cases that broke since the version compared with count against it."""
    return ConformanceDocument(
        record=record,
        totals=tuple(
            EngineTotals(
                contender=engine.contender.text,
                engine_version=engine.engine_version,
                cases=len(engine.results),
                counts=totals(engine.results),
            )
            for engine in record.engines
            if engine.results
        ),
        matrix=make_matrix(record.engines),
        comparisons=tuple(comparisons),
        exit_code=int(exit_code(record.engines, record.cases, comparisons, new_only=new_only)),
    )


def exit_code(
    engines: Sequence[EngineConformance],
    cases: int,
    comparisons: Sequence[Comparison] = (),
    *,
    new_only: bool = False,
) -> ExitCode:
    """0 only when every contender that can be asked ran all cases, and none failed, crashed or hung.

    What an engine says that it lacks is no failure. With `new_only` old failures are none either: a case that broke
    is, and so is a contender without an earlier version to compare with that has any failure.
    """
    if any(engine.state == "interrupted" for engine in engines):
        return ExitCode.INTERRUPTED
    asked = [engine for engine in engines if engine.state != "not_applicable"]
    ran = [engine for engine in asked if engine.results]
    if not ran:
        return ExitCode.NOTHING_MEASURED
    if any(len(engine.results) != cases for engine in asked):
        return ExitCode.NEGATIVE
    compared = {comparison.contender: comparison for comparison in comparisons}
    for engine in ran:
        comparison = compared.get(engine.contender.text) if new_only else None
        if comparison is not None:
            if any(change.direction == "broken" for change in comparison.changes):
                return ExitCode.NEGATIVE
        elif any(result.outcome in BAD for result in engine.results):
            return ExitCode.NEGATIVE
    return ExitCode.OK

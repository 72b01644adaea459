"""The page of `harness conformance`: one HTML file with filters, a pure function of a conformance document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboards import setup
from dashboards.palette import Series, assign
from dashboards.report import render_page, require_report_packages
from harness.judge.conformance.changes import Change
from harness.judge.conformance.document import Comparison, ConformanceDocument
from harness.judge.conformance.matrix import Cell, MatrixRow
from harness.judge.conformance.words import WORDS, cell_words, error_size
from harness.records.conformance import OUTCOMES, CaseResult, EngineConformance, Outcome

_TONES: dict[Outcome, str] = {
    "passes": "good",
    "fails": "bad",
    "unsupported": "doubt",
    "crashes": "bad",
    "times_out": "bad",
    "excluded": "plain",
}
_CHANGE_TONES = {"broken": "bad", "fixed": "good"}
_REASON = 220
NOT_RUN = "–"


@dataclass(frozen=True)
class TotalsView:
    """One contender's counts, which add up to `cases`."""

    series: Series
    version: str
    counts: tuple[int, ...]
    cases: int


@dataclass(frozen=True)
class UnaskedView:
    """A contender that ran no case, and why."""

    series: Series
    state: str
    reason: str


@dataclass(frozen=True)
class CellView:
    """One cell: words, how they are coloured, and why."""

    words: str
    tone: str
    why: str = ""


@dataclass(frozen=True)
class RowView:
    """A row of a table; `text` and `outcomes` (by contender, "|" between) are what filters look at."""

    name: str
    kind: str
    operator: str
    opset: int
    cells: tuple[CellView, ...]
    text: str
    outcomes: str


@dataclass(frozen=True)
class ChangeView:
    """One case that differs from an earlier version."""

    name: str
    operator: str
    opset: int
    direction: str
    tone: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True)
class ComparisonView:
    """One contender against an earlier version."""

    sentence: str
    rows: tuple[ChangeView, ...]


@dataclass(frozen=True)
class ExcludedView:
    """Cases of one contender that were not judged for one reason."""

    contender: str
    reason: str
    count: int
    names: str


@dataclass(frozen=True)
class ConformancePage:
    """The whole page."""

    title: str
    subtitle: tuple[str, ...]
    started_at: str
    run_id: str
    cases: int
    outcomes: tuple[tuple[Outcome, str], ...]
    totals: tuple[TotalsView, ...]
    unasked: tuple[UnaskedView, ...]
    engines: tuple[Series, ...]
    comparisons: tuple[ComparisonView, ...]
    rows: tuple[RowView, ...]
    lines: tuple[RowView, ...]
    excluded: tuple[ExcludedView, ...]
    facts: tuple[setup.Facts, ...]
    repeat: tuple[str, ...]


def render_conformance(document: ConformanceDocument) -> str:
    """The page of `document` as one HTML file that makes no request.

    Raises UsageError when the packages of the extra `report` are not installed.
    """
    require_report_packages()
    return render_page("conformance.html", build_conformance_page(document), own="conformance")


def build_conformance_page(document: ConformanceDocument) -> ConformancePage:
    """All that the page says."""
    record = document.record
    series = assign(engine.contender.text for engine in record.engines)
    ran = [engine for engine in record.engines if engine.results]
    return ConformancePage(
        title="Conformance: " + ", ".join(engine.contender.text for engine in record.engines),
        subtitle=tuple(
            part
            for part in (
                f"test cases of onnx {record.onnx}",
                record.selection,
                record.created_at.strftime("%-d %B %Y, %H:%M UTC"),
                record.machine.cpu,
            )
            if part
        ),
        started_at=record.created_at.isoformat(),
        run_id=record.run_id[:8],
        cases=record.cases,
        outcomes=tuple(WORDS.items()),
        totals=tuple(
            TotalsView(
                series[entry.contender],
                entry.engine_version,
                tuple(entry.counts[outcome] for outcome in OUTCOMES),
                entry.cases,
            )
            for entry in document.totals
        ),
        unasked=_unasked(record.engines, series),
        engines=tuple(series[engine.contender.text] for engine in ran),
        comparisons=tuple(_comparison(comparison) for comparison in document.comparisons),
        rows=tuple(_matrix_row(row) for row in document.matrix.rows),
        lines=_lines(ran),
        excluded=tuple(view for engine in ran for view in _excluded(engine)),
        facts=(setup.machine_facts(record.machine), setup.environment_facts(record.environment)),
        repeat=setup.repeat_lines(record.environment),
    )


def _unasked(engines: Sequence[EngineConformance], series: Mapping[str, Series]) -> tuple[UnaskedView, ...]:
    words = {"not_applicable": "n/a", "interrupted": "interrupted", "unavailable": "unavailable"}
    return tuple(
        UnaskedView(series[engine.contender.text], words[engine.state], engine.reason)
        for engine in engines
        if engine.state != "ran"
    )


def _matrix_row(row: MatrixRow) -> RowView:
    outcomes = "|".join(" ".join(cell.counts) if cell else "" for cell in row.cells)
    return RowView(
        name=row.operator,
        kind="",
        operator=row.operator,
        opset=row.opset,
        cells=tuple(_matrix_cell(cell) for cell in row.cells),
        text=f"{row.operator} {row.opset}".lower(),
        outcomes=outcomes,
    )


def _matrix_cell(cell: Cell | None) -> CellView:
    if cell is None:
        return CellView(NOT_RUN, "plain")
    return CellView(cell_words(cell), _TONES[cell.worst])


def _lines(engines: Sequence[EngineConformance]) -> tuple[RowView, ...]:
    by_engine = [{result.case.name: result for result in engine.results} for engine in engines]
    facts = {result.case.name: result.case for engine in engines for result in engine.results}
    rows = []
    for name in sorted(facts, key=lambda name: (facts[name].operator, name)):
        case = facts[name]
        results = [found.get(name) for found in by_engine]
        cells = tuple(_case_cell(result) for result in results)
        text = " ".join([name, case.kind, case.operator, *case.dtypes, *(cell.why for cell in cells)]).lower()
        rows.append(
            RowView(
                name=name.removeprefix("test_"),
                kind=case.kind,
                operator=case.operator or "(whole model)",
                opset=case.opset,
                cells=cells,
                text=text,
                outcomes="|".join(result.outcome if result else "" for result in results),
            )
        )
    return tuple(rows)


def _case_cell(result: CaseResult | None) -> CellView:
    if result is None:
        return CellView(NOT_RUN, "plain")
    why = result.reason
    if result.error is not None:
        why += error_size(result.error)
    elif result.phase and result.outcome != "unsupported":
        why = f"in {result.phase}: {_short(why)}"
    why = " ".join(part for part in (_short(why), result.exit_signal, result.note) if part)
    return CellView(WORDS[result.outcome], _TONES[result.outcome], why)


def _comparison(comparison: Comparison) -> ComparisonView:
    told = [change for change in comparison.changes if change.before and change.after]
    broken = sum(change.direction == "broken" for change in told)
    fixed = sum(change.direction == "fixed" for change in told)
    return ComparisonView(
        f"{comparison.before} → {comparison.after}: {broken} broken, {fixed} fixed, "
        f"{len(told) - broken - fixed} otherwise changed",
        tuple(_change(change) for change in told),
    )


def _change(change: Change) -> ChangeView:
    assert change.before is not None and change.after is not None
    return ChangeView(
        name=change.case.name.removeprefix("test_"),
        operator=change.case.operator,
        opset=change.case.opset,
        direction=change.direction.replace("_", " "),
        tone=_CHANGE_TONES.get(change.direction, "plain"),
        before=WORDS[change.before],
        after=WORDS[change.after],
        reason=_short(change.reason),
    )


def _excluded(engine: EngineConformance) -> list[ExcludedView]:
    groups: dict[str, list[str]] = {}
    for result in engine.results:
        if result.outcome == "excluded":
            groups.setdefault(result.reason, []).append(result.case.name.removeprefix("test_"))
    return [
        ExcludedView(engine.contender.text, reason, len(names), ", ".join(names))
        for reason, names in sorted(groups.items())
    ]


def _short(text: str) -> str:
    return text if len(text) <= _REASON else "… " + text[-_REASON:]

"""Conformance as text: totals, operators that do not pass in full, failures, exclusions, changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.judge.conformance.changes import Change, Direction
from harness.judge.conformance.document import BAD, Comparison, ConformanceDocument, EngineTotals
from harness.judge.conformance.matrix import Cell, OperatorRow
from harness.judge.conformance.words import WORDS, cell_words, error_size
from harness.records.conformance import OUTCOMES, CaseResult, EngineConformance, Outcome

_STYLE: dict[Outcome, str] = {"fails": "red", "crashes": "bold red", "times_out": "bold red"}
_DIRECTIONS: dict[Direction, str] = {
    "broken": "broken",
    "fixed": "fixed",
    "other": "otherwise changed",
    "case_changed": "changed by onnx",
}
_ONE_SIDED: dict[Direction, str] = {"new": "not run before", "gone": "not run now"}
MOST_FAILURES = 60
MOST_CHANGES = 60
MOST_NAMES = 6
_REASON = 160


def print_answer(document: ConformanceDocument, console: Console) -> None:
    """One line a contender."""
    for entry in document.totals:
        console.print(Text(sentence(entry)), soft_wrap=True)
    _print_unasked(document, console)
    for comparison in document.comparisons:
        console.print(Text(changes_sentence(comparison)), soft_wrap=True)


def sentence(entry: EngineTotals) -> str:
    """What became of one contender's cases; the counts add up."""
    parts = [f"{entry.counts[outcome]} {WORDS[outcome]}" for outcome in OUTCOMES if entry.counts[outcome]]
    return f"{entry.contender} {entry.engine_version}: {entry.cases} cases: {', '.join(parts) or 'none'}"


def print_conformance(document: ConformanceDocument, console: Console) -> None:
    """Print everything, compact where the page and the record are complete."""
    record = document.record
    console.print()
    title = f"Conformance: {record.cases} cases of onnx {record.onnx}"
    console.print(Text(title + (f" ({record.selection})" if record.selection else ""), style="bold"))
    console.print(totals_table(document.totals))
    _print_unasked(document, console)
    _print_operators(document.matrix.operators, document.matrix.contenders, console)
    for engine in record.engines:
        _print_failures(engine, console)
    _print_excluded(record.engines, console)
    if document.comparisons:
        print_changes(document.comparisons, console)


def totals_table(entries: Sequence[EngineTotals]) -> Table:
    """A row a contender: every outcome, and the sum."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("contender")
    table.add_column("version")
    for outcome in OUTCOMES:
        table.add_column(WORDS[outcome], justify="right")
    table.add_column("all", justify="right")
    for entry in entries:
        counts = (str(entry.counts[outcome]) for outcome in OUTCOMES)
        table.add_row(Text(entry.contender), Text(entry.engine_version), *counts, str(entry.cases))
    return table


def _print_unasked(document: ConformanceDocument, console: Console) -> None:
    for engine in document.record.engines:
        if engine.state == "interrupted":
            words = f"{engine.contender.text}: interrupted after {len(engine.results)} cases"
            console.print(Text(words, style="yellow"), soft_wrap=True)
        elif engine.state != "ran":
            words = "n/a" if engine.state == "not_applicable" else "unavailable"
            console.print(Text(f"{engine.contender.text}: {words}: {engine.reason}"), soft_wrap=True)


def _print_operators(rows: Sequence[OperatorRow], contenders: Sequence[str], console: Console) -> None:
    if not rows:
        return
    full = [row for row in rows if all(cell is not None and cell.worst == "passes" for cell in row.cells)]
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("operator", max_width=34, overflow="ellipsis", no_wrap=True)
    table.add_column("opsets", no_wrap=True)
    for contender in contenders:
        table.add_column(contender)
    for row in rows:
        if row in full:
            continue
        table.add_row(Text(row.operator), opsets(row.opsets), *(_cell(cell) for cell in row.cells))
    console.print()
    if table.row_count:
        console.print(table)
        console.print()
    if full:
        names = ", ".join(row.operator for row in full)
        count = "1 operator passes" if len(full) == 1 else f"{len(full)} operators pass"
        console.print(Text(f"{count} in full: {names}", style="dim"))


def opsets(versions: Sequence[int]) -> str:
    """Versions of an operator set: "13", "13, 18", or from the first to the last of many."""
    if len(versions) <= 3:
        return ", ".join(map(str, versions))
    return f"{versions[0]} … {versions[-1]}"


def _cell(cell: Cell | None) -> Text:
    return Text(cell_words(cell), style="" if cell is None else _STYLE.get(cell.worst, ""))


def _print_failures(engine: EngineConformance, console: Console) -> None:
    bad = [result for result in engine.results if result.outcome in BAD]
    if not bad:
        return
    console.print()
    console.print(Text(f"{engine.contender.text}: what does not pass", style="bold"))
    for result in sorted(bad, key=_by_operator)[:MOST_FAILURES]:
        line = Text("  ")
        line.append(result.case.name.removeprefix("test_"))
        about = f" ({result.case.operator or 'model'}, opset {result.case.opset}) "
        line.append(about, style="dim")
        line.append(f"{WORDS[result.outcome]}: ", style=_STYLE[result.outcome])
        line.append(failure_words(result))
        console.print(line, soft_wrap=True)
    if len(bad) > MOST_FAILURES:
        words = f"  and {len(bad) - MOST_FAILURES} more; --json and --html have all"
        console.print(Text(words, style="dim"), soft_wrap=True)


def failure_words(result: CaseResult) -> str:
    """Why a case does not pass, in a line, with the size of its error where it has one."""
    if result.error is not None:
        words = f"{result.error.output}: {result.error.words}{error_size(result.error)}"
    else:
        words = f"in {result.phase}: {_end(result.reason)}" if result.phase else _end(result.reason)
    if result.exit_signal and result.exit_signal not in words:
        words += f" ({result.exit_signal})"
    return f"{words} [{result.note}]" if result.note else words


def _print_excluded(engines: Sequence[EngineConformance], console: Console) -> None:
    groups: dict[str, dict[str, list[str]]] = {}
    for engine in engines:
        for result in engine.results:
            if result.outcome == "excluded":
                listed = groups.setdefault(result.reason, {}).setdefault(engine.contender.text, [])
                listed.append(result.case.name.removeprefix("test_"))
    if not groups:
        return
    console.print()
    console.print(Text("Excluded", style="bold"))
    for reason, by_engine in sorted(groups.items()):
        for names, contenders in _same(by_engine):
            who = "" if len(contenders) == len(engines) else f" on {', '.join(contenders)}"
            console.print(Text(f"  {len(names)}{who}: {reason}: {some(names)}"), soft_wrap=True)


def _same(by_engine: dict[str, list[str]]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Names, and the contenders that share exactly these."""
    together: dict[tuple[str, ...], list[str]] = {}
    for contender, names in by_engine.items():
        together.setdefault(tuple(sorted(names)), []).append(contender)
    return list(together.items())


def some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    more = len(listed) - MOST_NAMES
    return ", ".join(listed[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def print_changes(comparisons: Sequence[Comparison], console: Console) -> None:
    """What changed since an earlier version, broken cases first."""
    for comparison in comparisons:
        console.print()
        console.print(Text(changes_sentence(comparison), style="bold"), soft_wrap=True)
        told = [change for change in comparison.changes if change.direction not in ("new", "gone")]
        for change in told[:MOST_CHANGES]:
            _print_change(change, console)
        if len(told) > MOST_CHANGES:
            words = f"  and {len(told) - MOST_CHANGES} more; --json and --html have all"
            console.print(Text(words, style="dim"))
        for direction, words in _ONE_SIDED.items():
            names = [change.case.name for change in comparison.changes if change.direction == direction]
            if names:
                console.print(Text(f"  {len(names)} {words}: {some(names)}", style="dim"), soft_wrap=True)


def changes_sentence(comparison: Comparison) -> str:
    """How many cases broke, were fixed, differ otherwise."""
    counts = Counter(change.direction for change in comparison.changes)
    parts = [
        f"{counts[direction]} {words}"
        for direction, words in _DIRECTIONS.items()
        if counts[direction] or direction in ("broken", "fixed")
    ]
    return f"{comparison.before} -> {comparison.after}: {', '.join(parts)}"


def _print_change(change: Change, console: Console) -> None:
    line = Text("  ")
    style = "red" if change.direction == "broken" else "green" if change.direction == "fixed" else "dim"
    line.append(f"{change.direction.replace('_', ' ')}: ", style=style)
    line.append(change.case.name.removeprefix("test_"))
    line.append(f" ({change.case.operator or 'model'}, opset {change.case.opset})", style="dim")
    line.append(f" {_word(change.before)} -> {_word(change.after)}")
    if change.reason and change.direction != "fixed":
        line.append(f": {_end(change.reason)}")
    console.print(line, soft_wrap=True)


def _word(outcome: Outcome | None) -> str:
    return "not run" if outcome is None else WORDS[outcome]


def _by_operator(result: CaseResult) -> tuple[str, str]:
    return (result.case.operator, result.case.name)


def _end(text: str) -> str:
    return text if len(text) <= _REASON else "… " + text[-_REASON:]

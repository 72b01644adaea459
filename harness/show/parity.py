"""A parity check as text: the answer first, then errors against budgets, diagnostics, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.judge.parity import budget_use
from harness.judge.parity_document import ContenderVerdict, ParityDocument
from harness.records import OutputParity
from harness.records.parity_check import ParityRecord
from harness.show.accuracy import print_accuracy, print_accuracy_answer
from harness.show.comparison import last_words
from harness.show.graph import print_graphs
from harness.show.layers import print_layers
from harness.show.numbers import exact, quantity
from harness.show.parity_words import (
    FIGURES,
    layer_answer,
    notes,
    place_name,
    title,
    verdict_words,
    worst_output,
)

STYLE = {"pass": "green", "fail": "bold red", "nondeterministic": "bold red", "unknown": "yellow"}
ROWS = 40
"""Rows of the table of errors; the places farthest from their budgets are left to the record and the page."""
_COLUMN = 30
_NAMES = 44


def print_parity_answer(document: ParityDocument, console: Console) -> None:
    """One line a contender: pass or not, and why, with the worst place."""
    for verdict in document.verdicts:
        console.print(answer_line(verdict), soft_wrap=True)
    print_accuracy_answer(document.accuracy, console)
    for check in document.record.checks:
        if check.layers is not None:
            console.print(Text(layer_answer(check.layers)), soft_wrap=True)


def print_parity(document: ParityDocument, console: Console) -> None:
    """Print everything."""
    record = document.record
    console.print()
    console.print(Text(f"{title(record)}: is it still the right answer?", style="bold"))
    print_parity_answer(document, console)
    _print_hints(record, console)
    measured = [verdict for verdict in document.verdicts if verdict.compared]
    if measured:
        console.print()
        per_table = max(1, (console.width - _NAMES) // _COLUMN)
        for start in range(0, len(measured), per_table):
            part = measured[start : start + per_table]
            console.print(errors_table(record, part))
            console.print()
            console.print(diagnostics_table(document, part))
            console.print()
    for line in notes(record):
        console.print(Text(line, style="dim"), soft_wrap=True)
    if document.accuracy:
        data = next((c.accuracy.data for c in record.checks if c.accuracy and c.accuracy.data), None)
        print_accuracy(document.accuracy, data, console)
    for check in record.checks:
        if check.layers is not None:
            print_layers(check.layers, console)
    graphs = {
        check.contender.text: check.graph
        for check in record.checks
        if check.graph is not None and check.variant == record.planned[0]
    }
    if graphs:
        console.print()
        print_graphs(graphs, console)


def answer_line(verdict: ContenderVerdict) -> Text:
    """The verdict on one contender in a sentence."""
    line = Text()
    line.append(f"{verdict.verdict:>5} ", style=STYLE[verdict.verdict])
    line.append(f" {verdict.contender}".rstrip(), style="bold")
    if verdict.engine_version:
        line.append(f" {verdict.engine_version}", style="dim")
    line.append(": ")
    line.append(verdict_words(verdict))
    return line


def errors_table(record: ParityRecord, verdicts: Sequence[ContenderVerdict]) -> Table:
    """Every output on every input set as a row, errors as shares of the yardstick's; the worst ones where many."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("error in units of the yardstick's", max_width=_NAMES, overflow="fold")
    found: dict[str, dict[str, OutputParity]] = {}
    for check in record.checks:
        for output in check.parity.outputs if check.parity else ():
            place = place_name(record, output, check.variant.batch)
            found.setdefault(place, {})[check.contender.text] = output
    names = [verdict.contender for verdict in verdicts]
    for name in names:
        table.add_column(Text(name), justify="right")
    rows = [(place, cells) for place, cells in found.items() if any(name in cells for name in names)]
    ranked = sorted(rows, key=lambda row: -max(budget_use(cell) for cell in row[1].values()))
    kept = {place for place, _ in ranked[:ROWS]}
    for place, cells in rows:
        if place in kept:
            table.add_row(Text(place), *(_cell(cells.get(name)) for name in names))
    if len(rows) > len(kept):
        left = f"{len(rows) - len(kept)} places nearer to 0 are in --json and --html"
        table.add_row(Text(left, style="dim"), *("" for _ in names))
    return table


def _cell(output: OutputParity | None) -> Text:
    if output is None:
        return Text("n/a", style="dim")
    if output.ratio_rms is None:
        words = "equal" if output.status == "pass" else output.reason
        return Text(words, style=STYLE[output.status])
    text = f"{quantity(output.ratio_rms, 'ratio')} of {exact(output.budget_rms, 'ratio')}"
    if output.ratio_max is not None and output.ratio_max > output.budget_max:
        text += f"; max {quantity(output.ratio_max, 'ratio')} of {exact(output.budget_max, 'ratio')}"
    return Text(text, style=STYLE[output.status])


def diagnostics_table(document: ParityDocument, verdicts: Sequence[ContenderVerdict]) -> Table:
    """Figures at the worst place of each contender."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("at the worst place", max_width=_NAMES)
    for verdict in verdicts:
        table.add_column(Text(verdict.contender), justify="right")
    outputs = [worst_output(document, verdict) for verdict in verdicts]
    where = [
        Text("n/a" if output is None else f"{output.output} · {output.input_set}", style="dim")
        for output in outputs
    ]
    table.add_row("", *where)
    for figure in FIGURES:
        cells = [
            figure.text(output.diagnostics) if output is not None and output.diagnostics else ""
            for output in outputs
        ]
        if any(cells):
            table.add_row(figure.label, *(cell or "n/a" for cell in cells))
    return table


def _print_hints(record: ParityRecord, console: Console) -> None:
    """What to do about failures, each once, and the last words of engines that died."""
    told: set[tuple[str, str]] = set()
    for check in record.checks:
        failure = check.failure
        if failure is None or (check.contender.text, failure.message) in told:
            continue
        told.add((check.contender.text, failure.message))
        if failure.hint:
            console.print(Text(f"  {check.contender.text}: {failure.hint}"), soft_wrap=True)
        words = last_words(failure.stderr_tail)
        if words and check.status in ("crashed", "timeout", "out_of_memory"):
            console.print(Text(f"  its last words: {words}", style="dim"), soft_wrap=True)

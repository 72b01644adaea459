"""A parity check as text: the answer first, then errors against budgets, diagnostics, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.judge.parity_document import ContenderVerdict, ParityDocument, WorstPlace
from harness.records import OutputParity
from harness.records.parity_check import ParityCheck, ParityRecord
from harness.show.comparison import last_words
from harness.show.graph import print_graphs
from harness.show.numbers import exact, quantity
from harness.show.parity_figures import FIGURES

STYLE = {"pass": "green", "fail": "bold red", "nondeterministic": "bold red", "unknown": "yellow"}
ROWS = 40
"""Rows of the table of errors; the places farthest from their budgets are left to the record and the page."""
_COLUMN = 30
_NAMES = 44


def print_parity_answer(document: ParityDocument, console: Console) -> None:
    """One line a contender: pass or not, and why, with the worst place."""
    for verdict in document.verdicts:
        console.print(answer_line(verdict), soft_wrap=True)


def print_parity(document: ParityDocument, console: Console) -> None:
    """Print everything."""
    record = document.record
    console.print()
    console.print(Text(title(record), style="bold"))
    print_parity_answer(document, console)
    for check in record.checks:
        _print_failure(check, len(record.planned) > 1, console)
    measured = [verdict for verdict in document.verdicts if verdict.compared]
    if measured:
        console.print()
        per_table = max(1, (console.width - _NAMES) // _COLUMN)
        for start in range(0, len(measured), per_table):
            part = measured[start : start + per_table]
            console.print(errors_table(record, part))
            console.print()
            console.print(diagnostics_table(record, part))
            console.print()
    for line in notes(record):
        console.print(Text(line, style="dim"), soft_wrap=True)
    graphs = {
        check.contender.text: check.graph
        for check in record.checks
        if check.graph is not None and check.variant == record.planned[0]
    }
    if graphs:
        console.print()
        print_graphs(graphs, console)


def title(record: ParityRecord) -> str:
    """What was checked."""
    batches = ", ".join(str(batch) for batch in dict.fromkeys(v.batch for v in record.planned))
    judged = f", judged by {record.reference_model.name}" if record.reference_model else ""
    return f"{record.model.name}, batch {batches}{judged}: is it still the right answer?"


def answer_line(verdict: ContenderVerdict) -> Text:
    """The verdict on one contender in a sentence."""
    line = Text()
    line.append(f"{verdict.verdict:>5} ", style=STYLE[verdict.verdict])
    line.append(f" {verdict.contender}".rstrip(), style="bold")
    if verdict.engine_version:
        line.append(f" {verdict.engine_version}", style="dim")
    line.append(": ")
    line.append(verdict.reason or _pass_words(verdict))
    return line


def _pass_words(verdict: ContenderVerdict) -> str:
    outputs = f"{verdict.compared} output{'s' if verdict.compared != 1 else ''} compared"
    if verdict.worst is None:
        return outputs
    return f"{outputs}, the worst at {place_words(verdict.worst)}"


def place_words(worst: WorstPlace) -> str:
    """A place with its error against its budget."""
    index = f" at {list(worst.index)}" if worst.index is not None and worst.measure == "max" else ""
    what = "largest error" if worst.measure == "max" else "error"
    return (
        f"{quantity(worst.ratio, 'ratio')} of {exact(worst.budget, 'ratio')} allowed ({what} of {worst.output} "
        f"on {worst.input_set}, batch {worst.batch}{index})"
    )


def errors_table(record: ParityRecord, verdicts: Sequence[ContenderVerdict]) -> Table:
    """Every output on every input set as a row, errors as shares of the yardstick's; the worst ones where many."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("error in units of the yardstick's", max_width=_NAMES, overflow="fold")
    found: dict[tuple[int, str, str], dict[str, OutputParity]] = {}
    for check in record.checks:
        for output in check.parity.outputs if check.parity else ():
            key = (check.variant.batch, output.output, output.input_set)
            found.setdefault(key, {})[check.contender.text] = output
    names = [verdict.contender for verdict in verdicts]
    for name in names:
        table.add_column(name, justify="right")
    rows = [(key, cells) for key, cells in found.items() if any(name in cells for name in names)]
    ranked = sorted(rows, key=lambda row: -max(share_of_budget(cell) for cell in row[1].values()))
    kept = {key for key, _ in ranked[:ROWS]}
    batches = len(record.planned) > 1
    for key, cells in rows:
        if key in kept:
            batch, name, input_set = key
            label = f"{name} · {input_set}" + (f" · batch {batch}" if batches else "")
            table.add_row(Text(label), *(_cell(cells.get(name)) for name in names))
    if len(rows) > len(kept):
        left = f"{len(rows) - len(kept)} places nearer to 0 are in --json and --html"
        table.add_row(Text(left, style="dim"), *("" for _ in names))
    return table


def share_of_budget(output: OutputParity) -> float:
    """The larger of both errors over its budget; infinite for a failure without a figure."""
    pairs = ((output.ratio_rms, output.budget_rms), (output.ratio_max, output.budget_max))
    shares = [ratio / budget for ratio, budget in pairs if ratio is not None and budget > 0]
    return max(shares, default=float("inf") if output.status == "fail" else 0.0)


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


def diagnostics_table(record: ParityRecord, verdicts: Sequence[ContenderVerdict]) -> Table:
    """Figures at the worst place of each contender."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("at the worst place", max_width=_NAMES)
    for verdict in verdicts:
        table.add_column(verdict.contender, justify="right")
    outputs = [_worst_output(record, verdict) for verdict in verdicts]
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


def _worst_output(record: ParityRecord, verdict: ContenderVerdict) -> OutputParity | None:
    if verdict.worst is None:
        return None
    parity = record.checks[verdict.worst.check].parity
    return parity.outputs[verdict.worst.entry] if parity else None


def notes(record: ParityRecord) -> list[str]:
    """What judged, on which inputs, and what was left out."""
    lines = []
    for words in dict.fromkeys(_judge(record, place) for place in range(len(record.variants))):
        lines.append(words)
    sets = dict.fromkeys(entry.name for variant in record.variants for entry in variant.input_sets)
    if sets:
        lines.append(f"Input sets: {', '.join(sets)}; the same bytes for every contender.")
    left = dict.fromkeys((each.name, each.reason) for v in record.variants for each in v.left_out)
    lines += [f"Not judged: {name}, because {reason}." for name, reason in left]
    if record.judged_as:
        lines.append(f"All are held to the budgets of {record.judged_as}.")
    for check in record.checks:
        for output in check.parity.outputs if check.parity else ():
            if output.note:
                lines.append(f"{check.contender.text}, {output.output} on {output.input_set}: {output.note}")
    return list(dict.fromkeys(lines))


def _judge(record: ParityRecord, place: int) -> str:
    variant = record.variants[place]
    if variant.problem:
        return f"There is no reference: {variant.problem}"
    words = f"Reference: {variant.reference}; unit of error: {variant.yardstick}."
    notes = dict.fromkeys(c.parity.reference_note for c in record.checks if c.parity)
    return " ".join([words, *(f"{note[0].upper()}{note[1:]}." for note in notes if note)])


def _print_failure(check: ParityCheck, with_batch: bool, console: Console) -> None:
    failure = check.failure
    if failure is None:
        return
    if failure.hint:
        name = f"{check.contender.text}{f', batch {check.variant.batch}' if with_batch else ''}"
        console.print(Text(f"  {name}: {failure.hint}"), soft_wrap=True)
    words = last_words(failure.stderr_tail)
    if words and check.status in ("crashed", "timeout", "out_of_memory"):
        console.print(Text(f"  its last words: {words}", style="dim"), soft_wrap=True)

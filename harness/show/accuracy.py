"""Task accuracy as text: a sentence for each contender, then the figures behind it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.judge.accuracy import AccuracyJudgement, MetricFigures
from harness.judge.accuracy.words import NAMES, change, ends, level, plain
from harness.records.accuracy import DataRef
from harness.show.numbers import fixed

STYLES = {
    "lost": "bold red",
    "unknown": "bold red",
    "unsettled": "yellow",
    "same": "green",
    "gained": "green",
}


def print_accuracy(judgements: Sequence[AccuracyJudgement], data: DataRef | None, console: Console) -> None:
    """Print the title with what the data are, one sentence a contender, and a table of all metrics."""
    console.print()
    console.print(Text(title(data), style="bold"))
    print_accuracy_answer(judgements, console)
    if any(judgement.metrics for judgement in judgements):
        console.print()
        console.print(accuracy_table(judgements))


def print_accuracy_answer(judgements: Sequence[AccuracyJudgement], console: Console) -> None:
    """One sentence a contender."""
    for judgement in judgements:
        line = Text()
        line.append(judgement.verdict, style=STYLES[judgement.verdict])
        line.append(f"  {judgement.words}")
        console.print(line, soft_wrap=True)


def title(data: DataRef | None) -> str:
    """What the accuracy was measured on."""
    if data is None:
        return "Task accuracy"
    things = "pairs" if data.targets else "items"
    made = f", inputs by {data.processing}" if data.processing else ""
    return f"Task accuracy on {data.name}: {fixed(data.items, 0)} {things}, batch {data.batch}{made}"


def accuracy_table(judgements: Sequence[AccuracyJudgement]) -> Table:
    """Every metric of every contender beside the reference's, and the difference with its interval."""
    printed = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    for heading in ("contender", "metric"):
        printed.add_column(heading, overflow="fold")
    for heading in ("value", "reference", "difference", "interval", "margin"):
        printed.add_column(heading, justify="right")
    printed.add_column("verdict")
    for judgement in judgements:
        for place, figures in enumerate(judgement.metrics):
            decides = place == 0
            printed.add_row(
                Text(judgement.contender if decides else ""),
                NAMES[figures.metric],
                level(figures.value, figures),
                level(figures.reference, figures),
                change(figures),
                ends(figures.difference_low, figures.difference_high, figures) or "n/a",
                plain(judgement.margin, figures) if decides else "",
                Text(judgement.verdict, style=STYLES[judgement.verdict]) if decides else Text("(told only)"),
            )
            _add_reason(printed, figures)
    return printed


def _add_reason(printed: Table, figures: MetricFigures) -> None:
    if figures.reason:
        printed.add_row("", Text(figures.reason, style="dim"))

"""A profile as text: the sums first, then the longest rows, operators, and doubts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.judge.profile.document import ProfileDocument
from harness.judge.profile.table import Column, ProfileTable, Row
from harness.records.profile import ContenderProfile
from harness.show.comparison import last_words, print_warning
from harness.show.numbers import quantity, share

_NAMES = 34
_COLUMN = 26
_KINDS = 8


def print_profile_answer(document: ProfileDocument, console: Console) -> None:
    """One line a contender: its sum and its longest operator, or why it has none."""
    for column in document.table.columns:
        console.print(Text(answer(column)), soft_wrap=True)
    for profile in document.record.profiles:
        _print_failure(profile, console)


def answer(column: Column) -> str:
    """What a contender's profile says, in a sentence."""
    words = f"{column.contender}: layers {quantity(column.layers_s, 'seconds')} a call"
    if column.operators and column.layers_s:
        first = column.operators[0]
        words += f", {share(first.share, 2)} of it in {first.layers} {first.operator}"
    return f"{words}; without profiler {quantity(column.unprofiled_s, 'seconds')}"


def print_profile(document: ProfileDocument, console: Console, *, top: int) -> None:
    """Print everything, `top` rows of the table."""
    record, table = document.record, document.table
    variant = record.variant
    console.print()
    title = f"{record.model.name}, batch {variant.batch}, {variant.threads} thread"
    console.print(Text(f"{title}{'s' if variant.threads != 1 else ''}: time by layer", style="bold"))
    for column in table.columns:
        console.print(Text(answer(column)), soft_wrap=True)
    if table.columns:
        console.print()
        per_table = max(1, (console.width - _NAMES - 24) // _COLUMN)
        for start in range(0, len(table.columns), per_table):
            places = range(start, min(start + per_table, len(table.columns)))
            console.print(rows_table(table, places, top))
            console.print()
            console.print(kinds_table(table, places))
    for profile in record.profiles:
        _print_failure(profile, console)
    for profile, column in zip((p for p in record.profiles if p.layers), table.columns, strict=True):
        for note in profile.notes:
            console.print(Text(f"{column.contender}: {note}", style="dim"), soft_wrap=True)
        for warning in column.warnings:
            print_warning(warning, column.contender, console)


def rows_table(table: ProfileTable, places: Sequence[int], top: int) -> Table:
    """The longest rows in topological order, then all others, what is not matched, and the sums."""
    columns = [table.columns[place] for place in places]
    shown = longest(table.rows, places, top)
    printed = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    printed.add_column("ONNX tensor", max_width=_NAMES, overflow="ellipsis", no_wrap=True)
    printed.add_column("operators", max_width=22, overflow="ellipsis", no_wrap=True)
    for column in columns:
        printed.add_column(column.contender, justify="right")
    for row in shown:
        printed.add_row(Text(row.name), Text(row.operators), *(Text(_cell(row, place)) for place in places))
    left = [row for row in table.rows if row not in shown]
    if any(row.cells[place].seconds for row in left for place in places):
        sums = [
            (sum(row.cells[place].seconds for row in left), sum(row.cells[place].share for row in left))
            for place in places
        ]
        printed.add_row(
            Text(f"{len(left)} other rows", style="dim"), "", *(Text(_time(*pair)) for pair in sums)
        )
    if any(column.unmatched.layers for column in columns):
        cells = [_time(column.unmatched.seconds, column.unmatched.share) for column in columns]
        printed.add_row(Text("not matched", style="dim"), "", *map(Text, cells))
    for words, values in (
        ("sum of layers", [column.layers_s for column in columns]),
        ("whole call, engine's clock", [column.whole_s for column in columns]),
        ("whole call, profiler on", [column.profiled_s for column in columns]),
        ("whole call, profiler off", [column.unprofiled_s for column in columns]),
    ):
        printed.add_row(
            Text(words, style="bold"), "", *(Text(quantity(value, "seconds")) for value in values)
        )
    return printed


def kinds_table(table: ProfileTable, places: Sequence[int]) -> Table:
    """Rows summed by their operators."""
    printed = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    printed.add_column("by operators of the rows", max_width=_NAMES + 24, overflow="ellipsis", no_wrap=True)
    for place in places:
        printed.add_column(table.columns[place].contender, justify="right")
    for row in table.kinds[:_KINDS]:
        printed.add_row(Text(row.operators), *(Text(_cell(row, place)) for place in places))
    return printed


def longest(rows: Sequence[Row], places: Sequence[int], top: int) -> list[Row]:
    """The `top` rows that take the largest share of any of these contenders, in their own order."""
    timed = [row for row in rows if any(row.cells[place].seconds for place in places)]
    ranked = sorted(timed, key=lambda row: -max(row.cells[place].share for place in places))
    kept = {row.nodes for row in ranked[:top]}
    return [row for row in timed if row.nodes in kept]


def _cell(row: Row, place: int) -> str:
    cell = row.cells[place]
    if not cell.ran:
        return "not run" if cell.layers else "–"
    return _time(cell.seconds, cell.share)


def _time(seconds: float, of_all: float) -> str:
    return f"{quantity(seconds, 'seconds')} {share(of_all, 2):>6}"


def _print_failure(profile: ContenderProfile, console: Console) -> None:
    failure = profile.failure
    if failure is None:
        return
    line = Text()
    line.append(f"{profile.contender.text}: {profile.status}", style="bold red")
    line.append(f" in {failure.phase}: {failure.message}")
    console.print(line, soft_wrap=True)
    if failure.hint:
        console.print(Text(f"  {failure.hint}"), soft_wrap=True)
    words = last_words(failure.stderr_tail)
    if words and profile.status in ("crashed", "timeout", "out_of_memory"):
        console.print(Text(f"  its last words: {words}", style="dim"), soft_wrap=True)

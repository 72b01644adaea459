"""Lists as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

_ANY_LENGTH = 10_000
_STYLES = {"available": "green", "missing": "yellow"}


def print_rows(rows: Sequence[Mapping[str, str]], console: Console, hidden: Sequence[str] = ()) -> None:
    """Print rows with the same keys; `hidden` columns and those that are empty everywhere are left out."""
    if not rows:
        console.print("Nothing to list.")
        return
    columns = [name for name in rows[0] if name not in hidden and any(row[name] for row in rows)]
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[name], style=_STYLES.get(row[name], "")) for name in columns))
    if console.is_terminal:
        console.print(table)
        return
    # Nothing is broken up where lines may have any length: the commands in a list are there to be copied.
    with console.capture() as capture:
        console.print(table, width=_ANY_LENGTH)
    for line in capture.get().splitlines():
        console.print(line.rstrip(), markup=False, soft_wrap=True)


def print_notes(notes: Sequence[str], console: Console) -> None:
    """Print notes below a table, one line each."""
    if notes:
        console.print()
    for note in notes:
        console.print(Text(note), soft_wrap=True)

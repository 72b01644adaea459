"""What every chart module returns: a Vega-Lite specification with its words and its figures as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DataTable:
    """The figures of a chart as text. The first cell of a row is its heading."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A chart and its text alternative."""

    name: str
    """Unique within its group, e.g. "memory"; becomes part of an HTML id."""
    title: str
    caption: str
    """What it shows and how to read it."""
    label: str
    """One sentence for those who cannot see it."""
    spec: dict[str, Any]
    """A Vega-Lite specification with its data inline."""
    drawn: tuple[str, ...] = ()
    """Contenders that only colour and shape tell apart, so that the page must show a legend of them."""
    table: DataTable | None = None

"""Parity checks of a model over time as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.show.numbers import quantity
from harness.show.parity import STYLE

if TYPE_CHECKING:
    from results.parity_checks import ParityPoint

PREFIX = 8


def print_parity_points(model: str, points: Sequence[ParityPoint], console: Console) -> None:
    """Print checks as they come, oldest first, one a line; a change of verdict is marked."""
    console.print(Text(f"{model}: parity over time", style="bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("date (UTC)", "contender", "batch", "parity"):
        table.add_column(name, overflow="fold")
    table.add_column("worst error", justify="right", overflow="fold")
    for name in ("engine", "model", "commit", "run"):
        table.add_column(name, overflow="fold")
    before: dict[tuple[str, int], str] = {}
    for point in points:
        verdict = point.parity or point.status
        key = (point.contender, point.batch)
        was = before.get(key, verdict)
        before[key] = verdict
        words = verdict if was == verdict else f"{verdict} (was {was})"
        table.add_row(
            point.created_at.strftime("%Y-%m-%d %H:%M"),
            Text(point.contender),
            str(point.batch),
            Text(words, style=STYLE.get(point.parity or "unknown", "yellow")),
            quantity(point.ratio, "ratio"),
            Text(point.engine_version or "–"),
            Text(point.model_sha256[:PREFIX]),
            Text(point.commit[:PREFIX] if point.commit else "–"),
            Text(point.run_id[:PREFIX]),
        )
    console.print(table)
    console.print("Errors are in units of the reference's own error in float32.", style="dim")


def points_as_document(points: Sequence[ParityPoint]) -> list[dict[str, Any]]:
    """Checks as JSON values; times are ISO 8601, UTC."""
    return [{**asdict(point), "created_at": point.created_at.isoformat()} for point in points]

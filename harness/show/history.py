"""The history as tables: the newest runs, or one metric over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.judge.comparison import Estimate
from harness.show.numbers import Figure, figure

if TYPE_CHECKING:
    from results.series import MetricPoint
    from results.summaries import RunSummary

PREFIX = 8
"""Digits of a run's id or a commit that are shown; `harness report` takes a prefix."""
_KINDS: dict[str, Literal["seconds", "bytes", "per_second"]] = {
    "s": "seconds",
    "bytes": "bytes",
    "B": "bytes",
    "inferences/s": "per_second",
}
_PARITY_STYLE = {"pass": "green", "fail": "bold red", "unknown": "yellow", "nondeterministic": "yellow"}
_STATUS_STYLE = {"failed": "red", "killed": "red", "interrupted": "yellow", "running": "cyan"}


def print_empty(console: Console) -> None:
    """Say that there is nothing yet, and how to make some."""
    console.print("There is no history yet. Every measurement is added to it, for instance:")
    console.print("  harness compare torch ort --model resnet50")
    console.print("  harness run quick")


def print_runs(runs: Sequence[RunSummary], console: Console) -> None:
    """Print runs as they come, newest first, one a line."""
    table = _table()
    for name in ("started (UTC)", "run", "name", "status", "models", "contenders"):
        table.add_column(name, overflow="fold")
    table.add_column("measured", justify="right")
    for name in ("machine", "commit"):
        table.add_column(name, overflow="fold")
    for run in runs:
        status = run.status if run.exit_code is None else f"{run.status} ({run.exit_code})"
        table.add_row(
            _moment(run.started_at),
            Text(run.id[:PREFIX]),
            Text(run.name),
            Text(status, style=_STATUS_STYLE.get(run.status, "")),
            Text(", ".join(run.models) or "–"),
            Text(", ".join(run.contenders) or "–"),
            f"{run.measured} of {run.results}",
            Text(run.hostname),
            _short(run.commit),
        )
    console.print(table)


def print_series(model: str, metric: str, points: Sequence[MetricPoint], console: Console) -> None:
    """Print one metric of a model over time: series after series, each oldest first."""
    console.print(Text(f"{model}: {metric} over time", style="bold"))
    table = _table()
    for name in ("date (UTC)", "contender", "batch/threads"):
        table.add_column(name, overflow="fold")
    for name in (metric, "change"):
        table.add_column(name, justify="right", overflow="fold")
    machines = len({each.machine_id for each in points}) > 1
    for name in ("parity", "engine", *(("machine",) if machines else ()), "commit", "run"):
        table.add_column(name, overflow="fold")
    reasons: dict[str, None] = {}
    unclear = False
    for series in _by_series(points):
        before: MetricPoint | None = None
        for each in series:
            shown = figure(_estimate(each), _KINDS.get(each.unit, "seconds"))
            if shown.missing:
                reasons[f"{_moment(each.created_at)} {each.contender}: {shown.reason}"] = None
            moved = change(before, each)
            unclear = unclear or moved.startswith("~")
            table.add_row(
                _moment(each.created_at),
                Text(each.contender),
                " ".join([f"{each.batch}/{each.threads}", *([each.load] if each.load else [])]),
                Text(_cell(each, shown)),
                moved,
                Text(each.parity or "unknown", style=_PARITY_STYLE[each.parity or "unknown"]),
                Text(each.engine_version or "–"),
                *((Text(each.hostname),) if machines else ()),
                _short(each.commit),
                Text(each.run_id[:PREFIX]),
                end_section=each is series[-1],
            )
            if each.value is not None:
                before = each
    console.print(table)
    if unclear:
        console.print("~: the intervals overlap, so the change may be chance.", style="dim")
    for reason in reasons:
        console.print(Text(f"n/a: {reason}", style="dim"))


def change(before: MetricPoint | None, after: MetricPoint) -> str:
    """Change of a value against the point before it, in per cent; "~" where the intervals overlap.

    "–" for the first point, "n/a" where there is no value, "other model" where the model's weights are not the same.
    """
    if after.value is None:
        return "n/a"
    if before is None or before.value is None:
        return "–"
    if before.model_sha256 != after.model_sha256:
        return "other model"
    if before.value == 0 or before.unit != after.unit:
        return "n/a"
    percent = round((after.value / before.value - 1) * 100, 1)
    # Without the sign that rounding leaves on nothing: "+0.0", "-0.0".
    text = f"{percent:+.1f} %".replace("-", "−") if percent else "0.0 %"
    return text if _apart(before, after) else f"~{text}"


def as_document(runs: Sequence[RunSummary], points: Sequence[MetricPoint]) -> dict[str, Any]:
    """Runs and points as JSON values; times are ISO 8601, UTC."""
    return {"runs": [_plain(each) for each in runs], "points": [_plain(each) for each in points]}


def _plain(record: RunSummary | MetricPoint) -> dict[str, Any]:
    return {name: _json_value(value) for name, value in asdict(record).items()}


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _apart(before: MetricPoint, after: MetricPoint) -> bool:
    """Whether both intervals are known and have nothing in common."""
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return False
    return before.high < after.low or after.high < before.low


def _by_series(points: Iterable[MetricPoint]) -> list[list[MetricPoint]]:
    series: dict[tuple[str, str], list[MetricPoint]] = {}
    for each in points:
        series.setdefault(each.series, []).append(each)
    return list(series.values())


def _cell(point: MetricPoint, shown: Figure) -> str:
    if shown.missing and point.status != "measured":
        return f"{shown.text} ({point.status})"
    return f"{shown.text} {shown.interval}".strip()


def _estimate(point: MetricPoint) -> Estimate:
    return Estimate(value=point.value, low=point.low, high=point.high, unit=point.unit, reason=point.reason)


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _moment(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")


def _short(commit: str | None) -> str:
    return commit[:PREFIX] if commit else "–"

"""Warm-up: latency of the first calls of every fresh process, and where it became steady."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from dashboards import samples
from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import Series
from harness.records import Result, Trial
from harness.show import numbers as fmt

CURVES = 4
"""Trials drawn per contender: enough to see whether they agree."""
POINTS = 60


def warmup_chart(results: Sequence[Result], series: Mapping[str, Series]) -> Chart | None:
    """Latency by call number from the first call on; None when no warm-up was recorded."""
    found = [
        (result.case.contender.text, [trial for trial in result.trials if trial.warmup_ns])
        for result in results
    ]
    found = [(name, trials) for name, trials in found if trials]
    if not found:
        return None
    names = [name for name, _ in found]
    drawn = [(name, trial) for name, trials in found for trial in trials[:CURVES]]
    scale_by, unit = fmt.unit_for_axis([trial.warmup_ns[-1] / 1e9 for _, trial in drawn], "seconds")
    rows = [row for name, trial in drawn for row in _curve(name, trial, scale_by)]
    steady = [
        {
            "contender": name,
            "trial": trial.index + 1,
            "call": trial.steady_from + 1,
            "latency": samples.rounded(max(trial.warmup_ns[trial.steady_from], 1) / 1e9 / scale_by),
        }
        for name, trial in drawn
        if trial.steady_from is not None and trial.steady_from < len(trial.warmup_ns)
    ]
    calls = theme.Extent(1.0, max(int(row["call"]) for row in rows) * 1.1, log=True)
    latencies = theme.extent([float(row["latency"]) for row in rows])
    x = alt.X(
        "call:Q",
        scale=calls.scale(),
        axis=calls.axis("call since the process started", grid=False, format="~s"),
    )
    y = alt.Y(
        "latency:Q",
        scale=latencies.scale(),
        axis=latencies.axis(f"latency ({unit})", tickCount=5),
    )
    tooltip = [
        alt.Tooltip("contender:N"),
        alt.Tooltip("trial:O"),
        alt.Tooltip("call:Q"),
        alt.Tooltip("latency:Q", title=unit, format=".4~g"),
    ]
    layers = [
        alt.Chart(theme.data(rows))
        .mark_line(strokeWidth=1.5, opacity=0.7)
        .encode(
            x=x,
            y=y,
            detail="trial:N",
            color=theme.colour(series, names),
            strokeDash=theme.dash(series, names),
            tooltip=tooltip,
        )
    ]
    if steady:
        layers.append(
            alt.Chart(theme.data(steady))
            .mark_point(filled=True, size=70, opacity=1, stroke=theme.PAPER, strokeWidth=1)
            .encode(
                x=x, y=y, color=theme.colour(series, names), shape=theme.shape(series, names), tooltip=tooltip
            )
        )
    table = DataTable(
        "Warm-up of every trial",
        ("contender", "trial", "first inference", "steady from call", "calls recorded"),
        tuple(_table_row(name, trial) for name, trials in found for trial in trials),
    )
    return Chart(
        name="warmup",
        title="Warm-up",
        caption=(
            "Latency of each call from the first one of a fresh process (up to"
            f" {CURVES} trials of each contender; both axes are stretched where the values span a large factor). The"
            " marked call is the first steady one; a curve without a mark never became steady."
        ),
        label="Warm-up curves of "
        + ", ".join(names)
        + ". The table below says from which call each was steady.",
        spec=theme.finish(alt.layer(*layers), 240),
        drawn=tuple(names),
        table=table,
    )


def _curve(name: str, trial: Trial, scale_by: float) -> list[theme.Row]:
    return [
        {
            "contender": name,
            "trial": trial.index + 1,
            "call": place + 1,
            # A logarithmic axis has no place for 0, and no call takes less than a nanosecond.
            "latency": samples.rounded(max(trial.warmup_ns[place], 1) / 1e9 / scale_by),
        }
        for place in samples.thin_evenly_in_log(len(trial.warmup_ns), POINTS)
    ]


def _table_row(name: str, trial: Trial) -> tuple[str, ...]:
    return (
        name,
        str(trial.index + 1),
        fmt.quantity(trial.first_inference_ns / 1e9, "seconds"),
        "never" if trial.steady_from is None else str(trial.steady_from + 1),
        fmt.fixed(len(trial.warmup_ns), 0),
    )

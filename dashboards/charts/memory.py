"""Memory: resident size of the worker before the engine is imported, after loading, and at its peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import Series
from harness.records import Memory, Result
from harness.show import numbers as fmt

ROW_LABEL = 22
BODY = 14
STAGES = ("Python before the engine", "engine and model loaded", "added while running")


def memory_chart(results: Sequence[Result], series: Mapping[str, Series]) -> Chart | None:
    """Stacked bars of the three sizes; None when no peak was recorded."""
    found = [(result.case.contender.text, result.memory) for result in results if result.memory is not None]
    drawn = [(name, memory) for name, memory in found if memory.peak]
    if not drawn:
        return None
    names = [name for name, _ in drawn]
    scale_by, unit = fmt.unit_for_axis([float(memory.peak or 0) for _, memory in drawn], "bytes")
    rows = [row for name, memory in drawn for row in _rows(name, memory, scale_by)]
    bars = (
        alt.Chart(theme.data(rows))
        .mark_bar(height=14, stroke=theme.PAPER, strokeWidth=1)
        .encode(
            y=alt.Y("contender:N", sort=names, axis=None, scale=theme.label_room(ROW_LABEL, BODY)),
            x=alt.X("from:Q", axis=alt.Axis(title=f"resident memory of the worker ({unit})", tickCount=6)),
            x2="to:Q",
            color=theme.colour(series, names),
            opacity=alt.Opacity(
                "stage:O",
                sort=list(STAGES),
                scale=alt.Scale(domain=list(STAGES), range=[0.35, 0.68, 1.0]),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("contender:N"),
                alt.Tooltip("stage:N"),
                alt.Tooltip("shown:N", title="adds"),
                alt.Tooltip("total:N", title="up to"),
            ],
        )
    )
    layers = alt.layer(
        bars, theme.row_label([{"contender": name} for name in names], "contender", names, above=1)
    )
    table = DataTable(
        "Resident memory of the worker process",
        ("contender", "before the engine", "after loading", "peak"),
        tuple(
            (
                name,
                fmt.quantity(memory.before_engine, "bytes"),
                fmt.quantity(memory.after_load, "bytes"),
                fmt.quantity(memory.peak, "bytes"),
            )
            for name, memory in found
        ),
    )
    return Chart(
        name="memory",
        title="Memory",
        caption=(
            "Palest: Python before the engine is imported. Middle: added by importing the engine and loading the model."
            " Full colour: added while running, up to the peak. The largest figures of all trials; where a step was"
            " not recorded, its part is joined to the next."
        ),
        label="Memory of " + ", ".join(names) + ". The table below holds the figures.",
        spec=theme.finish(layers, (ROW_LABEL + BODY) * len(names)),
        drawn=(),
        table=table,
    )


def _rows(name: str, memory: Memory, scale_by: float) -> list[theme.Row]:
    rows: list[theme.Row] = []
    start = 0
    for stage, end in zip(STAGES, (memory.before_engine, memory.after_load, memory.peak), strict=True):
        if end is None or end <= start:
            continue
        rows.append(
            {
                "contender": name,
                "stage": stage,
                "from": round(start / scale_by, 4),
                "to": round(end / scale_by, 4),
                "shown": fmt.quantity(end - start, "bytes"),
                "total": fmt.quantity(end, "bytes"),
            }
        )
        start = end
    return rows

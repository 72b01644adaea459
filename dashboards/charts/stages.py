"""Stages of a call: how a whole call divides into preprocess, upload, infer, download and postprocess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import Series
from harness.judge.comparison import Estimate
from harness.judge.stage_times import STAGES, carried, implementations, stage_estimates
from harness.records import Result
from harness.show import numbers as fmt

ROW_LABEL = 22
BODY = 16
OPACITIES = (0.55, 0.25, 1.0, 0.25, 0.55)
"""Inference stands out; each stage can be told from its neighbours."""


def stages_chart(results: Sequence[Result], series: Mapping[str, Series]) -> Chart | None:
    """Stacked bars of the stages' medians; None when no stage was timed."""
    estimates = {result.case.contender.text: stage_estimates(result) for result in results}
    drawn = [name for name, found in estimates.items() if any(found[stage].value for stage in STAGES)]
    if not drawn:
        return None
    totals = [sum(found.value or 0.0 for found in _stages(estimates[name])) for name in drawn]
    scale_by, unit = fmt.unit_for_axis(totals, "seconds")
    rows = [row for name in drawn for row in _rows(name, estimates[name], scale_by)]
    bars = (
        alt.Chart(theme.data(rows))
        .mark_bar(height=BODY, stroke=theme.PAPER, strokeWidth=1)
        .encode(
            y=alt.Y("contender:N", sort=drawn, axis=None, scale=theme.label_room(ROW_LABEL, BODY)),
            x=alt.X("from:Q", axis=alt.Axis(title=f"time of a call, stage by stage ({unit})", tickCount=6)),
            x2="to:Q",
            color=theme.colour(series, drawn),
            opacity=alt.Opacity(
                "stage:O",
                sort=list(STAGES),
                scale=alt.Scale(domain=list(STAGES), range=list(OPACITIES)),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("contender:N"),
                alt.Tooltip("stage:N"),
                alt.Tooltip("shown:N", title="median"),
                alt.Tooltip("share:N", title="of the call"),
            ],
        )
    )
    layers = alt.layer(
        bars, theme.row_label([{"contender": name} for name in drawn], "contender", drawn, above=1)
    )
    return Chart(
        name="stages",
        title="Stages of a call",
        caption=(
            "From left to right: preprocess, upload, infer (full colour), download, postprocess. Medians of calls with "
            "a clock between their stages, measured apart from the timed blocks. A stage that an engine cannot "
            "separate, or that the model does not have, is missing; the table says why."
        ),
        label="Stages of a call of " + ", ".join(drawn) + ". The table below holds the figures.",
        spec=theme.finish(layers, (ROW_LABEL + BODY) * len(drawn)),
        drawn=(),
        table=DataTable(
            "Stages of a call, then every way of bringing inputs in and outputs out, each timed alone",
            ("contender", "what", "how", "size", "median", "rate"),
            tuple(row for result in results for row in _table_rows(result)),
        ),
    )


def _stages(found: Mapping[str, Estimate]) -> list[Estimate]:
    return [found[stage] for stage in STAGES]


def _rows(name: str, found: Mapping[str, Estimate], scale_by: float) -> list[theme.Row]:
    rows: list[theme.Row] = []
    start = 0.0
    total = sum(estimate.value or 0.0 for estimate in _stages(found))
    for stage in STAGES:
        value = found[stage].value
        if not value:
            continue
        rows.append(
            {
                "contender": name,
                "stage": stage,
                "from": round(start / scale_by, 6),
                "to": round((start + value) / scale_by, 6),
                "shown": fmt.quantity(value, "seconds"),
                "share": fmt.share(value / total),
            }
        )
        start += value
    return rows


def _table_rows(result: Result) -> list[tuple[str, ...]]:
    name = result.case.contender.text
    found, made_by = stage_estimates(result), implementations(result)
    rows: list[tuple[str, ...]] = [
        (name, stage.replace("_", " "), made_by.get(stage, ""), "", _shown(found[stage]), "")
        for stage in ("end_to_end", *STAGES)
    ]
    for way in carried(result):
        device = fmt.figure(way.device_seconds, "seconds")
        how = way.path.replace("_", " ") + (
            "" if device.missing else f"; {device.text} by the device's events"
        )
        rows.append(
            (
                name,
                f"{way.direction} alone",
                how,
                fmt.exact(float(way.bytes), "bytes"),
                _shown(way.seconds),
                _shown_rate(way.rate),
            )
        )
    return rows


def _shown(estimate: Estimate) -> str:
    shown = fmt.figure(estimate, "seconds")
    return f"n/a: {shown.reason}" if shown.missing else f"{shown.text} {shown.interval}".strip()


def _shown_rate(estimate: Estimate) -> str:
    shown = fmt.figure(estimate, "bytes_per_second")
    return f"n/a: {shown.reason}" if shown.missing else shown.text

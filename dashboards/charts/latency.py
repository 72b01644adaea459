"""Latency distributions: all samples of a contender as a cumulative curve, and trial by trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np

from dashboards import samples
from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import Series
from harness.records import Result
from harness.show import numbers as fmt

CURVE_POINTS = 161
AXIS_END = 0.99
"""The cumulative curve's axis ends at the largest of this quantile: a few stragglers would flatten the rest."""
ROW_LABEL = 28
TABLE_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.99)


def distribution_chart(results: Sequence[Result], series: Mapping[str, Series]) -> Chart | None:
    """Cumulative share of samples by latency; None when nothing was measured."""
    measured = [(result.case.contender.text, samples.all_seconds(result)) for result in results]
    measured = [(name, values) for name, values in measured if len(values)]
    if not measured:
        return None
    names = [name for name, _ in measured]
    scale_by, unit = fmt.unit_for_axis([float(np.median(values)) for _, values in measured], "seconds")
    rows: list[theme.Row] = []
    for name, values in measured:
        shares = np.linspace(0, 1, min(CURVE_POINTS, max(len(values), 2)))
        for fraction, value in zip(shares, np.quantile(values, shares), strict=True):
            rows.append(
                {
                    "contender": name,
                    "share": samples.rounded(float(fraction)),
                    "latency": samples.rounded(float(value) / scale_by),
                }
            )
    ends = [float(np.quantile(values, part)) / scale_by for _, values in measured for part in (0, AXIS_END)]
    extent = theme.extent(ends)
    spec = (
        alt.Chart(theme.data(rows))
        .mark_line(interpolate="linear", strokeWidth=2, clip=True)
        .encode(
            x=alt.X(
                "latency:Q",
                scale=extent.scale(),
                axis=extent.axis(f"latency of a call ({unit})"),
            ),
            y=alt.Y("share:Q", axis=alt.Axis(title="share of samples", format="%", tickCount=5)),
            color=theme.colour(series, names),
            strokeDash=theme.dash(series, names),
            order=alt.Order("share:Q"),
            tooltip=[
                alt.Tooltip("contender:N"),
                alt.Tooltip("latency:Q", title=unit, format=".4~g"),
                alt.Tooltip("share:Q", title="share", format=".1%"),
            ],
        )
    )
    table = DataTable(
        "Quantiles of latency over all samples",
        ("contender", "samples", *(f"p{int(q * 100)}" for q in TABLE_QUANTILES), "largest"),
        tuple(
            (
                name,
                fmt.fixed(len(values), 0),
                *(fmt.quantity(float(value), "seconds") for value in np.quantile(values, TABLE_QUANTILES)),
                fmt.quantity(float(values.max()), "seconds"),
            )
            for name, values in measured
        ),
    )
    return Chart(
        name="distribution",
        title="Distribution of latency",
        caption=(
            "Share of samples at or below a latency: a steep curve is steady, a long top is a tail. Further left is"
            " faster. All trials together; the axis ends where the slowest contender's last 1 % begin."
        ),
        label="Cumulative distribution of latency for "
        + ", ".join(names)
        + ". The table below holds the quantiles.",
        spec=theme.finish(spec, 240),
        drawn=tuple(names),
        table=table,
    )


def trials_chart(results: Sequence[Result], series: Mapping[str, Series]) -> Chart | None:
    """Median, quartiles and 5th to 95th percentile of every trial; None when nothing was measured."""
    spreads = [(result.case.contender.text, samples.trial_spreads(result)) for result in results]
    spreads = [(name, found) for name, found in spreads if found]
    if not spreads:
        return None
    names = [name for name, _ in spreads]
    scale_by, unit = fmt.unit_for_axis([spread.p50 for _, found in spreads for spread in found], "seconds")
    rows: list[theme.Row] = [
        {"contender": name, "trial": spread.trial + 1}
        | {
            key: samples.rounded(getattr(spread, key) / scale_by)
            for key in ("p5", "p25", "p50", "p75", "p95")
        }
        for name, found in spreads
        for spread in found
    ]
    extent = theme.extent([float(row[key]) for row in rows for key in ("p5", "p95")])
    scale = extent.scale()
    most = max(len(found) for _, found in spreads)
    body = most * (13 if most <= 6 else 9)
    base = alt.Chart(theme.data(rows)).encode(
        y=alt.Y("contender:N", sort=names, axis=None, scale=theme.label_room(ROW_LABEL, body)),
        yOffset=alt.YOffset("trial:O"),
        color=theme.colour(series, names),
        tooltip=[
            alt.Tooltip("contender:N"),
            alt.Tooltip("trial:O"),
            alt.Tooltip("p50:Q", title=f"median, {unit}", format=".4~g"),
            alt.Tooltip("p25:Q", title=f"p25, {unit}", format=".4~g"),
            alt.Tooltip("p75:Q", title=f"p75, {unit}", format=".4~g"),
        ],
    )
    axis = extent.axis(f"latency of a call ({unit}), one line a trial")
    layers = alt.layer(
        base.mark_rule(strokeWidth=1.2, opacity=0.75).encode(
            x=alt.X("p5:Q", scale=scale, axis=axis), x2="p95:Q"
        ),
        base.mark_rule(strokeWidth=5, opacity=0.45).encode(x=alt.X("p25:Q", scale=scale), x2="p75:Q"),
        base.mark_tick(thickness=2.5, size=9, opacity=1).encode(x=alt.X("p50:Q", scale=scale)),
        theme.row_label([{"contender": name} for name in names], "contender", names, above=3),
    )
    table = DataTable(
        "Latency by trial",
        ("contender", "trial", "samples", "p5", "p25", "median", "p75", "p95"),
        tuple(
            (
                name,
                str(spread.trial + 1),
                fmt.fixed(spread.samples, 0),
                *(
                    fmt.quantity(v, "seconds")
                    for v in (spread.p5, spread.p25, spread.p50, spread.p75, spread.p95)
                ),
            )
            for name, found in spreads
            for spread in found
        ),
    )
    return Chart(
        name="trials",
        title="Latency by trial",
        caption=(
            "One line a trial, that is one fresh process. Tick: median. Thick: the middle half of the samples. Thin:"
            " 5th to 95th percentile. Where trials of one contender differ more than their thick parts are wide,"
            " chance between processes rules, and only more trials narrow the interval."
        ),
        label="Spread of latency in each trial of "
        + ", ".join(names)
        + ". The table below holds the figures.",
        spec=theme.finish(layers, len(names) * (ROW_LABEL + body)),
        drawn=(),
        table=table,
    )

"""Closed loops: latency over throughput with the load as the path, and throughput over the requests in flight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from dashboards import samples
from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import Series
from harness.judge.load.curve import LoadCurve
from harness.judge.load.point import LoadPoint
from harness.records import Bounds
from harness.show import numbers as fmt


def latency_throughput_chart(
    curves: Sequence[LoadCurve], bounds: Bounds, series: Mapping[str, Series]
) -> Chart | None:
    """Latency over throughput; a line joins the loads of one setting. None when nothing was measured."""
    metric = bounds.latency_metric if bounds.max_latency_s is not None else "p50"
    shown = [(c, p, _latency(p, metric)) for c in curves for p in c.points if p.throughput.value]
    shown = [(c, p, seconds) for c, p, seconds in shown if seconds]
    if not shown:
        return None
    names = list(dict.fromkeys(c.contender for c, _, _ in shown))
    scale_by, unit = fmt.unit_for_axis([seconds or 0.0 for _, _, seconds in shown], "seconds")
    rows: list[theme.Row] = [
        _row(curve, point) | {"latency": samples.rounded((seconds or 0.0) / scale_by)}
        for curve, point, seconds in shown
    ]
    bound = bounds.max_latency_s / scale_by if bounds.max_latency_s is not None else None
    ends = [value for row in rows for value in (row["low"], row["high"])]
    across = theme.extent(ends)
    up = theme.extent([row["latency"] for row in rows], include=[bound] if bound is not None else [])
    x = alt.X("throughput:Q", scale=across.scale(), axis=across.axis("throughput (inferences/s)"))
    y = alt.Y("latency:Q", scale=up.scale(), axis=up.axis(f"latency {metric} ({unit})"))
    base = alt.Chart(theme.data(rows)).encode(x=x, y=y, color=theme.colour(series, names))
    layers = [
        base.mark_line(strokeWidth=1.5, opacity=0.7).encode(
            detail="setting:N", order="in_flight:Q", strokeDash=theme.dash(series, names)
        ),
        base.mark_rule(strokeWidth=1.2).encode(x=alt.X("low:Q", scale=across.scale()), x2="high:Q"),
        base.mark_point(size=60, filled=True, opacity=1).encode(
            shape=theme.shape(series, names), tooltip=_tooltips(metric, unit)
        ),
        base.transform_filter("datum.mark == 'best'").mark_point(size=260, filled=False, strokeWidth=1.6),
        base.mark_text(dy=-11, fontSize=11).encode(text="in_flight:N", color=alt.value(theme.MUTED)),
    ]
    if bound is not None:
        line = alt.Chart(theme.data([{"bound": samples.rounded(bound)}]))
        layers.append(
            line.mark_rule(color=theme.ACCENT, strokeDash=[4, 3]).encode(y=alt.Y("bound:Q", scale=up.scale()))
        )
    caption = (
        "Each point is a load: the number beside it says how many requests were in flight. Right is more throughput,"
        " down is less latency; a ring marks the best point, a bar the throughput's interval."
    )
    if bound is not None:
        caption += " The dashed line is the latency bound."
    return Chart(
        name="load",
        title="Latency over throughput",
        caption=caption,
        label=f"Latency {metric} over throughput of {', '.join(names)}. The table below holds the figures.",
        spec=theme.finish(alt.layer(*layers), 320),
        drawn=tuple(names),
        table=_table(curves),
    )


def scaling_chart(curves: Sequence[LoadCurve], series: Mapping[str, Series]) -> Chart | None:
    """Throughput over the requests in flight; None with fewer than two loads."""
    rows = [_row(c, p) for c in curves for p in c.points if p.throughput.value]
    if len({row["in_flight"] for row in rows}) < 2:
        return None
    names = list(dict.fromkeys(row["contender"] for row in rows))
    up = theme.extent([value for row in rows for value in (row["low"], row["high"])], include=[0.0])
    loads = sorted({row["in_flight"] for row in rows})
    base = alt.Chart(theme.data(rows)).encode(
        x=alt.X(
            "in_flight:Q",
            scale=alt.Scale(type="log", base=2, domain=[loads[0] / 1.1, loads[-1] * 1.1], nice=False),
            axis=alt.Axis(title="requests in flight", values=loads, format="d"),
        ),
        color=theme.colour(series, names),
    )
    y = alt.Y("throughput:Q", scale=up.scale(), axis=up.axis("throughput (inferences/s)"))
    layers = alt.layer(
        base.mark_line(strokeWidth=1.5, opacity=0.7).encode(
            y=y, detail="setting:N", strokeDash=theme.dash(series, names)
        ),
        base.mark_rule(strokeWidth=1.2).encode(y=alt.Y("low:Q", scale=up.scale()), y2="high:Q"),
        base.mark_point(size=60, filled=True, opacity=1).encode(
            y=y, shape=theme.shape(series, names), tooltip=_tooltips("", "")
        ),
    )
    return Chart(
        name="scaling",
        title="Throughput over load",
        caption="Where a line stops rising the engine is saturated; more requests in flight only wait longer.",
        label=f"Throughput over the requests in flight of {', '.join(names)}; figures in the table above.",
        spec=theme.finish(layers, 240),
        drawn=tuple(names),
    )


def _latency(point: LoadPoint, metric: str) -> float | None:
    value: float | None = {"p50": point.p50, "p90": point.p90, "p99": point.p99}[metric].value
    return value


def _row(curve: LoadCurve, point: LoadPoint) -> theme.Row:
    value = point.throughput.value or 0.0
    low, high = point.throughput.low, point.throughput.high
    return {
        "contender": curve.contender,
        "setting": f"{curve.contender} {point.batch} {point.threads}",
        "batch": point.batch,
        "threads": point.threads,
        "in_flight": point.in_flight,
        "throughput": samples.rounded(value),
        "low": samples.rounded(low if low is not None else value),
        "high": samples.rounded(high if high is not None else value),
        "mark": "best" if point.result_id == curve.best else "",
    }


def _tooltips(metric: str, unit: str) -> list[Any]:
    found = [
        alt.Tooltip("contender:N"),
        alt.Tooltip("in_flight:Q", title="in flight"),
        alt.Tooltip("batch:Q"),
        alt.Tooltip("threads:Q"),
        alt.Tooltip("throughput:Q", title="inferences/s", format=".4~g"),
    ]
    if metric:
        found.append(alt.Tooltip("latency:Q", title=f"{metric}, {unit}", format=".4~g"))
    return found


def _table(curves: Sequence[LoadCurve]) -> DataTable:
    headers = (
        "contender",
        "in flight",
        "batch",
        "threads",
        "throughput",
        "p50",
        "p90",
        "p99",
        "memory",
        "Little",
        "",
    )
    rows = []
    for curve in curves:
        for point in curve.points:
            marks = [
                w for w, chosen in (("best", curve.best), ("knee", curve.knee)) if chosen == point.result_id
            ]
            throughput = fmt.figure(point.throughput, "per_second")
            latencies = [fmt.figure(each, "seconds") for each in (point.p50, point.p90, point.p99)]
            rows.append(
                (
                    curve.contender,
                    str(point.in_flight),
                    str(point.batch),
                    str(point.threads),
                    f"{throughput.text} {throughput.interval}".strip(),
                    *(f"{figure.text} {figure.interval}".strip() for figure in latencies),
                    fmt.figure(point.memory, "bytes").text,
                    f"{point.little:.3f}" if point.little is not None else fmt.NOT_AVAILABLE,
                    " ".join(marks) or point.rejected,
                )
            )
    return DataTable("Every point of every curve", headers, tuple(rows))

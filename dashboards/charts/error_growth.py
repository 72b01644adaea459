"""Growth of the error along the graph: every tensor's error over its budget, in the order of computing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import Series
from harness.records.layers import LayerSearch, TensorError
from harness.show import numbers as fmt

HEIGHT = 260
ROWS = 60
"""Rows of the table for each contender: those around where its error begins."""
FLOOR = 1e-4
"""Smaller shares of a budget are drawn here: a logarithmic axis has no place for 0."""
CEILING = 1e8
"""Larger ones, and those that are no number, are drawn here."""


def growth_chart(number: int, searches: Sequence[LayerSearch], series: Mapping[str, Series]) -> Chart | None:
    """Errors of all seen tensors of `searches` in one model; None when there are none."""
    seen = [(search, _seen(search)) for search in searches]
    seen = [(search, tensors) for search, tensors in seen if tensors]
    if not seen:
        return None
    names = list(dict.fromkeys(search.contender.text for search, _ in seen))
    rows = [
        {
            "contender": search.contender.text,
            "place": place,
            "tensor": tensor.name,
            "operator": tensor.operator,
            "share": _drawn(tensor),
            "shown": _share(tensor),
            "status": f"{tensor.status} its budget",
            "first": any(found.tensor == tensor.name for found in search.places),
        }
        for search, tensors in seen
        for place, tensor in tensors
    ]
    values = [float(str(row["share"])) for row in rows]
    extent = theme.Extent(min(*values, 0.5) / 1.6, max(*values, 1.0) * 1.6, log=True)
    scale = extent.scale()
    last = max(int(str(row["place"])) for row in rows)
    x = alt.X(
        "place:Q",
        scale=alt.Scale(domain=[0, max(last, 1)], nice=False),
        axis=alt.Axis(title="tensor, in the order of computing", tickCount=6, format="~d"),
    )
    y = alt.Y("share:Q", scale=scale, axis=extent.axis("error over its budget"))
    tooltip = [
        alt.Tooltip("contender:N"),
        alt.Tooltip("tensor:N", title="ONNX tensor"),
        alt.Tooltip("operator:N"),
        alt.Tooltip("shown:N", title="error over its budget"),
        alt.Tooltip("status:N", title="verdict"),
    ]
    base = alt.Chart(theme.data(rows)).encode(x=x, y=y, color=theme.colour(series, names), tooltip=tooltip)
    budget = (
        alt.Chart(theme.data([{"one": 1}]))
        .mark_rule(color=theme.MUTED, strokeDash=[4, 3])
        .encode(y=alt.Y("one:Q", scale=scale))
    )
    layers = alt.layer(
        budget,
        base.mark_line(strokeWidth=1, opacity=0.6).encode(strokeDash=theme.dash(series, names)),
        base.transform_filter("!datum.first").mark_point(filled=True, size=22, opacity=1),
        base.transform_filter("datum.first")
        .mark_point(filled=True, size=150, opacity=1)
        .encode(shape=theme.shape(series, names)),
    )
    return Chart(
        name=f"growth-{number}",
        title="Growth of the error along the graph",
        caption=(
            "Every tensor that could be seen: the larger of its errors (root mean square, largest value) over its"
            " budget. Above the dashed line it is beyond. Large marks: where an error begins. The ends of the axis,"
            f" which is logarithmic, gather what lies below {FLOOR:g} and above {CEILING:g}."
        ),
        label=f"Growth of the error for {', '.join(names)}. The table below holds the figures.",
        spec=theme.finish(layers, HEIGHT),
        drawn=tuple(names),
        table=_table(seen),
    )


def _seen(search: LayerSearch) -> list[tuple[int, TensorError]]:
    return [
        (place, tensor)
        for place, tensor in enumerate(search.tensors)
        if tensor.status in ("within", "beyond") and tensor.excess is not None
    ]


def _drawn(tensor: TensorError) -> float:
    excess = tensor.excess if tensor.excess is not None else 0.0
    return CEILING if math.isnan(excess) else min(max(excess, FLOOR), CEILING)


def _share(tensor: TensorError) -> str:
    return tensor.reason or fmt.quantity(tensor.excess, "ratio")


def _table(seen: Sequence[tuple[LayerSearch, list[tuple[int, TensorError]]]]) -> DataTable:
    rows: list[tuple[str, ...]] = []
    cut = False
    for search, tensors in seen:
        firsts = {found.tensor for found in search.places}
        middle = next((i for i, (_, tensor) in enumerate(tensors) if tensor.name in firsts), 0)
        start = max(0, min(middle - ROWS // 2, len(tensors) - ROWS))
        cut = cut or len(tensors) > ROWS
        rows += [
            (
                tensor.name,
                tensor.operator,
                search.contender.text,
                f"{tensor.status} its budget" + (", where it begins" if tensor.name in firsts else ""),
                fmt.quantity(tensor.ratio_rms, "ratio"),
                fmt.quantity(tensor.budget_rms, "ratio"),
                fmt.quantity(tensor.ratio_max, "ratio"),
                fmt.quantity(tensor.budget_max, "ratio"),
            )
            for _, tensor in tensors[start : start + ROWS]
        ]
    words = "Error of tensors in the order of computing, in units of the yardstick's own"
    return DataTable(
        f"{words}; {ROWS} a contender, around where it begins" if cut else words,
        (
            "ONNX tensor",
            "operator",
            "contender",
            "verdict",
            "error (rms)",
            "budget (rms)",
            "error (max)",
            "budget (max)",
        ),
        tuple(rows),
    )

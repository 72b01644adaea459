"""Parity: the error of every output and input set in units of the yardstick's own, against its budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt

from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import Series
from harness.records import OutputParity, Result
from harness.show import numbers as fmt

ROWS = 40
"""Rows drawn, one for each contender at each output and input set: the places nearest to their budgets or beyond.
The table holds all."""
ROW_LABEL = 26
FLOOR = 0.1
"""Smaller errors are drawn here: a logarithmic axis has no place for 0."""


def parity_chart(results: Sequence[Result], series: Mapping[str, Series]) -> Chart | None:
    """Errors against budgets; None when no output was judged."""
    return budget_chart(
        [
            (result.case.contender.text, _place(output), output)
            for result in results
            if result.parity is not None
            for output in result.parity.outputs
        ],
        series,
    )


def budget_chart(
    judged: Sequence[tuple[str, str, OutputParity]], series: Mapping[str, Series]
) -> Chart | None:
    """Errors against budgets, for each contender at each place; None when nothing has a figure."""
    if not judged:
        return None
    table = DataTable(
        "Error of every output and input set, in units of the yardstick's own",
        (
            "contender",
            "output, input set",
            "verdict",
            "error (rms)",
            "budget (rms)",
            "error (max)",
            "budget (max)",
            "cosine",
            "top-1",
        ),
        tuple(_table_row(name, place, output) for name, place, output in judged),
    )
    drawable = [entry for entry in judged if _drawable(entry[2])]
    if not drawable:
        return None
    worst: dict[str, float] = {}
    for _, place, output in drawable:
        worst[place] = max(worst.get(place, 0.0), _share_of_budget(output))
    names = list(dict.fromkeys(name for name, _, _ in drawable))
    places = max(2, ROWS // len(names))
    shown = sorted(worst, key=lambda place: -worst[place])[:places]
    rows = [row for name, place, output in drawable if place in shown for row in _rows(name, place, output)]
    body = 14 * len(names)
    values = [float(row[key]) for row in rows for key in ("error", "budget")]
    low, high = min(*values, 0.5), max(values)
    extent = theme.Extent(low / 1.6, high * 1.6, log=True)
    scale = extent.scale()
    axis = extent.axis("error, in units of the yardstick's own", format=",~g")
    y = alt.Y("place:N", sort=shown, axis=None, scale=theme.label_room(ROW_LABEL, body))
    tooltip = [
        alt.Tooltip("contender:N"),
        alt.Tooltip("place:N", title="where"),
        alt.Tooltip("measure:N"),
        alt.Tooltip("shown:N", title="error"),
        alt.Tooltip("budget:Q", title="budget", format=".3~g"),
        alt.Tooltip("status:N", title="verdict"),
    ]
    base = alt.Chart(theme.data(rows)).encode(
        y=y,
        yOffset=alt.YOffset("contender:N", sort=names),
        color=theme.colour(series, names),
        tooltip=tooltip,
    )
    own = alt.Chart(theme.data([{"one": 1}])).mark_rule(color=theme.MUTED, strokeDash=[2, 2])
    rms, largest = "datum.measure == 'rms'", "datum.measure == 'max'"
    layers = alt.layer(
        own.encode(x=alt.X("one:Q", scale=scale, axis=axis)),
        base.transform_filter(rms)
        .mark_tick(thickness=3, size=13, opacity=1)
        .encode(x=alt.X("budget:Q", scale=scale)),
        base.transform_filter(largest)
        .mark_tick(thickness=1, size=13, opacity=1)
        .encode(x=alt.X("budget:Q", scale=scale)),
        base.transform_filter(rms)
        .mark_point(filled=True, size=70, opacity=1)
        .encode(x=alt.X("error:Q", scale=scale), shape=theme.shape(series, names)),
        base.transform_filter(largest)
        .mark_point(filled=False, size=55, opacity=1, strokeWidth=1.5)
        .encode(x=alt.X("error:Q", scale=scale), shape=theme.shape(series, names)),
        theme.row_label([{"place": place} for place in shown], "place", shown, above=3),
    )
    cut = (
        f" Drawn: the {len(shown)} of {len(worst)} places nearest to their budgets."
        if len(worst) > len(shown)
        else ""
    )
    undrawn = len(judged) - len(drawable)
    missing = (
        f" {undrawn} of {len(judged)} comparisons have no finite error and are only in the table."
        if undrawn
        else ""
    )
    return Chart(
        name="parity",
        title="Error against the budget",
        caption=(
            "Error against the float64 reference; 1 (dotted) is the yardstick's own error. Filled: root mean square;"
            " open: largest element. Upright strokes: the budgets (thick for root mean square, thin for the largest)."
            " A mark right of its stroke is over budget. The axis is logarithmic; errors below"
            f" {FLOOR:g} are drawn at {FLOOR:g}." + cut + missing
        ),
        label="Errors against budgets for " + ", ".join(names) + ". The table below holds the figures.",
        spec=theme.finish(layers, len(shown) * (ROW_LABEL + body)),
        drawn=tuple(names),
        table=table,
    )


def _place(output: OutputParity) -> str:
    return f"{output.output} · {output.input_set}"


def _drawable(output: OutputParity) -> bool:
    return any(value is not None and math.isfinite(value) for value in (output.ratio_rms, output.ratio_max))


def _share_of_budget(output: OutputParity) -> float:
    pairs = ((output.ratio_rms, output.budget_rms), (output.ratio_max, output.budget_max))
    return max(ratio / budget for ratio, budget in pairs if ratio is not None and budget > 0)


def _rows(name: str, place: str, output: OutputParity) -> list[theme.Row]:
    pairs = (("rms", output.ratio_rms, output.budget_rms), ("max", output.ratio_max, output.budget_max))
    return [
        {
            "contender": name,
            "place": place,
            "measure": measure,
            "error": max(ratio, FLOOR),
            "shown": fmt.quantity(ratio, "ratio"),
            "budget": max(budget, FLOOR),
            "status": output.status,
        }
        for measure, ratio, budget in pairs
        if ratio is not None and math.isfinite(ratio)
    ]


def _table_row(name: str, place: str, output: OutputParity) -> tuple[str, ...]:
    verdict = f"{output.status}: {output.reason}" if output.reason else output.status
    return (
        name,
        place,
        verdict,
        fmt.quantity(output.ratio_rms, "ratio"),
        fmt.exact(output.budget_rms, "ratio"),
        fmt.quantity(output.ratio_max, "ratio"),
        fmt.exact(output.budget_max, "ratio"),
        "n/a" if output.cosine is None else f"{output.cosine:.6f}",
        "n/a" if output.top1_agreement is None else fmt.share(output.top1_agreement),
    )

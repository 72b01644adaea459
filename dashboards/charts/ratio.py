"""Forest plot: the ratio of every pair with its intervals, against the margin inside which a difference is none."""

from __future__ import annotations

import math

import altair as alt

from dashboards.bidi import isolated
from dashboards.charts import theme
from dashboards.charts.chart import Chart
from harness.judge.comparison import Group, PairVerdict
from harness.show import numbers as fmt

ROW_LABEL = 28
BODY = 12


def ratio_chart(group: Group) -> Chart | None:
    """Ratios of the group's pairs; None when no pair has one. The page lists them all in a table beside it."""
    pairs = [pair for pair in group.pairs if pair.ratio.value is not None and math.isfinite(pair.ratio.value)]
    if not pairs:
        return None
    rows = [_row(pair) for pair in pairs]
    order = [str(row["pair"]) for row in rows]
    margin = max(pair.margin for pair in pairs)
    band = [{"from": 1 / (1 + margin), "to": 1 + margin}]
    ends = [
        float(row[key])
        for row in rows
        for key in ("ratio", "low", "high", "from", "to")
        if row[key] is not None
    ]
    extent = theme.extent(ends, include=(1 / (1 + 2 * margin), 1 + 2 * margin))
    scale = extent.scale()
    y = alt.Y("pair:N", sort=order, axis=None, scale=theme.label_room(ROW_LABEL, BODY))
    x_axis = extent.axis("latency ratio", labelExpr="datum.label + '×'")
    base = alt.Chart(theme.data(rows))
    tooltip = [
        alt.Tooltip("pair:N", title="pair"),
        alt.Tooltip("shown:N", title="ratio"),
        alt.Tooltip("verdict:N", title="verdict"),
    ]
    x = alt.X("ratio:Q", scale=scale, axis=x_axis)
    layers = alt.layer(
        alt.Chart(theme.data(band))
        .mark_rect(color=theme.BAND)
        .encode(x=alt.X("from:Q", scale=scale), x2="to:Q"),
        alt.Chart(theme.data([{"one": 1}]))
        .mark_rule(color=theme.MUTED)
        .encode(x=alt.X("one:Q", scale=scale)),
        base.mark_rule(color=theme.INK, strokeWidth=1.5).encode(
            y=y, x=alt.X("from:Q", scale=scale), x2="to:Q"
        ),
        base.mark_bar(color=theme.ACCENT, height=7, cornerRadius=3.5).encode(
            y=y, x=alt.X("low:Q", scale=scale), x2="high:Q", tooltip=tooltip
        ),
        base.mark_point(size=70, filled=True, opacity=1, stroke=theme.PAPER, strokeWidth=2).encode(
            y=y,
            x=x,
            color=alt.Color(
                "settled:N",
                legend=None,
                scale=alt.Scale(domain=[True, False], range=[theme.INK, theme.MUTED]),
            ),
            tooltip=tooltip,
        ),
        theme.row_label(rows, "pair", order),
    )
    words = "; ".join(f"{row['pair']}: {row['shown']}, {row['verdict']}" for row in rows)
    return Chart(
        name="ratio",
        title="Ratio of latencies",
        caption=(
            "One row a pair: latency of the first divided by latency of the second. Dot: ratio (grey: not"
            " settled). Bar: its interval. Thin line: the interval that decides, wider where several pairs are"
            f" compared at once. Shaded: the margin of {fmt.share(margin)}, inside which a difference counts as none."
            " Right of it, the first is slower; left of it, faster."
        ),
        label=f"Forest plot of latency ratios. {words}.",
        spec=theme.finish(layers, (ROW_LABEL + BODY) * len(rows)),
        drawn=(),
    )


def _row(pair: PairVerdict) -> theme.Row:
    shown = fmt.figure(pair.ratio, "ratio")
    low, high = pair.ratio.low, pair.ratio.high
    return {
        "pair": f"{isolated(pair.a)} ÷ {isolated(pair.b)}",
        "ratio": pair.ratio.value,
        "low": low,
        "high": high,
        "from": pair.decision_low if pair.decision_low is not None else low,
        "to": pair.decision_high if pair.decision_high is not None else high,
        "shown": f"{shown.text} {shown.interval}".strip(),
        "verdict": pair.verdict,
        "settled": pair.verdict not in ("unsettled", "unknown"),
    }

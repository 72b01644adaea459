"""Forest plot: what every contender's accuracy differs by from the reference's, against the margin."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from dashboards.bidi import isolated
from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from harness.judge.accuracy import AccuracyJudgement, MetricFigures
from harness.judge.accuracy.words import NAMES, change, ends, level, plain

ROW_LABEL = 28
BODY = 12
SHARES = ("top-1", "top-5")


def accuracy_chart(judgements: Sequence[AccuracyJudgement]) -> Chart | None:
    """Differences of the deciding metric; None when no contender has one. The table holds all metrics."""
    judged = [
        judgement
        for judgement in judgements
        if judgement.metrics and judgement.metrics[0].difference is not None
    ]
    if not judged:
        return None
    first = judged[0].metrics[0]
    scale_by = 100.0 if first.metric in SHARES else 1.0
    rows = [_row(judgement, scale_by) for judgement in judged]
    order = [str(row["contender"]) for row in rows]
    margin = scale_by * max(judgement.margin for judgement in judged)
    values = [
        float(row[key])
        for row in rows
        for key in ("difference", "low", "high", "from", "to")
        if row[key] is not None
    ]
    extent = theme.extent(values, include=(-1.5 * margin, 1.5 * margin))
    scale = extent.scale()
    unit = "percentage points" if first.metric in SHARES else "of the coefficient"
    axis = extent.axis(f"{NAMES[first.metric]}, contender − reference ({unit})")
    y = alt.Y("contender:N", sort=order, axis=None, scale=theme.label_room(ROW_LABEL, BODY))
    tooltip = [
        alt.Tooltip("contender:N"),
        alt.Tooltip("shown:N", title="difference"),
        alt.Tooltip("verdict:N"),
    ]
    base = alt.Chart(theme.data(rows))
    layers = alt.layer(
        alt.Chart(theme.data([{"from": -margin, "to": margin}]))
        .mark_rect(color=theme.BAND)
        .encode(x=alt.X("from:Q", scale=scale, axis=axis), x2="to:Q"),
        alt.Chart(theme.data([{"none": 0}]))
        .mark_rule(color=theme.MUTED)
        .encode(x=alt.X("none:Q", scale=scale)),
        base.mark_rule(color=theme.INK, strokeWidth=1.5).encode(
            y=y, x=alt.X("from:Q", scale=scale), x2="to:Q"
        ),
        base.mark_bar(color=theme.ACCENT, height=7, cornerRadius=3.5).encode(
            y=y, x=alt.X("low:Q", scale=scale), x2="high:Q", tooltip=tooltip
        ),
        base.mark_point(size=70, filled=True, opacity=1, stroke=theme.PAPER, strokeWidth=2).encode(
            y=y,
            x=alt.X("difference:Q", scale=scale, axis=axis),
            color=alt.Color(
                "settled:N",
                legend=None,
                scale=alt.Scale(domain=[True, False], range=[theme.INK, theme.MUTED]),
            ),
            tooltip=tooltip,
        ),
        theme.row_label(rows, "contender", order),
    )
    words = "; ".join(f"{row['contender']}: {row['shown']}, {row['verdict']}" for row in rows)
    return Chart(
        name="accuracy",
        title="Task accuracy against the reference",
        caption=(
            f"One row a contender: its {NAMES[first.metric]} minus the reference's, on the same items. Dot: difference"
            " (grey: not settled). Bar: its interval. Thin line: the interval that decides, wider where several"
            f" contenders are judged at once. Shaded: the margin of {plain(judged[0].margin, first)}, inside which a"
            " difference counts as none. Left of it, the contender has lost accuracy."
        ),
        label=f"Forest plot of differences in task accuracy. {words}.",
        spec=theme.finish(layers, (ROW_LABEL + BODY) * len(rows)),
        table=_table(judgements),
    )


def _row(judgement: AccuracyJudgement, scale_by: float) -> theme.Row:
    figures = judgement.metrics[0]

    def scaled(value: float | None, instead: float | None = None) -> float | None:
        value = instead if value is None else value
        return None if value is None else scale_by * value

    low, high = figures.difference_low, figures.difference_high
    return {
        "contender": isolated(judgement.contender),
        "difference": scaled(figures.difference),
        "low": scaled(low),
        "high": scaled(high),
        "from": scaled(judgement.decision_low, low),
        "to": scaled(judgement.decision_high, high),
        "shown": _shown(figures),
        "verdict": judgement.verdict,
        "settled": judgement.verdict in ("lost", "same", "gained"),
    }


def _shown(figures: MetricFigures) -> str:
    return f"{change(figures)} {ends(figures.difference_low, figures.difference_high, figures)}".strip()


def _table(judgements: Sequence[AccuracyJudgement]) -> DataTable:
    rows: list[tuple[str, ...]] = []
    for judgement in judgements:
        if not judgement.metrics:
            rows.append((judgement.contender, "n/a", "n/a", "n/a", judgement.words, judgement.verdict))
        for place, figures in enumerate(judgement.metrics):
            difference = _shown(figures)
            rows.append(
                (
                    judgement.contender,
                    NAMES[figures.metric],
                    level(figures.value, figures),
                    level(figures.reference, figures),
                    f"{difference}; {figures.reason}" if figures.reason else difference,
                    judgement.verdict if place == 0 else "told only",
                )
            )
    return DataTable(
        "Task accuracy of every contender and of the reference on the same items",
        ("contender", "metric", "value", "reference", "difference", "verdict"),
        tuple(rows),
    )

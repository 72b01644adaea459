"""Where the time goes: one strip for every contender in the order of computing, and the longest rows side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import COLOURS, Series
from harness.judge.profile.table import ProfileTable, Row
from harness.show import numbers as fmt

ROW_LABEL = 22
STRIP = 26
BAR = 13
LONGEST = 15
FEWEST_COLOURS = 4
OTHER = "other operators"
UNMATCHED = "not matched"


def strip_chart(table: ProfileTable) -> Chart | None:
    """Every row of the table as a piece of its contender's bar; None when no time was told."""
    names = [column.contender for column in table.columns if column.layers_s > 0]
    if not names:
        return None
    scale_by, unit = fmt.unit_for_axis([column.layers_s for column in table.columns], "seconds")
    taken = len(table.columns)
    kinds = _kinds(table, max(FEWEST_COLOURS, COLOURS - taken))
    pieces = [
        piece
        for place, column in enumerate(table.columns)
        if column.layers_s > 0
        for piece in _pieces(table, place, kinds, scale_by)
    ]
    shown = [kind for kind in (*kinds, OTHER, UNMATCHED) if any(piece["kind"] == kind for piece in pieces)]
    # Those of the contenders come last, so that a kind of row does not look like a contender.
    colours = {kind: f"var(--series-{(taken + place) % COLOURS})" for place, kind in enumerate(kinds)}
    colours |= {OTHER: theme.MUTED, UNMATCHED: theme.GRID}
    bars = (
        alt.Chart(theme.data(pieces))
        .mark_bar(height=STRIP - 4, stroke=theme.PAPER, strokeWidth=0.5)
        .encode(
            y=alt.Y("contender:N", sort=names, axis=None, scale=theme.label_room(ROW_LABEL, STRIP)),
            x=alt.X("from:Q", axis=alt.Axis(title=f"time in one call ({unit})", tickCount=6)),
            x2="to:Q",
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=shown, range=[colours[kind] for kind in shown]),
                legend=alt.Legend(
                    orient="top",
                    title=None,
                    labelColor=theme.INK,
                    labelFontSize=12,
                    labelLimit=220,
                    columns=2,
                    symbolType="square",
                ),
            ),
            tooltip=[
                alt.Tooltip("contender:N"),
                alt.Tooltip("row:N", title="ONNX tensor"),
                alt.Tooltip("operators:N"),
                alt.Tooltip("kernels:N", title="layers"),
                alt.Tooltip("shown:N", title="time"),
            ],
        )
    )
    layers = alt.layer(
        bars, theme.row_label([{"contender": name} for name in names], "contender", names, above=1)
    )
    lines = -(-len(shown) // 2)
    return Chart(
        name="strip",
        title="One call, layer by layer",
        caption=(
            "Every piece is a row of the table below, in the order of computing; its width is the time that the engine"
            " itself tells. Colours are kinds of rows; what belongs to no ONNX node stands at the end."
        ),
        label=f"Time of one call by layer for {', '.join(names)}. The table of all rows holds the figures.",
        spec=theme.finish(layers, (ROW_LABEL + STRIP) * len(names) + 18 * lines),
    )


def _kinds(table: ProfileTable, most: int) -> tuple[str, ...]:
    """The kinds of rows that get a colour: those that take most."""
    return tuple(row.operators for row in table.kinds[:most] if any(c.share >= 0.01 for c in row.cells))


def _pieces(table: ProfileTable, place: int, kinds: Sequence[str], scale_by: float) -> list[theme.Row]:
    pieces: list[theme.Row] = []
    start = 0.0

    def add(row: str, operators: str, kind: str, seconds: float, share: float, layers: int) -> None:
        nonlocal start
        end = start + seconds / scale_by
        pieces.append(
            {
                "contender": table.columns[place].contender,
                "row": row,
                "operators": operators,
                "kind": kind,
                "kernels": str(layers),
                "from": round(start, 6),
                "to": round(end, 6),
                "shown": f"{fmt.quantity(seconds, 'seconds')}, {fmt.share(share, 2)}",
            }
        )
        start = end

    for row in table.rows:
        cell = row.cells[place]
        if cell.seconds > 0:
            kind = row.operators if row.operators in kinds else OTHER
            add(row.name, row.operators, kind, cell.seconds, cell.share, cell.ran)
    rest = table.columns[place].unmatched
    if rest.seconds > 0:
        add(UNMATCHED, "", UNMATCHED, rest.seconds, rest.share, rest.ran)
    return pieces


def longest_chart(table: ProfileTable, series: Mapping[str, Series]) -> Chart | None:
    """The rows that take most, one bar a contender; None without rows that took time."""
    rows = longest_rows(table, LONGEST)
    names = [column.contender for column in table.columns]
    if not rows:
        return None
    times = [cell.seconds for row in rows for cell in row.cells if cell.seconds > 0]
    scale_by, unit = fmt.unit_for_axis(times, "seconds")
    labels = [_label(row) for row in rows]
    data = [
        {
            "row": label,
            "contender": name,
            "time": round(cell.seconds / scale_by, 6),
            "shown": f"{fmt.quantity(cell.seconds, 'seconds')}, {fmt.share(cell.share, 2)}",
        }
        for row, label in zip(rows, labels, strict=True)
        for name, cell in zip(names, row.cells, strict=True)
        if cell.ran
    ]
    bars = (
        alt.Chart(theme.data(data))
        .mark_bar(stroke=theme.PAPER, strokeWidth=1)
        .encode(
            y=alt.Y("row:N", sort=labels, axis=None, scale=theme.label_room(ROW_LABEL, BAR * len(names))),
            yOffset=alt.YOffset("contender:N", sort=names),
            x=alt.X("time:Q", axis=alt.Axis(title=f"time in one call ({unit})", tickCount=6)),
            color=theme.colour(series, names),
            tooltip=[
                alt.Tooltip("contender:N"),
                alt.Tooltip("row:N", title="row"),
                alt.Tooltip("shown:N", title="time"),
            ],
        )
    )
    layers = alt.layer(bars, theme.row_label([{"row": label} for label in labels], "row", labels, above=1))
    return Chart(
        name="longest",
        title=f"The longest {len(rows)} rows",
        caption=(
            "Rows by the largest share that they take of any contender's layers, in the order of computing. A row is a"
            " group of ONNX nodes that are whole layers in every engine."
        ),
        label=f"Longest rows of {', '.join(names)}. The table below holds the figures.",
        spec=theme.finish(layers, (ROW_LABEL + BAR * len(names)) * len(rows)),
        drawn=tuple(names),
        table=DataTable(
            "Longest rows, time in one call",
            ("row", *names),
            tuple(
                (label, *(fmt.quantity(c.seconds, "seconds") if c.ran else "not run" for c in row.cells))
                for row, label in zip(rows, labels, strict=True)
            ),
        ),
    )


def longest_rows(table: ProfileTable, most: int) -> list[Row]:
    """At most `most` rows with the largest shares, in the order of computing."""
    timed = [row for row in table.rows if any(cell.seconds > 0 for cell in row.cells)]
    ranked = sorted(timed, key=lambda row: -max(cell.share for cell in row.cells))[:most]
    kept = {row.nodes for row in ranked}
    return [row for row in timed if row.nodes in kept]


def _label(row: Row) -> str:
    return f"{row.name} ({row.operators})"

"""Where in a tensor the error sits: a grid whose cells are the stronger in colour the larger their largest error."""

from __future__ import annotations

import math

import altair as alt

from dashboards.charts import theme
from dashboards.charts.chart import Chart
from harness.records import OutputParity
from harness.records.parity_figures import ErrorPicture, PictureAxis
from harness.show import numbers as fmt

CELL = 12
LOWEST, HIGHEST = 60, 360
DECADES = 4.0
"""Errors this many powers of ten below the largest are drawn as none."""


def picture_chart(number: int, contender: str, output: OutputParity) -> Chart | None:
    """The error picture of one output; None where it has none, or no error at all."""
    picture = output.picture
    if picture is None:
        return None
    errors = [cell for row in picture.cells for cell in row if cell is not None and math.isfinite(cell)]
    broken = sum(cell is None or not math.isfinite(cell) for row in picture.cells for cell in row)
    largest = max(errors, default=0.0)
    if largest <= 0 and not broken:
        return None
    rows = [
        {
            "row": place,
            "column": across,
            "shade": _shade(cell, largest),
            "kind": "not finite" if cell is None else "error",
            "shown": "not finite" if cell is None else fmt.significant(cell, 3),
            "where": f"{_range(picture.rows, place)}, {_range(picture.columns, across)}",
        }
        for place, line in enumerate(picture.cells)
        for across, cell in enumerate(line)
    ]
    grid = (
        alt.Chart(theme.data(rows))
        .mark_rect(stroke=theme.GRID, strokeWidth=0.5)
        .encode(
            x=alt.X("column:O", axis=_axis(picture.columns)),
            y=alt.Y("row:O", axis=_axis(picture.rows)),
            fillOpacity=alt.FillOpacity(
                "shade:Q", scale=alt.Scale(domain=[0, 1], range=[0.02, 1]), legend=None
            ),
            fill=alt.Fill(
                "kind:N",
                scale=alt.Scale(domain=["error", "not finite"], range=[theme.ACCENT, "var(--bad)"]),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("where:N"),
                alt.Tooltip("shown:N", title="largest error"),
            ],
        )
    )
    height = min(HIGHEST, max(LOWEST, CELL * len(picture.cells)))
    words = f"up to {fmt.significant(largest, 3)} of the output's size"
    if broken:
        words += f"; {broken} cells hold a value that is not finite"
    return Chart(
        name=f"picture-{number}",
        title=f"Where the error of {contender} sits",
        caption=(
            f"Output {output.output} on {output.input_set}, shape {list(picture.shape)}: largest error of each cell"
            f" over all other axes, {words}. The stronger the colour, the larger, over {DECADES:g} powers of ten. "
            + _says(picture, largest)
        ).strip(),
        label=f"Errors of {contender} in output {output.output} by place: {words}.",
        spec=theme.finish(grid, height),
    )


def _shade(cell: float | None, largest: float) -> float:
    if cell is None or not math.isfinite(cell):
        return 1.0
    if cell <= 0 or largest <= 0:
        return 0.0
    return round(max(0.0, 1 + math.log10(cell / largest) / DECADES), 4)


def _says(picture: ErrorPicture, largest: float) -> str:
    """A hint at what the pattern means, where it is plain: a few rows or columns hold nearly all of the error."""
    cells = [[0.0 if c is None else c for c in line] for line in picture.cells]
    for axis, lines in (
        (picture.rows, cells),
        (picture.columns, [list(c) for c in zip(*cells, strict=True)]),
    ):
        if axis.axis is None or len(lines) < 4:
            continue
        far = [place for place, line in enumerate(lines) if max(line, default=0.0) > 0.1 * largest]
        if 0 < len(far) <= len(lines) // 4:
            where = ", ".join(_range(axis, place) for place in far[:4])
            more = " and others" if len(far) > 4 else ""
            return f"Errors of a tenth of the largest or more are in {where}{more} alone."
    return ""


def _axis(axis: PictureAxis) -> alt.Axis:
    title = "" if axis.axis is None else f"axis {axis.axis}"
    if axis.step > 1:
        title += f", in steps of {axis.step}"
    # Few labels: the places themselves, not the numbers of the cells.
    return alt.Axis(
        title=title or None,
        labelExpr=f"datum.value % 8 === 0 ? datum.value * {axis.step} : ''",
        labelAngle=0,
    )


def _range(axis: PictureAxis, place: int) -> str:
    if axis.axis is None:
        return "all"
    first, last = place * axis.step, min((place + 1) * axis.step, axis.size) - 1
    return f"axis {axis.axis}: {first}" + (f"–{last}" if last > first else "")

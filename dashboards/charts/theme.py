"""What the charts share: colours as CSS custom properties, axes, row labels, and how a chart becomes a dict.

Colours are given as `var(--name)`: the SVG that Vega draws takes them from the page, so that one drawing serves
the light page, the dark page and the printed one. Width is the container's, so that a phone gets its own layout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from dashboards.palette import Series

INK = "var(--ink)"
MUTED = "var(--muted)"
GRID = "var(--grid)"
BAND = "var(--band)"
ACCENT = "var(--accent)"
PAPER = "var(--paper)"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

LOG_BEYOND = 8.0
"""A positive axis that spans more than this factor is logarithmic."""
MANY_DECADES = 500.0

Row = dict[str, Any]


def data(rows: Sequence[Row]) -> Any:
    """Rows as inline data."""
    return alt.InlineData(values=list(rows))


def finish(chart: Any, height: int) -> dict[str, Any]:
    """The specification of `chart` with the container's width, `height` (pixels) and the theme."""
    themed = chart.properties(
        width="container",
        height=height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding", resize=True),
        background="transparent",
    ).configure(
        font=FONT,
        aria=False,  # the page gives the chart one label and its figures as a table
        padding={"left": 2, "right": 12, "top": 4, "bottom": 2},
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=MUTED,
            titleColor=MUTED,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            titlePadding=8,
            gridColor=GRID,
            domain=False,
            ticks=False,
            labelPadding=6,
            labelOverlap=True,
            labelSeparation=6,
        ),
    )
    spec: dict[str, Any] = themed.to_dict()
    return spec


def colour(series: Mapping[str, Series], contenders: Sequence[str], field: str = "contender") -> Any:
    """Colour by contender; the page shows the legend."""
    return alt.Color(
        f"{field}:N",
        scale=alt.Scale(domain=list(contenders), range=[series[name].colour for name in contenders]),
        legend=None,
    )


def shape(series: Mapping[str, Series], contenders: Sequence[str], field: str = "contender") -> Any:
    """Shape by contender."""
    return alt.Shape(
        f"{field}:N",
        scale=alt.Scale(domain=list(contenders), range=[series[name].shape for name in contenders]),
        legend=None,
    )


def dash(series: Mapping[str, Series], contenders: Sequence[str], field: str = "contender") -> Any:
    """Line dash by contender."""
    return alt.StrokeDash(
        f"{field}:N",
        scale=alt.Scale(domain=list(contenders), range=[series[name].dash for name in contenders]),
        legend=None,
    )


@dataclass(frozen=True)
class Extent:
    """The part of an axis that a chart needs."""

    low: float
    high: float
    log: bool

    def scale(self) -> Any:
        """The axis's scale: exactly this extent."""
        kind = {"type": "log"} if self.log else {"zero": False}
        return alt.Scale(domain=[self.low, self.high], nice=False, **kind)

    def axis(self, title: str, **more: Any) -> Any:
        """An axis with few, round ticks."""
        if self.log:
            return alt.Axis(title=title, values=self.ticks(), **{"format": "~g", **more})
        return alt.Axis(title=title, **{"tickCount": 6, **more})

    def ticks(self) -> list[float]:
        """1, 2, 5 of every power of ten on a logarithmic axis; only the powers when it spans many."""
        steps = (1, 2, 5) if self.high / self.low < MANY_DECADES else (1,)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        every = max(1, (last - first) // 8)
        values = [step * 10.0**power for power in range(first, last + 1, every) for step in steps]
        return [value for value in values if self.low <= value <= self.high]


def extent(values: Sequence[float], *, include: Sequence[float] = ()) -> Extent:
    """A little air around `values` and `include`: logarithmic when they span a large factor."""
    finite = [value for value in (*values, *include) if math.isfinite(value)]
    low, high = min(finite), max(finite)
    if low > 0 and high / low > LOG_BEYOND:
        return Extent(low / 1.1, high * 1.1, log=True)
    pad = (high - low) * 0.04 or abs(high) * 0.05 or 1.0
    return Extent(low - pad if low - pad > 0 or low < 0 else 0.0, high + pad, log=False)


def label_room(label: int, body: int) -> Any:
    """A band scale for rows of `body` pixels, each with `label` pixels above it: (label + body) pixels a row."""
    inner = label / (label + body)
    # The outer padding sums up to one label; `align` puts all of it above the first row.
    return alt.Scale(paddingInner=inner, paddingOuter=inner / 2, align=1)


def row_label(rows: Sequence[Row], field: str, order: Sequence[str], *, above: int = 5) -> Any:
    """The name of every row, written above it over the whole width, so that narrow windows keep their plot."""
    return (
        alt.Chart(data(rows))
        .mark_text(
            align="left",
            baseline="bottom",
            dy=-above,
            fontSize=12,
            color=INK,
            limit=alt.ExprRef("width"),
        )
        .encode(
            x=alt.value(0),
            y=alt.Y(f"{field}:N", sort=list(order), bandPosition=0, title=None, axis=None),
            text=alt.Text(f"{field}:N"),
        )
    )

"""How the numbers of an output err: quantiles of the error, and distances in representable numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt

from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import Series
from harness.records import OutputParity
from harness.records.parity_figures import ErrorQuantile
from harness.show import numbers as fmt

HEIGHT = 240
SMALLEST = 1e-12
"""Errors of 0 are drawn here: a logarithmic axis has no place for them."""


def quantile_chart(outputs: Sequence[tuple[str, OutputParity]], series: Mapping[str, Series]) -> Chart | None:
    """Quantiles of the error at the worst place of every contender; None where none has any."""
    known = [
        (name, output) for name, output in outputs if output.diagnostics and output.diagnostics.quantiles
    ]
    if not known:
        return None
    names = list(dict.fromkeys(name for name, _ in known))
    shares = list(dict.fromkeys(q.share for _, output in known for q in _quantiles(output)))
    labels = [_label(share) for share in shares]
    rows = [
        {
            "contender": name,
            "share": _label(quantile.share),
            "error": max(quantile.error, SMALLEST),
            "shown": fmt.significant(quantile.error, 3),
        }
        for name, output in known
        for quantile in _quantiles(output)
    ]
    values = [max(q.error, SMALLEST) for _, output in known for q in _quantiles(output)]
    extent = theme.Extent(min(values) / 1.5, max(values) * 1.5, log=True)
    axis = extent.axis("error over the output's size", format="~e")
    base = alt.Chart(theme.data(rows)).encode(
        x=alt.X(
            "share:N", sort=labels, axis=alt.Axis(title="share of the numbers that err less", labelAngle=0)
        ),
        y=alt.Y("error:Q", scale=extent.scale(), axis=axis),
        color=theme.colour(series, names),
        tooltip=[
            alt.Tooltip("contender:N"),
            alt.Tooltip("share:N", title="share"),
            alt.Tooltip("shown:N", title="error"),
        ],
    )
    layers = alt.layer(
        base.mark_line(strokeWidth=1.5).encode(strokeDash=theme.dash(series, names)),
        base.mark_point(filled=True, size=60, opacity=1).encode(shape=theme.shape(series, names)),
    )
    return Chart(
        name="quantiles",
        title="How the errors are distributed",
        caption=(
            "At the worst place of each contender: the absolute error that a share of the numbers stays below, over"
            " the root mean square of the reference. A steep rise at the end: a few numbers are far off; a level line"
            " high up: all are."
        ),
        label=f"Quantiles of the error of {', '.join(names)}. The table below holds the figures.",
        spec=theme.finish(layers, HEIGHT),
        drawn=tuple(names),
        table=DataTable(
            "Quantiles of the error over the output's size",
            ("contender", "output, input set", *labels),
            tuple(
                (
                    name,
                    f"{output.output} · {output.input_set}",
                    *(_at(output, share) for share in shares),
                )
                for name, output in known
            ),
        ),
    )


def ulp_chart(outputs: Sequence[tuple[str, OutputParity]], series: Mapping[str, Series]) -> Chart | None:
    """Distances in representable numbers at the worst place of every contender; None where none has any."""
    known = [
        (name, output.diagnostics.ulp_counts)
        for name, output in outputs
        if output.diagnostics is not None and output.diagnostics.ulp_counts
    ]
    if not known:
        return None
    names = [name for name, _ in known]
    bins = max(len(counts) for _, counts in known)
    labels = [_bin(place) for place in range(bins)]
    rows = [
        {
            "contender": name,
            "bin": _bin(place),
            "share": count / sum(counts),
            "shown": f"{count:,} ({fmt.share(count / sum(counts))})",
        }
        for name, counts in known
        for place, count in enumerate(counts)
    ]
    base = alt.Chart(theme.data(rows)).encode(
        x=alt.X("bin:N", sort=labels, axis=alt.Axis(title="representable numbers away", labelAngle=0)),
        y=alt.Y("share:Q", axis=alt.Axis(title="share of the numbers", format="~%", tickCount=5)),
        color=theme.colour(series, names),
        tooltip=[
            alt.Tooltip("contender:N"),
            alt.Tooltip("bin:N", title="distance"),
            alt.Tooltip("shown:N", title="numbers"),
        ],
    )
    layers = alt.layer(
        base.mark_line(strokeWidth=1.5, interpolate="step").encode(strokeDash=theme.dash(series, names)),
        base.mark_point(filled=True, size=40, opacity=1).encode(shape=theme.shape(series, names)),
    )
    formats = ", ".join(
        dict.fromkeys(
            o.diagnostics.ulp_dtype for _, o in outputs if o.diagnostics and o.diagnostics.ulp_dtype
        )
    )
    return Chart(
        name="ulp",
        title="How far the numbers are off, in representable numbers",
        caption=(
            f"At the worst place of each contender: numbers by their distance from the right one, counted in the"
            f" numbers of {formats} between the two (ULP). Rounding alone leaves a few; numbers close to 0 may be"
            " many away and still err little."
        ),
        label=f"Distances in representable numbers of {', '.join(names)}. The table below holds the figures.",
        spec=theme.finish(layers, HEIGHT),
        drawn=tuple(names),
        table=DataTable(
            f"Numbers by distance, in representable numbers of {formats}",
            ("distance", *names),
            tuple(
                (_bin(place), *(f"{c[place]:,}" if place < len(c) else "0" for _, c in known))
                for place in range(bins)
            ),
        ),
    )


def _quantiles(output: OutputParity) -> tuple[ErrorQuantile, ...]:
    return output.diagnostics.quantiles if output.diagnostics else ()


def _at(output: OutputParity, share: float) -> str:
    found = [q.error for q in _quantiles(output) if q.share == share]
    return fmt.significant(found[0], 3) if found else "n/a"


def _label(share: float) -> str:
    return "all" if share == 1 else fmt.share(share)


def _bin(place: int) -> str:
    """The distances of a bin: 0, 1, 2–3, 4–7, …; powers of two where they are long."""
    if place < 2:
        return str(place)
    if place > 10:
        return f"2^{place - 1}"
    return f"{2 ** (place - 1)}–{2**place - 1}"

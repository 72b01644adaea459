"""Latency over the rounds of a group beside the canary, so that drift shows and whose drift it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import altair as alt

from dashboards import samples
from dashboards.charts import theme
from dashboards.charts.chart import Chart, DataTable
from dashboards.palette import Series
from harness.records import Result
from harness.show import numbers as fmt

CANARY = "canary"


def rounds_chart(results: Sequence[Result], series: Mapping[str, Series]) -> Chart | None:
    """Median of every block relative to the contender's own, by round; None when nothing was measured."""
    found = [(result.case.contender.text, samples.block_medians(result)) for result in results]
    found = [(name, blocks) for name, blocks in found if blocks]
    if not found:
        return None
    names = [name for name, _ in found]
    places = samples.round_places(results)
    rows: list[theme.Row] = []
    for name, blocks in found:
        middle = median(block.median for block in blocks)
        rows.extend(
            {
                "contender": name,
                "round": places[block.trial, block.round],
                "trial": block.trial + 1,
                "relative": samples.rounded(block.median / middle) if middle else 1.0,
                "shown": fmt.quantity(block.median, "seconds"),
            }
            for block in blocks
        )
    canary = _canary_rows(found, places)
    edges = _trial_starts(places)
    values = [float(row["relative"]) for row in (*rows, *canary)]
    extent = theme.extent(values, include=(0.95, 1.05))
    x = alt.X(
        "round:Q",
        axis=alt.Axis(title="round, in the order measured", format="d", tickMinStep=1, grid=False),
        scale=alt.Scale(domain=[0.5, len(places) + 0.5], nice=False, zero=False),
    )
    y = alt.Y(
        "relative:Q",
        scale=extent.scale(),
        axis=extent.axis("block median, own median = 100 %", format="%", tickCount=5),
    )
    tooltip = [
        alt.Tooltip("contender:N", title="of"),
        alt.Tooltip("trial:O"),
        alt.Tooltip("round:Q"),
        alt.Tooltip("shown:N", title="median"),
        alt.Tooltip("relative:Q", title="relative", format=".1%"),
    ]
    layers = [
        alt.Chart(theme.data(edges))
        .mark_rule(color=theme.GRID, strokeDash=[2, 2])
        .encode(x=alt.X("edge:Q", scale=alt.Scale(domain=[0.5, len(places) + 0.5], nice=False, zero=False))),
        alt.Chart(theme.data(rows))
        .mark_line(strokeWidth=1.8)
        .encode(
            x=x,
            y=y,
            detail="trial:N",
            color=theme.colour(series, names),
            strokeDash=theme.dash(series, names),
        ),
        alt.Chart(theme.data(rows))
        .mark_point(filled=True, size=28, opacity=1)
        .encode(
            x=x, y=y, color=theme.colour(series, names), shape=theme.shape(series, names), tooltip=tooltip
        ),
    ]
    if canary:
        layers.insert(
            1,
            alt.Chart(theme.data(canary))
            .mark_line(strokeWidth=5, opacity=0.35, color=theme.MUTED)
            .encode(x=x, y=y, detail="trial:N", tooltip=tooltip),
        )
    table = DataTable(
        "Median of every block",
        ("round", "trial", *names, *([CANARY] if canary else [])),
        _table_rows(places, rows, canary, names),
    )
    about_canary = (
        " Wide grey: the canary, a fixed piece of work measured in every round; where it rises too, the machine was"
        " slow, not the engine."
        if canary
        else " No canary was recorded, so a slow machine cannot be told from a slow engine here."
    )
    return Chart(
        name="rounds",
        title="Latency over the rounds",
        caption=(
            "Median of each block relative to the contender's own median. A level line is a steady machine; dotted"
            " lines mark where fresh processes start." + about_canary
        ),
        label="Latency over the rounds for " + ", ".join(names) + ". The table below holds the figures.",
        spec=theme.finish(alt.layer(*layers), 240),
        drawn=tuple(names),
        table=table,
    )


def _canary_rows(
    found: Sequence[tuple[str, Sequence[samples.BlockMedian]]], places: Mapping[tuple[int, int], int]
) -> list[theme.Row]:
    """The canary's median of every round over the contenders, relative to its median over all rounds."""
    by_round: dict[tuple[int, int], list[float]] = {}
    for _, blocks in found:
        for block in blocks:
            if block.canary is not None:
                by_round.setdefault((block.trial, block.round), []).append(block.canary)
    if not by_round:
        return []
    medians = {key: median(values) for key, values in sorted(by_round.items())}
    middle = median(medians.values())
    return [
        {
            "contender": CANARY,
            "round": places[key],
            "trial": key[0] + 1,
            "relative": samples.rounded(value / middle) if middle else 1.0,
            "shown": fmt.quantity(value, "seconds"),
        }
        for key, value in medians.items()
    ]


def _trial_starts(places: Mapping[tuple[int, int], int]) -> list[theme.Row]:
    firsts: dict[int, int] = {}
    for (trial, _), place in places.items():
        firsts[trial] = min(place, firsts.get(trial, place))
    return [{"edge": place - 0.5} for place in sorted(firsts.values()) if place > 1]


def _table_rows(
    places: Mapping[tuple[int, int], int],
    rows: Sequence[theme.Row],
    canary: Sequence[theme.Row],
    names: Sequence[str],
) -> tuple[tuple[str, ...], ...]:
    # Keyed apart, so that a contender that happens to be called "canary" keeps its own figures.
    shown = {(str(row["contender"]), int(row["round"])): str(row["shown"]) for row in rows}
    canaries = {int(row["round"]): str(row["shown"]) for row in canary}
    return tuple(
        (
            str(place),
            str(trial + 1),
            *(shown.get((name, place), "n/a") for name in names),
            *([canaries.get(place, "n/a")] if canary else []),
        )
        for (trial, _), place in places.items()
    )

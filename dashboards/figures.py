"""The tables of a group: every contender's figures, and every pair's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboards import words
from dashboards.palette import Series
from harness.judge.comparison import ContenderSummary, PairVerdict
from harness.judge.metrics import SECTIONS, SPEED, Metric
from harness.records import Result
from harness.show import numbers as fmt


@dataclass(frozen=True)
class Cell:
    """One figure in a table, under its column's name."""

    column: str
    figure: fmt.Figure


@dataclass(frozen=True)
class ContenderRow:
    """One contender's figures. `nothing`: why it has none at all; then there are no cells."""

    series: Series
    version: str
    cells: tuple[Cell, ...]
    parity: str
    parity_tone: words.Tone
    parity_figure: str
    nothing: str = ""


@dataclass(frozen=True)
class FigureTable:
    """A table of contenders by figures."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[ContenderRow, ...]
    with_parity: bool


@dataclass(frozen=True)
class PairRow:
    """One pair with its verdict."""

    a: Series
    b: Series
    ratio: fmt.Figure
    decision: str
    decision_confidence: str
    verdict: str
    tone: words.Tone
    sentence: str
    advice: str
    caveat: str
    """Why the ratio does not count: a side of the pair computes the wrong thing, or may."""
    rounds: int


def figure_tables(
    contenders: Sequence[ContenderSummary], results: Mapping[str, Result], series: Mapping[str, Series]
) -> tuple[FigureTable, ...]:
    """A table for each section of metrics, so that each fits a page; parity stands with the speed."""
    return tuple(
        _table(title, metrics, contenders, results, series, with_parity=metrics is SPEED)
        for title, metrics in SECTIONS
    )


def pair_rows(
    pairs: Sequence[PairVerdict], contenders: Sequence[ContenderSummary], series: Mapping[str, Series]
) -> tuple[PairRow, ...]:
    """Every pair, in the order judged."""
    parity = {summary.contender: summary.parity for summary in contenders}
    idle = {summary.contender for summary in contenders if summary.work in ("fail", "doubt")}
    return tuple(
        PairRow(
            a=series[pair.a],
            b=series[pair.b],
            ratio=fmt.figure(pair.ratio, "ratio"),
            decision=fmt.interval(pair.decision_low, pair.decision_high, pair.ratio.value),
            decision_confidence=fmt.share(pair.decision_confidence, 4),
            verdict=pair.verdict,
            tone=words.VERDICT_TONES[pair.verdict] if parity[pair.a] == parity[pair.b] == "pass" else "plain",
            sentence=pair.words,
            advice=pair.advice,
            caveat=pair.against
            if {pair.a, pair.b} & idle
            else words.caveat({name: parity[name] for name in (pair.a, pair.b)}),
            rounds=pair.rounds,
        )
        for pair in pairs
    )


def _table(
    caption: str,
    columns: Sequence[Metric],
    contenders: Sequence[ContenderSummary],
    results: Mapping[str, Result],
    series: Mapping[str, Series],
    *,
    with_parity: bool,
) -> FigureTable:
    rows = []
    for summary in contenders:
        cells = tuple(Cell(m.label, fmt.figure(m.of(summary), m.kind)) for m in columns)
        result = results.get(summary.result_id)
        # One sentence over the whole row reads better than the same reason in every cell.
        empty = summary.status != "measured" and all(cell.figure.missing for cell in cells)
        rows.append(
            ContenderRow(
                series=series[summary.contender],
                version=summary.engine_version,
                cells=() if empty else cells,
                parity=summary.parity,
                parity_tone=words.PARITY_TONES[summary.parity],
                parity_figure=_parity_figure(summary, result),
                nothing=_why_nothing(summary) if empty else "",
            )
        )
    return FigureTable(caption, tuple(metric.label for metric in columns), tuple(rows), with_parity)


def _why_nothing(summary: ContenderSummary) -> str:
    state = words.STATUS_WORDS[summary.status]
    return f"{state}: {summary.reason}" if summary.reason else state


def _parity_figure(summary: ContenderSummary, result: Result | None) -> str:
    if summary.parity_ratio is not None:
        return f"{fmt.quantity(summary.parity_ratio, 'ratio')} the yardstick's error"
    if summary.parity == "pass" and result is not None and result.parity is not None:
        return "no rounding involved"
    return summary.parity_where or summary.reason or "no figure"

"""The diagnostics of an output as text, one entry a figure, for the terminal and the page alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.records.parity_figures import Diagnostics
from harness.show.numbers import share, significant


@dataclass(frozen=True)
class ParityFigure:
    """One figure: its label, what it means, and its text; empty where the output has no such figure."""

    label: str
    meaning: str
    text: Callable[[Diagnostics], str]


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else significant(value, digits)


def _near_one(value: float | None) -> str:
    """A figure whose distance from 1 is what matters."""
    if value is None:
        return ""
    if value == 1:
        return "1"
    distance = 1 - value
    return f"1 − {significant(distance, 2)}" if 0 < distance < 1e-3 else significant(value, 4)


def _at(value: float | None, index: tuple[int, ...] | None) -> str:
    if value is None:
        return ""
    return significant(value, 3) + (f" at {list(index)}" if index else "")


def _count(value: int, reference: int) -> str:
    return f"{value:,}" + (f" (reference {reference:,})" if reference else "") if value or reference else ""


def _share(value: float | None) -> str:
    return "" if value is None else share(value)


def _quantile(at: float) -> Callable[[Diagnostics], str]:
    def text(figures: Diagnostics) -> str:
        return next((significant(q.error, 3) for q in figures.quantiles if q.share == at), "")

    return text


FIGURES = (
    ParityFigure("cosine", "of the angle between output and reference", lambda d: _near_one(d.cosine)),
    ParityFigure(
        "SQNR", "signal to error", lambda d: "" if d.sqnr_db is None else f"{significant(d.sqnr_db, 3)} dB"
    ),
    ParityFigure("largest error", "absolute", lambda d: _at(d.max_abs, d.max_abs_index)),
    ParityFigure("largest relative error", "of one number", lambda d: _at(d.max_rel, d.max_rel_index)),
    ParityFigure(
        "largest distance",
        "in representable numbers (ULP)",
        lambda d: "" if d.ulp_max is None else f"{d.ulp_max:,} ULP of {d.ulp_dtype}",
    ),
    ParityFigure("same first place", "top-1 over the last axis", lambda d: _share(d.top1)),
    ParityFigure("first place among five", "top-5 over the last axis", lambda d: _share(d.top5)),
    ParityFigure("rank correlation", "Spearman's", lambda d: _near_one(d.rank_correlation)),
    ParityFigure("median error", "over the output's size", _quantile(0.5)),
    ParityFigure("99 % of errors below", "over the output's size", _quantile(0.99)),
    ParityFigure("99.9 % of errors below", "over the output's size", _quantile(0.999)),
    ParityFigure("NaN", "numbers", lambda d: _count(d.nan, d.reference_nan)),
    ParityFigure("infinite", "numbers", lambda d: _count(d.infinite, d.reference_infinite)),
    ParityFigure("constant", "one number throughout", lambda d: "yes" if d.constant else ""),
)

"""Outcomes and errors of conformance cases in words, the same on the terminal, the page and in documents."""

from __future__ import annotations

from harness.judge.conformance.matrix import Cell
from harness.records.conformance import CaseError, Outcome

WORDS: dict[Outcome, str] = {
    "passes": "passes",
    "fails": "fails",
    "unsupported": "unsupported",
    "crashes": "crashes",
    "times_out": "times out",
    "excluded": "excluded",
}
_SHORT: dict[Outcome, str] = {
    "fails": "fail",
    "unsupported": "unsupported",
    "crashes": "crash",
    "times_out": "time out",
    "excluded": "excluded",
}


def cell_words(cell: Cell | None) -> str:
    """A cell of the matrix: how many of how many pass, and what became of the others."""
    if cell is None:
        return "–"
    parts = [f"{cell.counts.get('passes', 0)}/{cell.cases}"]
    parts += [f"{count} {_SHORT[outcome]}" for outcome, count in cell.counts.items() if outcome != "passes"]
    return ", ".join(parts)


def error_size(error: CaseError) -> str:
    """The size of an error: against what is allowed, and in units in the last place."""
    if error.share is None:
        return ""
    words = f"; {error.share:.3g} × what is allowed"
    return f"{words}, {error.ulp:.3g} ulp" if error.ulp is not None else words

"""Engine × operator × opset: how many cases of each outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from harness.records import Record
from harness.records.conformance import OUTCOMES, CaseResult, EngineConformance, Outcome

WHOLE = "(whole models)"
_WORST_FIRST: tuple[Outcome, ...] = ("crashes", "times_out", "fails", "unsupported", "excluded", "passes")


class Cell(Record):
    """Outcomes of one engine's cases of one operator at one opset."""

    counts: dict[Outcome, int]

    @property
    def cases(self) -> int:
        """Cases in all."""
        return sum(self.counts.values())

    @property
    def worst(self) -> Outcome:
        """The outcome that a reader must know of: a crash before a hang before a failure before what is lacking."""
        for outcome in _WORST_FIRST:
            if self.counts.get(outcome, 0):
                return outcome
        return "excluded"


class MatrixRow(Record):
    """One operator at one opset, a cell for every engine (None: it ran none of these cases)."""

    operator: str
    opset: int
    cells: tuple[Cell | None, ...]


class OperatorRow(Record):
    """One operator over all opsets."""

    operator: str
    opsets: tuple[int, ...]
    cells: tuple[Cell | None, ...]


class Matrix(Record):
    """The matrix in full and summed by operator; `contenders` are the columns."""

    contenders: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    operators: tuple[OperatorRow, ...]


def totals(results: Iterable[CaseResult]) -> dict[Outcome, int]:
    """Every outcome with its number of cases, those with none included."""
    counts = Counter(result.outcome for result in results)
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def make_matrix(engines: Sequence[EngineConformance]) -> Matrix:
    """The matrix of those engines that ran."""
    ran = [engine for engine in engines if engine.results]
    keys = sorted({_key(result) for engine in ran for result in engine.results})
    by_engine = [_grouped(engine.results) for engine in ran]
    rows = tuple(
        MatrixRow(
            operator=key[0], opset=key[1], cells=tuple(_cell(group.get(key, [])) for group in by_engine)
        )
        for key in keys
    )
    operators = []
    for operator in sorted({key[0] for key in keys}):
        opsets = tuple(key[1] for key in keys if key[0] == operator)
        cells = tuple(
            _cell([result for opset in opsets for result in group.get((operator, opset), [])])
            for group in by_engine
        )
        operators.append(OperatorRow(operator=operator, opsets=opsets, cells=cells))
    return Matrix(
        contenders=tuple(engine.contender.text for engine in ran), rows=rows, operators=tuple(operators)
    )


def _key(result: CaseResult) -> tuple[str, int]:
    return (result.case.operator or WHOLE, result.case.opset)


def _grouped(results: Sequence[CaseResult]) -> dict[tuple[str, int], list[CaseResult]]:
    groups: dict[tuple[str, int], list[CaseResult]] = {}
    for result in results:
        groups.setdefault(_key(result), []).append(result)
    return groups


def _cell(results: Sequence[CaseResult]) -> Cell | None:
    if not results:
        return None
    return Cell(counts={outcome: count for outcome, count in totals(results).items() if count})

"""Conformance as Markdown, for documents: totals, the matrix of operators and opsets, exclusions."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.conformance.document import ConformanceDocument
from harness.judge.conformance.matrix import MatrixRow
from harness.judge.conformance.words import WORDS, cell_words
from harness.records.conformance import OUTCOMES

BEGIN, END = "<!-- begin: made by harness conformance -->", "<!-- end: made by harness conformance -->"


def markdown(document: ConformanceDocument) -> str:
    """Totals and matrix of a record."""
    record = document.record
    machine = record.machine
    lines = [
        f"{record.cases} cases of onnx {record.onnx}, run on {record.created_at:%Y-%m-%d} on {machine.cpu}.",
        "",
        *_table(
            ["contender", "version", *(WORDS[outcome] for outcome in OUTCOMES), "all"],
            [
                [
                    entry.contender,
                    entry.engine_version,
                    *(str(entry.counts[outcome]) for outcome in OUTCOMES),
                    str(entry.cases),
                ]
                for entry in document.totals
            ],
        ),
        "",
    ]
    for engine in record.engines:
        if engine.state != "ran":
            lines += [f"`{engine.contender.text}`: n/a, {engine.reason}.", ""]
    lines += _matrix(document.matrix.rows, document.matrix.contenders)
    return "\n".join(lines)


def _matrix(rows: Sequence[MatrixRow], contenders: Sequence[str]) -> list[str]:
    """Rows that do not pass everywhere in full, then the names of those that do."""
    cells = [
        [row.operator, str(row.opset), *(cell_words(cell) for cell in row.cells)]
        for row in rows
        if not _full(row)
    ]
    full = [f"{row.operator} {row.opset}" for row in rows if _full(row)]
    lines = ["Operators and opsets of which not every case passes everywhere:", ""]
    lines += _table(["operator", "opset", *contenders], cells)
    if full:
        lines += ["", f"The other {len(full)} pass in full: {', '.join(full)}."]
    return [*lines, ""]


def _full(row: MatrixRow) -> bool:
    return all(cell is not None and cell.worst == "passes" for cell in row.cells)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def put_into(text: str, made: str) -> str:
    """`made` between the marks in `text`, or in place of all of it where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return f"{BEGIN}\n\n{made.rstrip()}\n\n{END}\n"
    return f"{before}{BEGIN}\n\n{made.rstrip()}\n\n{END}{after}"

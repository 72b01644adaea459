"""What a conformance case means: right or wrong, by how much, and what changed between two engine versions."""

from harness.judge.conformance.changes import Change, changes_between
from harness.judge.conformance.compare import compare_outputs
from harness.judge.conformance.document import ConformanceDocument, document_of
from harness.judge.conformance.matrix import Cell, Matrix, make_matrix, totals
from harness.judge.conformance.outcome import Answer, judge_case

__all__ = [
    "Answer",
    "Cell",
    "Change",
    "ConformanceDocument",
    "Matrix",
    "changes_between",
    "compare_outputs",
    "document_of",
    "judge_case",
    "make_matrix",
    "totals",
]

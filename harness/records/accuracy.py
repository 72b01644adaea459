"""What a check of task accuracy leaves: each side's answer to every item of a labelled set, not the figures from it.

Answers are kept item by item, because the difference between two sides is known far better from the items on which
they disagree than from two accuracies.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.records import Failure, Status
from harness.records.base import Record

Task = Literal["classification", "similarity"]

PLACES = 5
"""Places of a classifier's order that are told apart."""
BEYOND = "-"
"""Stands in `Answers.ranks` for a label that is not among the first `PLACES`, or an answer that is no number."""


class DataRef(Record):
    """Which labelled data: enough to tell whether two checks saw the same."""

    name: str = Field(description="as the user gave it: a path, or the name of a data set that is shipped")
    form: Literal["folder", "npz", "jsonl"]
    items: int = Field(description="labelled pictures, rows, texts, or pairs of texts")
    classes: int = Field(0, description="of a classification; 0 for other tasks")
    sha256: str = Field(description="of all inputs as they were fed, batch by batch, and of the labels")
    batch: int
    processing: str = Field("", description="pipeline and libraries that made inputs of items; empty: none")
    targets: tuple[float, ...] = Field((), description="of a similarity: the score that each pair was given")


class Answers(Record):
    """What one side answered, in the data's order. One of `ranks` and `similarities` is filled."""

    ranks: str = Field(
        "",
        description="classification, one sign an item: how many classes it puts before the label; - is 5 or more",
    )
    similarities: tuple[float | None, ...] = Field(
        (), description="similarity: cosine of each pair's vectors; None where they are not finite"
    )
    not_finite: int = Field(0, description="items whose answer held NaN or infinity")


class Accuracy(Record):
    """One contender's (or the reference's own) answers beside those of the reference."""

    task: Task
    status: Status
    data: DataRef | None = Field(None, description="None when it failed before all data were read")
    answers: Answers | None = None
    reference: Answers | None = None
    reference_name: str = Field("", description="who answered as reference, e.g. 'torch 2.13.0 float32'")
    engine_version: str = ""
    failure: Failure | None = Field(None, description="why it has no answers")
    problem: str = Field("", description="why the reference has none, or why the two cannot be compared")

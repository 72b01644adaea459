"""One side's answers to labelled data, folded batch by batch: what is kept of each item is a sign or a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from backends.contract import Array
from harness.judge.accuracy.answers import cosines, label_ranks, vectors
from harness.records.accuracy import Answers
from harness.run.accuracy_data import LabelledData
from harness.run.worker import WorkerFailure

MASK = "attention_mask"

Run = Callable[[Mapping[str, Array], str, int], Mapping[str, Array]]
"""(inputs, their hash, number of the batch) -> outputs by name."""


def answer_all(data: LabelledData, run: Run, output: str) -> Answers:
    """One side's answers to all items: `run` gives the outputs of each batch, `output` names the one that counts.

    Raises WorkerFailure where an output is missing or misshapen, and what `run` and the data raise.
    """
    ranks: list[str] = []
    similarities: list[float | None] = []
    not_finite = 0
    left = np.empty((0, 0))
    for index in range(data.batches):
        feeds, sha256 = data.read(index)
        count = min(data.batch, data.rows - index * data.batch)
        values = _checked(run(feeds, sha256, index), output, data, count)
        if data.task == "classification":
            labels = data.targets[index * data.batch : index * data.batch + count]
            signs, broken = label_ranks(values, labels)
            ranks.append(signs)
            not_finite += broken
            continue
        mask = np.asarray(feeds[MASK])[:count] if data.told["mean"] else None
        found = vectors(values, mask)
        rows = np.concatenate([left, found]) if left.size else found
        whole = len(rows) // 2 * 2
        similarities += cosines(rows[0:whole:2], rows[1:whole:2])
        left = rows[whole:]
    return Answers(
        ranks="".join(ranks),
        similarities=tuple(similarities),
        not_finite=not_finite + sum(value is None for value in similarities),
    )


def _checked(outputs: Mapping[str, Array], name: str, data: LabelledData, count: int) -> Array:
    """The rows of the output that belong to items."""
    if name not in outputs:
        raise _wrong(f"the output {name!r} is missing; there are {', '.join(outputs) or 'none'}")
    values = np.asarray(outputs[name])
    classes = int(data.told["classes"])
    rank = 3 if data.told["mean"] else 2
    if values.ndim != rank or values.shape[0] != data.batch or (classes and values.shape[1] != classes):
        expected = f"[{data.batch}, {classes}]" if classes else f"{rank} dimensions, {data.batch} rows"
        raise _wrong(f"the output {name!r} has the shape {list(values.shape)}, expected {expected}")
    return values[:count]


def _wrong(message: str) -> WorkerFailure:
    return WorkerFailure("failed", "infer", "contract", message)

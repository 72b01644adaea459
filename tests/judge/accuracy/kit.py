"""Answers with known truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.records.accuracy import Accuracy, Answers, DataRef


def classified(items: int, *, won: int = 0, lost: int = 0, both_wrong: int = 0, **other: Any) -> Accuracy:
    """Answers of which `won` only the contender has right, `lost` only the reference."""
    ours, theirs = ["0"] * items, ["0"] * items
    for place in range(both_wrong):
        ours[place] = theirs[place] = "1"
    for place in range(both_wrong, both_wrong + won):
        theirs[place] = "2"
    for place in range(both_wrong + won, both_wrong + won + lost):
        ours[place] = "-"
    data = DataRef(name="digits", form="npz", items=items, classes=10, sha256="ab", batch=16)
    fields: dict[str, Any] = {
        "task": "classification",
        "status": "measured",
        "data": data,
        "answers": Answers(ranks="".join(ours)),
        "reference": Answers(ranks="".join(theirs)),
        "reference_name": "torch 2.13.0 float32",
    }
    return Accuracy(**{**fields, **other})


def compared(targets: Any, ours: Any, theirs: Any, **other: Any) -> Accuracy:
    """Similarities of pairs beside their scores."""

    def plain(values: Any) -> tuple[float | None, ...]:
        return tuple(None if not np.isfinite(value) else float(value) for value in values)

    data = DataRef(
        name="sts.jsonl",
        form="jsonl",
        items=len(targets),
        sha256="ab",
        batch=16,
        targets=tuple(map(float, targets)),
    )
    fields: dict[str, Any] = {
        "task": "similarity",
        "status": "measured",
        "data": data,
        "answers": Answers(similarities=plain(ours)),
        "reference": Answers(similarities=plain(theirs)),
        "reference_name": "torch 2.13.0 float32",
    }
    return Accuracy(**{**fields, **other})

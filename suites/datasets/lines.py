"""Texts in JSON lines: {"text": ..., "label": 3}, or {"sentence1": ..., "sentence2": ..., "score": 4.2}.

Every line is checked when the file is opened; of the texts only their places in the file are kept.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from suites.datasets.dataset import Asked, class_output, padded
from suites.errors import ModelError
from suites.pipelines.embed import VOCABULARY
from suites.pipelines.pipeline import PipelineError, versions
from suites.pipelines.tokens import INPUTS, Tokens, takes_tokens

PAIR = ("sentence1", "sentence2", "score")
LABELLED = ("text", "label")
_BOXES = ("boxes", "objects", "bbox", "annotations")
_EXPECTED = (
    'expected lines {"text": ..., "label": CLASS} or {"sentence1": ..., "sentence2": ..., "score": NUMBER}'
)


class TextLines:
    """A `Dataset` of texts with labels, or of pairs of texts with scores."""

    form = "jsonl"

    def __init__(self, path: Path, asked: Asked) -> None:
        """Raises ModelError that names the line, and for a model that takes no tokens."""
        self._path, self._asked = path, asked
        if not takes_tokens(asked.inputs):
            taken = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in asked.inputs)
            raise ModelError(
                f"{path} holds texts; the model {asked.model!r} takes {taken}",
                f"texts need a model with integers [batch, sequence] called {', '.join(INPUTS)}",
            )
        self._offsets, self.targets, self._keys = self._scan()
        self.task = "similarity" if self._keys == PAIR else "classification"
        self.classes = int(class_output(asked).shape[1]) if self.task == "classification" else 0
        if self.task == "similarity":
            vector_output(asked)
        elif self.targets.max() >= self.classes:
            place = int(np.argmax(self.targets >= self.classes))
            raise ModelError(
                f"{path}, item {place + 1}: label is {self.targets[place]}",
                f"the model has the classes 0 to {self.classes - 1}",
            )
        self._texts = 2 if self.task == "similarity" else 1
        self.rows = self._texts * len(self.targets)
        vocabulary = asked.vocabulary or VOCABULARY
        self._tokens = Tokens(vocabulary, asked.inputs, asked.dims, asked.pipeline or "embed")
        self.processing = (
            f"{vocabulary.name}, {self._tokens.sequence} tokens: {versions('tokenizers', 'numpy')}"
        )

    def batch(self, index: int) -> dict[str, Array]:
        """See `Dataset`. Both texts of a pair follow each other."""
        size = self._asked.batch
        places = padded(list(range(index * size, min((index + 1) * size, self.rows))), size)
        texts: list[bytes] = []
        with self._path.open("rb") as file:
            for place in places:
                item, part = divmod(place, self._texts)
                file.seek(int(self._offsets[item]))
                texts.append(json.loads(file.readline())[self._keys[part]].encode("utf-8", "replace"))
        try:
            return self._tokens.feeds(texts)
        except PipelineError as error:
            first, last = (places[0] // self._texts + 1, places[-1] // self._texts + 1)
            raise ModelError(f"{self._path}, items {first} to {last}: {error.message}", error.hint) from error

    def _scan(self) -> tuple[Array, Array, tuple[str, ...]]:
        """Where each item's line begins, its label or score, and the keys of all lines."""
        offsets: list[int] = []
        targets: list[float] = []
        keys: tuple[str, ...] = ()
        offset = 0
        try:
            with self._path.open("rb") as file:
                for line, data in enumerate(file, 1):
                    if data.strip():
                        where = f"{self._path}, line {line}"
                        row = _row(data, where)
                        keys = keys or (PAIR if PAIR[0] in row else LABELLED)
                        targets.append(_target(row, keys, where))
                        offsets.append(offset)
                    offset += len(data)
        except OSError as error:
            raise ModelError(
                f"{self._path} cannot be read: {error.strerror}", "check its permissions"
            ) from error
        if not targets:
            raise ModelError(f"{self._path} holds no items", _EXPECTED)
        kind = np.float64 if keys == PAIR else np.int64
        return np.array(offsets, np.int64), np.array(targets, kind), keys


def vector_output(asked: Asked) -> tuple[str, bool]:
    """The output that gives a text's vector, and whether it has to be averaged over the tokens.

    Raises ModelError for a model with other outputs than one float [batch, sequence, width] or [batch, width].
    """
    fitting = [spec for spec in asked.outputs if spec.dtype.startswith("float") and len(spec.shape) in (2, 3)]
    if len(fitting) != 1:
        shown = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in asked.outputs)
        raise ModelError(
            f"pairs of texts need a model with one output [batch, sequence, width] or [batch, width]; "
            f"{asked.model!r} gives {shown}",
            "export it with the one output that holds the vectors",
        )
    return fitting[0].name, len(fitting[0].shape) == 3


def _row(data: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(data)
    except ValueError as error:
        raise ModelError(f"{where}: {error}", _EXPECTED) from error
    if not isinstance(row, dict):
        raise ModelError(f"{where}: it is {type(row).__name__}, no object", _EXPECTED)
    if any(key in row for key in _BOXES):
        raise ModelError(
            f"{where}: it holds boxes; the accuracy of detectors (mean average precision) is not measured",
            "compare their outputs with `harness parity`, without --data",
        )
    return row


def _target(row: dict[str, Any], keys: tuple[str, ...], where: str) -> float:
    """The label or score of a line whose texts are there."""
    for key in keys[:-1]:
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise ModelError(f"{where}: {key!r} is {row.get(key)!r}", f"expected a text; {_EXPECTED}")
    name = keys[-1]
    value = row.get(name)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or (name == "label" and (not isinstance(value, int) or value < 0)):
        wanted = "a whole number from 0 on" if name == "label" else "a finite number"
        raise ModelError(f"{where}: {name!r} is {value!r}", f"expected {wanted}")
    assert value is not None
    return float(value)

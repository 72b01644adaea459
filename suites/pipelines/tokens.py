"""Texts to the inputs of a text encoder: WordPiece (or another tokenizer's) tokens, cut or padded to one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec
from suites.errors import ModelError
from suites.pipelines.pipeline import PipelineError, item_name, library

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
PADS = ("[PAD]", "<pad>")
MAX_BYTES = 1_000_000
"""A text that is longer is refused: all of it would be tokenised before it is cut."""


def takes_tokens(inputs: Sequence[TensorSpec]) -> bool:
    """Whether a model takes integers [batch, sequence] among `INPUTS`, input_ids and attention_mask at least."""
    names = {spec.name for spec in inputs}
    return (
        set(INPUTS[:2]) <= names <= set(INPUTS)
        and all(len(spec.shape) == 2 and spec.shape[1] == inputs[0].shape[1] for spec in inputs)
        and all(spec.dtype in ("int64", "int32") for spec in inputs)
    )


class Tokens:
    """A tokenizer for the inputs of one model."""

    def __init__(
        self, vocabulary: Path, inputs: Sequence[TensorSpec], dims: Mapping[str, int], pipeline: str
    ) -> None:
        """`vocabulary` is a `tokenizer.json`; the sequence's length is the model's, or that in `dims`.

        Raises ModelError for a sequence without a size, a file that is no tokenizer, or when tokenizers is not
        installed. `takes_tokens(inputs)` must hold.
        """
        length = inputs[0].shape[1]
        self.sequence = length if isinstance(length, int) else dims.get(length, 0)
        if self.sequence < 2:
            raise ModelError(
                f"the pipeline {pipeline!r} needs a size of 2 or more for the dimension {length!r}, "
                f"not {self.sequence}",
                f"pass --dim {length}=SIZE",
            )
        tokenizers = library("tokenizers", "tokenizers", "text", pipeline)
        try:
            self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(vocabulary))
        except Exception as error:
            # The library raises plain Exception for what it cannot read.
            raise ModelError(
                f"{vocabulary} cannot be read as a tokenizer: {error}", "expected a tokenizer.json"
            ) from error
        pad = next((name for name in PADS if self._tokenizer.token_to_id(name) is not None), None)
        self._tokenizer.enable_truncation(self.sequence)
        self._tokenizer.enable_padding(
            length=self.sequence,
            pad_id=0 if pad is None else self._tokenizer.token_to_id(pad),
            pad_token=pad or PADS[0],
        )
        self._inputs = tuple(inputs)

    def feeds(self, items: Sequence[bytes]) -> dict[str, Array]:
        """Texts in UTF-8 -> inputs by name, [texts, sequence]. Raises PipelineError that names the text."""
        # One by one: a batch would be spread over threads that are not the contender's.
        encodings = [self._tokenizer.encode(_text(items, index)) for index in range(len(items))]
        rows = {
            "input_ids": [encoding.ids for encoding in encodings],
            "attention_mask": [encoding.attention_mask for encoding in encodings],
            "token_type_ids": [encoding.type_ids for encoding in encodings],
        }
        return {
            spec.name: np.array(rows[spec.name], spec.dtype).reshape(len(items), self.sequence)
            for spec in self._inputs
        }


def _text(items: Sequence[bytes], index: int) -> str:
    name = item_name(index, len(items), "text")
    if len(items[index]) > MAX_BYTES:
        raise PipelineError(f"{name} has {len(items[index]):,} bytes", f"give at most {MAX_BYTES:,}")
    try:
        return items[index].decode("utf-8")
    except UnicodeDecodeError as error:
        raise PipelineError(
            f"{name} is not UTF-8: byte {error.start} is 0x{items[index][error.start]:02x} ({error.reason})",
            "save it as UTF-8",
        ) from error

"""Text embedding: a text to WordPiece tokens, hidden states to one vector of unit length.

Source of the pooling: Reimers, Gurevych, "Sentence-BERT" (2019), section 3, the mean over the tokens. The vocabulary
is our own, trained on the shipped texts by `suites.pipelines.train_vocabulary`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec
from suites.errors import ModelError
from suites.pipelines.catalogue import SAMPLES
from suites.pipelines.pipeline import (
    Pipeline,
    PipelineError,
    checked_output,
    item_name,
    library,
    unknown_implementation,
    versions,
)

VOCABULARY = SAMPLES / "vocabulary.json"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
PAD = "[PAD]"
MAX_BYTES = 1_000_000
"""A text that is longer is refused: all of it would be tokenised before it is cut."""


def make(
    implementation: str,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    dims: Mapping[str, int],
) -> Pipeline:
    """The pipeline for an encoder: integer inputs [batch, sequence] among `INPUTS`, input_ids and attention_mask at
    least, and one output [batch, sequence, width]; `dims` has the sequence's size where it is dynamic.

    Raises ModelError for another signature, a sequence without a size, an unknown implementation, or when tokenizers
    is not installed.
    """
    if implementation != "tokenizers":
        raise unknown_implementation("embed", implementation, ("tokenizers",))
    names = {spec.name for spec in inputs}
    shapes = [spec.shape for spec in inputs]
    fits = (
        set(INPUTS[:2]) <= names <= set(INPUTS)
        and all(len(shape) == 2 and shape[1] == shapes[0][1] for shape in shapes)
        and all(spec.dtype in ("int64", "int32") for spec in inputs)
        and len(outputs) == 1
        and len(outputs[0].shape) == 3
        and outputs[0].shape[1] == shapes[0][1]
    )
    if not fits:
        found = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in (*inputs, *outputs))
        raise ModelError(
            f"the pipeline 'embed' does not fit a model with {found}",
            f"it takes integers [batch, sequence] called {', '.join(INPUTS)}, and one output [batch, sequence, width]",
        )
    length = shapes[0][1]
    sequence = length if isinstance(length, int) else dims.get(length, 0)
    if sequence < 2:
        raise ModelError(
            f"the pipeline 'embed' needs a size of 2 or more for the dimension {length!r}, not {sequence}",
            f"pass --dim {length}=SIZE",
        )
    tokenizers = library("tokenizers", "tokenizers", "text", "embed")
    tokenizer = tokenizers.Tokenizer.from_file(str(VOCABULARY))
    tokenizer.enable_truncation(sequence)
    tokenizer.enable_padding(length=sequence, pad_id=tokenizer.token_to_id(PAD), pad_token=PAD)
    return _Embed(tokenizer, inputs, outputs[0], sequence)


class _Embed:
    def __init__(
        self, tokenizer: Any, inputs: tuple[TensorSpec, ...], hidden: TensorSpec, sequence: int
    ) -> None:
        self._tokenizer, self._inputs, self._hidden, self._sequence = tokenizer, inputs, hidden, sequence
        self._mask: Array = np.empty((0, sequence), np.float32)

    @property
    def implementation(self) -> Mapping[str, str]:
        """Tokens by tokenizers, the rest by numpy."""
        return {"preprocess": versions("tokenizers", "numpy"), "postprocess": versions("numpy")}

    def preprocess(self, items: Sequence[bytes]) -> dict[str, Array]:
        """See `Pipeline`."""
        # One by one: a batch would be spread over threads that are not the contender's.
        encodings = [self._tokenizer.encode(self._text(items, index)) for index in range(len(items))]
        rows = {
            "input_ids": [encoding.ids for encoding in encodings],
            "attention_mask": [encoding.attention_mask for encoding in encodings],
            "token_type_ids": [encoding.type_ids for encoding in encodings],
        }
        feeds = {
            spec.name: np.array(rows[spec.name], spec.dtype).reshape(len(items), self._sequence)
            for spec in self._inputs
        }
        self._mask = feeds["attention_mask"].astype(np.float32)
        return feeds

    def postprocess(self, outputs: Mapping[str, Array]) -> list[list[float]]:
        """For each item its vector, of unit length."""
        shape = self._mask.shape
        width = self._hidden.shape[2]
        found = np.shape(outputs.get(self._hidden.name, ()))
        width = width if isinstance(width, int) else (found[2] if len(found) == 3 else 0)
        hidden = checked_output(outputs, self._hidden, (*shape, width))
        mean = np.einsum("bsw,bs->bw", hidden, self._mask) / self._mask.sum(axis=1, keepdims=True)
        lengths = np.sqrt(np.sum(mean * mean, axis=1, keepdims=True))
        if not lengths.all():
            entry = int(np.argmin(lengths[:, 0]))
            raise PipelineError(
                f"the vector of {item_name(entry, len(mean), 'text')} is zero and has no direction",
                "check the contender's parity",
            )
        vectors: list[list[float]] = (mean / lengths).tolist()
        return vectors

    def _text(self, items: Sequence[bytes], index: int) -> str:
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

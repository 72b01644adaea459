"""Text embedding: a text to WordPiece tokens, hidden states to one vector of unit length.

Source of the pooling: Reimers, Gurevych, "Sentence-BERT" (2019), section 3, the mean over the tokens. The vocabulary
is our own, trained on the shipped texts by `suites.pipelines.train_vocabulary`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from backends.contract import Array, TensorSpec
from suites.errors import ModelError
from suites.pipelines.catalogue import SAMPLES
from suites.pipelines.pipeline import (
    Pipeline,
    PipelineError,
    checked_output,
    item_name,
    unknown_implementation,
    versions,
)
from suites.pipelines.tokens import INPUTS, Tokens, takes_tokens

VOCABULARY = SAMPLES / "vocabulary.json"
PAD = "[PAD]"


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
    fits = (
        takes_tokens(inputs)
        and len(outputs) == 1
        and len(outputs[0].shape) == 3
        and outputs[0].shape[1] == inputs[0].shape[1]
    )
    if not fits:
        found = ", ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in (*inputs, *outputs))
        raise ModelError(
            f"the pipeline 'embed' does not fit a model with {found}",
            f"it takes integers [batch, sequence] called {', '.join(INPUTS)}, and one output [batch, sequence, width]",
        )
    return _Embed(Tokens(VOCABULARY, inputs, dims, "embed"), outputs[0])


class _Embed:
    def __init__(self, tokens: Tokens, hidden: TensorSpec) -> None:
        self._tokens, self._hidden = tokens, hidden
        self._mask: Array = np.empty((0, tokens.sequence), np.float32)

    @property
    def implementation(self) -> Mapping[str, str]:
        """Tokens by tokenizers, the rest by numpy."""
        return {"preprocess": versions("tokenizers", "numpy"), "postprocess": versions("numpy")}

    def preprocess(self, items: Sequence[bytes]) -> dict[str, Array]:
        """See `Pipeline`."""
        feeds = self._tokens.feeds(items)
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

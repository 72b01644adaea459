"""A small BERT for trying things out: every kind of layer of BERT-base, at a fraction of its work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suites.models.encoder import Size, encoder
from suites.weights import with_weights

SIZE = Size(vocabulary=2048, longest=128, layers=2, width=64, heads=4, inner=256)


def build(weights: Path | None = None) -> Any:
    """A `torch.nn.Module`, eval mode, float32: input_ids, attention_mask, token_type_ids, all int64
    [batch, sequence] -> last_hidden_state [batch, sequence, 64].

    `weights` is a `.npz` state dict; without it the weights are torch's own and unseeded. Raises ModelError for
    weights that do not fit.
    """
    return with_weights(lambda: encoder(SIZE), weights)

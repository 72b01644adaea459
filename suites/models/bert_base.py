"""The encoder of BERT-base, uncased: 12 layers, width 768, 12 heads, 30,522 tokens.

Source: Devlin, Chang, Lee, Toutanova, "BERT: Pre-training of Deep Bidirectional Transformers" (2019), section 3;
the vocabulary has the size of the released one. 108,891,648 parameters (109,482,240 with the pooler, which is left
out), 11.2 G multiply-accumulates on 128 tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suites.models.encoder import Size, encoder
from suites.weights import with_weights

SIZE = Size(vocabulary=30522, longest=512, layers=12, width=768, heads=12, inner=3072)


def build(weights: Path | None = None) -> Any:
    """A `torch.nn.Module`, eval mode, float32: input_ids, attention_mask, token_type_ids, all int64
    [batch, sequence] -> last_hidden_state [batch, sequence, 768].

    `weights` is a `.npz` state dict; without it the weights are torch's own and unseeded. Raises ModelError for
    weights that do not fit.
    """
    return with_weights(lambda: encoder(SIZE), weights)

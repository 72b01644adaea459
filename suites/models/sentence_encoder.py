"""A text encoder with trained weights, of the size that stands beside them in the cache (`suites.encoder_export`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from suites.errors import ModelError
from suites.models.encoder import Size, encoder
from suites.weights import with_weights

SIZE_FILE = "size.json"


def build(weights: Path | None = None) -> Any:
    """A `torch.nn.Module`, eval mode, float32: input_ids, attention_mask, token_type_ids, all int64
    [batch, sequence] -> last_hidden_state [batch, sequence, width].

    `weights` is a `.npz` state dict with `size.json` beside it. Raises ModelError without them, and for weights that
    do not fit.
    """
    if weights is None:
        raise ModelError("this encoder is nothing without its weights", "give them as encoder:FOLDER")
    size = Size(**json.loads((weights.parent / SIZE_FILE).read_text("utf-8")))
    return with_weights(lambda: encoder(size), weights)

"""The transformer encoder of BERT, in any size: embeddings, self-attention, feed-forward, normalised after each.

Source: Devlin, Chang, Lee, Toutanova, "BERT: Pre-training of Deep Bidirectional Transformers" (2019), section 3,
after Vaswani et al., "Attention Is All You Need" (2017), section 3; the mask adds -10000 to the scores of what is
not to be seen, as BERT's first release does. Without the pooler and the heads of its training tasks.

Attention is written as two matrix products and a softmax, which every engine's importer knows. torch is imported
inside the functions: this module can be imported where torch is not installed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from suites.models.layers import residual, sequence

MASKED = -10000.0
"""Added to a masked score: far below every other, and still a number in half precision."""
EPSILON = 1e-12
SEGMENTS = 2


@dataclass(frozen=True)
class Size:
    """Sizes of an encoder: `inner` is the width of the feed-forward layer, `longest` the longest sequence.

    `segments` are the kinds of token that a text may be marked with; `epsilon` is that of all layer norms.
    """

    vocabulary: int
    longest: int
    layers: int
    width: int
    heads: int
    inner: int
    segments: int = SEGMENTS
    epsilon: float = EPSILON


def encoder(size: Size) -> Any:
    """The module: input_ids, attention_mask, token_type_ids, all int64 [batch, sequence] -> float32 hidden state
    [batch, sequence, width].
    """
    return _types()["encoder"](size)


@cache
def _types() -> dict[str, Any]:
    import torch
    from torch import nn

    class Attention(nn.Module):  # type: ignore[misc]
        def __init__(self, size: Size) -> None:
            super().__init__()
            self.heads = size.heads
            self.query = nn.Linear(size.width, size.width)
            self.key = nn.Linear(size.width, size.width)
            self.value = nn.Linear(size.width, size.width)
            self.output = nn.Linear(size.width, size.width)

        def forward(self, x: Any, bias: Any) -> Any:
            def split(y: Any) -> Any:
                return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

            query, key, value = split(self.query(x)), split(self.key(x)), split(self.value(x))
            scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
            context = torch.softmax(scores, dim=-1) @ value
            return self.output(context.transpose(1, 2).flatten(2))

    class Encoder(nn.Module):  # type: ignore[misc]
        def __init__(self, size: Size) -> None:
            super().__init__()
            self.token = nn.Embedding(size.vocabulary, size.width)
            self.position = nn.Embedding(size.longest, size.width)
            self.segment = nn.Embedding(size.segments, size.width)
            self.norm = nn.LayerNorm(size.width, eps=size.epsilon)
            self.layers = nn.ModuleList(layer(size) for _ in range(size.layers))

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            place = self.position.weight[: input_ids.shape[1]]
            x = self.norm(self.token(input_ids) + place + self.segment(token_type_ids))
            bias = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * MASKED
            for block in self.layers:
                x = block.feed(block.attention(x, bias))
            return x

    def layer(size: Size) -> Any:
        feed = sequence(
            ("expand", nn.Linear(size.width, size.inner)),
            ("gelu", nn.GELU()),
            ("output", nn.Linear(size.inner, size.width)),
        )
        return sequence(
            ("attention", residual(Attention(size), after=nn.LayerNorm(size.width, eps=size.epsilon))),
            ("feed", residual(feed, after=nn.LayerNorm(size.width, eps=size.epsilon))),
        )

    return {"encoder": Encoder}

"""The kit's models as torch modules; imported by the torch adapter alone, through `ModelSource.torch_factory`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


class Cnn(nn.Module):  # type: ignore[misc]
    """Convolutions, batch normalisation, a residual, pooling and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits [batch, 10] of an image [batch, 3, 16, 16]."""
        x = torch.relu(self.norm(self.first(image)))
        x = torch.relu(x + self.second(x))
        return self.head(x.mean(dim=(2, 3)))


class Mlp(nn.Module):  # type: ignore[misc]
    """Two inputs and two outputs, whose order is not that of the alphabet."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(16, 12)
        self.right = nn.Linear(8, 12)
        self.head = nn.Linear(12, 4)

    def forward(self, right: Tensor, left: Tensor) -> dict[str, Tensor]:
        """`zeta` [batch, 4] and `alpha` [batch, 12]."""
        hidden = torch.tanh(self.left(left) + self.right(right))
        return {"zeta": self.head(hidden), "alpha": torch.sigmoid(hidden)}


class Lstm(nn.Module):  # type: ignore[misc]
    """One LSTM layer over a batch-first sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(12, 16, batch_first=True)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """All states [batch, 7, 16] and the last one [batch, 16]."""
        sequence, (last, _) = self.rnn(frames)
        return sequence, last[0]


class Transformer(nn.Module):  # type: ignore[misc]
    """One block with a single attention head, integer tokens and a boolean mask."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.query = nn.Linear(16, 16)
        self.key = nn.Linear(16, 16)
        self.value = nn.Linear(16, 16)
        self.project = nn.Linear(16, 16)
        self.norm1 = nn.LayerNorm(16)
        self.norm2 = nn.LayerNorm(16)
        self.up = nn.Linear(16, 32)
        self.down = nn.Linear(32, 16)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states [batch, tokens, 16] and the index of the largest one [batch, tokens]."""
        x = self.embed(tokens)
        normed = self.norm1(x)
        scores = self.query(normed) @ self.key(normed).transpose(1, 2) / 4.0
        scores = scores.masked_fill(~mask[:, None, :], -1e4)
        x = x + self.project(torch.softmax(scores, dim=-1) @ self.value(normed))
        x = x + self.down(nn.functional.gelu(self.up(self.norm2(x))))
        return x, x.argmax(dim=-1)


class Branch(nn.Module):  # type: ignore[misc]
    """One of two layers, chosen by the data."""

    def __init__(self) -> None:
        super().__init__()
        self.positive = nn.Linear(8, 4)
        self.negative = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 4] from [batch, 8]."""
        if x.sum() > 0:
            return torch.relu(self.positive(x))
        return torch.tanh(self.negative(x))


class Bulk(nn.Module):  # type: ignore[misc]
    """One large linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(1024, 2048)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 2048] from [batch, 1024]."""
        return self.wide(x)


def _load(module: nn.Module, weights: Path | None) -> nn.Module:
    if weights is None:
        raise ValueError("the kit's models have no weights of their own: pass the .npz file")
    with np.load(weights, allow_pickle=False) as arrays:
        module.load_state_dict({name: torch.from_numpy(arrays[name]) for name in arrays.files})
    return module.eval()


def cnn(weights: Path | None = None) -> nn.Module:
    """`Cnn` with the weights of a .npz file."""
    return _load(Cnn(), weights)


def mlp(weights: Path | None = None) -> nn.Module:
    """`Mlp` with the weights of a .npz file."""
    return _load(Mlp(), weights)


def lstm(weights: Path | None = None) -> nn.Module:
    """`Lstm` with the weights of a .npz file."""
    return _load(Lstm(), weights)


def transformer(weights: Path | None = None) -> nn.Module:
    """`Transformer` with the weights of a .npz file."""
    return _load(Transformer(), weights)


def branch(weights: Path | None = None) -> nn.Module:
    """`Branch` with the weights of a .npz file."""
    return _load(Branch(), weights)


def bulk(weights: Path | None = None) -> nn.Module:
    """`Bulk` with the weights of a .npz file."""
    return _load(Bulk(), weights)

"""A torch module with dropout; imported by workers alone."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn


class Dropping(nn.Module):  # type: ignore[misc]
    """Dropout after an exponential."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """The shape of `x`."""
        return self.drop(x.exp())


def left_on(weights: Path | None = None) -> nn.Module:
    """In training mode, and with a seed of its own, which must not hide the dropout."""
    torch.manual_seed(3)
    return Dropping().train()


def switched_off(weights: Path | None = None) -> nn.Module:
    """In evaluation mode."""
    return Dropping().eval()

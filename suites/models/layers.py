"""Pieces that the built-in convolutional networks are put together from.

torch is imported inside the functions: this module can be imported where torch is not installed.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, activation: bool = True
) -> list[tuple[str, Any]]:
    """Named layers: a convolution without bias that keeps the size (divided by `stride`), batch norm, ReLU."""
    from torch import nn

    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    layers = [("conv", conv), ("norm", nn.BatchNorm2d(outputs))]
    return [*layers, ("relu", nn.ReLU())] if activation else layers


def sequence(*layers: tuple[str, Any]) -> Any:
    """A `torch.nn.Sequential` of named layers; the names are the keys of the state dict."""
    from collections import OrderedDict

    from torch import nn

    return nn.Sequential(OrderedDict(layers))


def residual(body: Any, shortcut: Any | None) -> Any:
    """A module that computes relu(body(x) + shortcut(x)); without `shortcut`, x itself is added."""
    return _residual_type()(body, shortcut)


@cache
def _residual_type() -> Any:
    from torch import nn

    class Residual(nn.Module):  # type: ignore[misc]
        def __init__(self, body: Any, shortcut: Any | None) -> None:
            super().__init__()
            self.body = body
            self.shortcut = nn.Identity() if shortcut is None else shortcut
            self.relu = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.relu(self.body(x) + self.shortcut(x))

    return Residual

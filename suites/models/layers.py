"""Pieces that the built-in networks are put together from.

torch is imported inside the functions: this module can be imported where torch is not installed.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1, activation: str = "relu"
) -> list[tuple[str, Any]]:
    """Named layers: a convolution without bias that keeps the size (divided by `stride`), batch norm, activation.

    `activation` is "relu", "relu6", "silu", or "" for none.
    """
    from torch import nn

    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    layers = [("conv", conv), ("norm", nn.BatchNorm2d(outputs))]
    if not activation:
        return layers
    kinds = {"relu": nn.ReLU, "relu6": nn.ReLU6, "silu": nn.SiLU}
    return [*layers, (activation, kinds[activation]())]


def sequence(*layers: tuple[str, Any]) -> Any:
    """A `torch.nn.Sequential` of named layers; the names are the keys of the state dict."""
    from collections import OrderedDict

    from torch import nn

    return nn.Sequential(OrderedDict(layers))


def residual(body: Any, shortcut: Any | None = None, after: Any | None = None) -> Any:
    """A module that computes after(body(x) + shortcut(x)); either is the identity where it is not given.

    `suites.conditioning` damps the last layer of `body`.
    """
    return _residual_type()(body, shortcut, after)


@cache
def _residual_type() -> Any:
    from torch import nn

    class Residual(nn.Module):  # type: ignore[misc]
        def __init__(self, body: Any, shortcut: Any | None, after: Any | None) -> None:
            super().__init__()
            self.body = body
            self.shortcut = nn.Identity() if shortcut is None else shortcut
            self.after = nn.Identity() if after is None else after

        def forward(self, x: Any, *extra: Any) -> Any:
            return self.after(self.body(x, *extra) + self.shortcut(x))

    return Residual

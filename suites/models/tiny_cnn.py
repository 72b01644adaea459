"""A small residual network for trying things out: every kind of layer of ResNet-50, at a fraction of its work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suites.models.layers import convolution, residual, sequence
from suites.weights import with_weights

CLASSES = 10


def build(weights: Path | None = None) -> Any:
    """A `torch.nn.Module`, eval mode, float32: [batch, 3, 32, 32] -> logits [batch, 10].

    `weights` is a `.npz` state dict; without it the weights are torch's own and unseeded. Raises ModelError for
    weights that do not fit.
    """
    return with_weights(_network, weights)


def _network() -> Any:
    from torch import nn

    return sequence(
        ("stem", sequence(*convolution(3, 16, 3), ("pool", nn.MaxPool2d(2)))),
        ("block0", _block(16, 16, 1)),
        ("block1", _block(16, 32, 2)),
        ("block2", _block(32, 64, 2)),
        (
            "head",
            sequence(
                # 2x2 places are left: averaging over all of them would make noise images look alike.
                ("pool", nn.AvgPool2d(2)),
                ("flatten", nn.Flatten()),
                ("linear", nn.Linear(4 * 64, CLASSES)),
            ),
        ),
    )


def _block(inputs: int, outputs: int, stride: int) -> Any:
    from torch import nn

    body = sequence(
        ("first", sequence(*convolution(inputs, outputs, 3, stride))),
        ("second", sequence(*convolution(outputs, outputs, 3, activation=""))),
    )
    if stride == 1 and inputs == outputs:
        return residual(body, after=nn.ReLU())
    return residual(body, sequence(*convolution(inputs, outputs, 1, stride, activation="")), nn.ReLU())

"""A small network that reads handwritten digits, with trained weights: for task accuracy with nothing downloaded.

`suites.train_digits` trains it. Three convolutions with batch norm, the second and third before a halving of the
picture, as in LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition" (1998),
section II, with rectifiers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suites.models.layers import convolution, sequence
from suites.weights import with_weights

CLASSES = 10


def build(weights: Path | None = None) -> Any:
    """A `torch.nn.Module`, eval mode, float32: [batch, 1, 8, 8], ink from 0 to 1 -> logits [batch, 10].

    `weights` is a `.npz` state dict; without it the weights are torch's own and unseeded. Raises ModelError for
    weights that do not fit.
    """
    return with_weights(network, weights)


def network() -> Any:
    """The layers, with torch's own initial weights."""
    from torch import nn

    return sequence(
        ("first", sequence(*convolution(1, 16, 3))),
        ("second", sequence(*convolution(16, 32, 3), ("pool", nn.MaxPool2d(2)))),
        ("third", sequence(*convolution(32, 64, 3), ("pool", nn.MaxPool2d(2)))),
        ("head", sequence(("flatten", nn.Flatten()), ("linear", nn.Linear(4 * 64, CLASSES)))),
    )

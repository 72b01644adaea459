"""ResNet-50, version 1.5: bottleneck blocks with the stride in the 3x3 convolution.

Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015), table 1; the stride's place is
that of version 1.5, which torchvision and MLPerf use. 25,557,032 parameters, 4.09 G multiply-accumulates at
224x224.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suites.models.layers import convolution, residual, sequence
from suites.weights import with_weights

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""For each stage: inner width, number of blocks, stride of the first block."""
EXPANSION = 4
"""A block's output is this many times as wide as its inside."""
CLASSES = 1000


def build(weights: Path | None = None) -> Any:
    """A `torch.nn.Module`, eval mode, float32: [batch, 3, 224, 224] -> logits [batch, 1000].

    `weights` is a `.npz` state dict; without it the weights are torch's own and unseeded. Raises ModelError for
    weights that do not fit.
    """
    return with_weights(_network, weights)


def _network() -> Any:
    from torch import nn

    stem = sequence(*convolution(3, 64, 7, 2), ("pool", nn.MaxPool2d(3, stride=2, padding=1)))
    stages = []
    wide = 64
    for index, (width, blocks, stride) in enumerate(STAGES, start=1):
        members = []
        for number in range(blocks):
            members.append((f"block{number}", _bottleneck(wide, width, stride if number == 0 else 1)))
            wide = EXPANSION * width
        stages.append((f"stage{index}", sequence(*members)))
    head = sequence(
        ("pool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("linear", nn.Linear(wide, CLASSES))
    )
    return sequence(("stem", stem), *stages, ("head", head))


def _bottleneck(inputs: int, width: int, stride: int) -> Any:
    from torch import nn

    outputs = EXPANSION * width
    body = sequence(
        ("reduce", sequence(*convolution(inputs, width, 1))),
        ("spatial", sequence(*convolution(width, width, 3, stride))),
        ("expand", sequence(*convolution(width, outputs, 1, activation=""))),
    )
    if stride == 1 and inputs == outputs:
        return residual(body, after=nn.ReLU())
    return residual(body, sequence(*convolution(inputs, outputs, 1, stride, activation="")), nn.ReLU())

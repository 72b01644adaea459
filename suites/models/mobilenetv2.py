"""MobileNetV2, width 1.0: inverted residual blocks around depthwise convolutions, with linear bottlenecks.

Source: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018),
table 2. 3,504,872 parameters, 0.30 G multiply-accumulates at 224x224. The dropout before the last layer does
nothing at inference and is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suites.models.layers import convolution, residual, sequence
from suites.weights import with_weights

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""For each stage: expansion, output width, number of blocks, stride of the first block."""
STEM = 32
LAST = 1280
CLASSES = 1000


def build(weights: Path | None = None) -> Any:
    """A `torch.nn.Module`, eval mode, float32: [batch, 3, 224, 224] -> logits [batch, 1000].

    `weights` is a `.npz` state dict; without it the weights are torch's own and unseeded. Raises ModelError for
    weights that do not fit.
    """
    return with_weights(_network, weights)


def _network() -> Any:
    from torch import nn

    stages = []
    wide = STEM
    for index, (expansion, width, blocks, stride) in enumerate(STAGES, start=1):
        members = []
        for number in range(blocks):
            block = _inverted(wide, width, expansion, stride if number == 0 else 1)
            members.append((f"block{number}", block))
            wide = width
        stages.append((f"stage{index}", sequence(*members)))
    head = sequence(
        *convolution(wide, LAST, 1, activation="relu6"),
        ("pool", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("linear", nn.Linear(LAST, CLASSES)),
    )
    stem = sequence(*convolution(3, STEM, 3, 2, activation="relu6"))
    return sequence(("stem", stem), *stages, ("head", head))


def _inverted(inputs: int, outputs: int, expansion: int, stride: int) -> Any:
    inner = expansion * inputs
    parts = [
        ("depthwise", sequence(*convolution(inner, inner, 3, stride, groups=inner, activation="relu6"))),
        ("project", sequence(*convolution(inner, outputs, 1, activation=""))),
    ]
    if expansion > 1:
        parts.insert(0, ("expand", sequence(*convolution(inputs, inner, 1, activation="relu6"))))
    body = sequence(*parts)
    return residual(body) if stride == 1 and inputs == outputs else body

"""A small single-stage detector without anchors: three strides, a top-down path, one decoded tensor.

Sources: a cell gives one box without anchors and class scores without objectness, as in Li et al., "YOLOv6: A
Single-Stage Object Detection Framework for Industrial Applications" (2022), section 2.1; the bounded decoding,
centre (2 sigmoid(t) - 0.5 + cell) and size prior (2 sigmoid(t))^2, is that of YOLOv5's documentation, "Eliminate
grid sensitivity", with a prior of four strides; the top-down path is that of Lin et al., "Feature Pyramid Networks
for Object Detection" (2017), section 3. The layers are our own and few.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from suites.models.layers import convolution, residual, sequence
from suites.weights import with_weights

EDGE = 320
STRIDES = (8, 16, 32)
WIDTHS = (48, 64, 96)
"""Channels of the backbone at each stride."""
NECK = 48
PRIOR = 6.0
"""Edge, in strides, of the box that a cell gives when it says nothing."""
CLASSES = 20
CELLS = sum((EDGE // stride) ** 2 for stride in STRIDES)


def build(weights: Path | None = None) -> Any:
    """A `torch.nn.Module`, eval mode, float32: [batch, 3, 320, 320] -> predictions [batch, 2100, 24].

    A row is one cell's centre x, centre y, width and height in pixels, and 20 class scores from 0 to 1. `weights`
    is a `.npz` state dict; without it the weights are torch's own and unseeded. Raises ModelError for weights that
    do not fit.
    """
    return with_weights(lambda: _type()(), weights)


def _stage(inputs: int, outputs: int) -> Any:
    body = sequence(
        ("first", sequence(*convolution(outputs, outputs // 2, 1, activation="silu"))),
        ("second", sequence(*convolution(outputs // 2, outputs, 3, activation="silu"))),
    )
    return sequence(
        ("down", sequence(*convolution(inputs, outputs, 3, 2, activation="silu"))), ("block", residual(body))
    )


@cache
def _type() -> Any:
    import torch
    from torch import nn
    from torch.nn import functional

    class Detector(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stem = sequence(
                ("first", sequence(*convolution(3, 16, 3, 2, activation="silu"))),
                ("second", sequence(*convolution(16, 24, 3, 2, activation="silu"))),
            )
            self.stages = nn.ModuleList(
                _stage(inputs, outputs) for inputs, outputs in zip((24, *WIDTHS), WIDTHS, strict=False)
            )
            self.lateral = nn.ModuleList(
                sequence(*convolution(width, NECK, 1, activation="")) for width in WIDTHS
            )
            self.smooth = nn.ModuleList(
                sequence(*convolution(NECK, NECK, 3, activation="silu")) for _ in WIDTHS
            )
            self.heads = nn.ModuleList(nn.Conv2d(NECK, 4 + CLASSES, 1) for _ in WIDTHS)
            corner, stride = _grid()
            # Buffers of the state dict: weights are loaded over tensors that hold nothing yet.
            self.register_buffer("corner", corner)
            self.register_buffer("stride", stride)

        def forward(self, x: Any) -> Any:
            raw = torch.cat([part.flatten(2) for part in self.raw(x)], dim=2).transpose(1, 2)
            unit = raw.sigmoid()
            centre = (2 * unit[..., :2] - 0.5 + self.corner) * self.stride
            size = (2 * unit[..., 2:4]) ** 2 * (PRIOR * self.stride)
            return torch.cat([centre, size, unit[..., 4:]], dim=2)

        def raw(self, x: Any) -> list[Any]:
            """What the heads give, finest stride first: [batch, 4 + classes, height, width] each."""
            x = self.stem(x)
            levels = []
            for stage, lateral in zip(self.stages, self.lateral, strict=True):
                x = stage(x)
                levels.append(lateral(x))
            for finer in (1, 0):
                above = functional.interpolate(levels[finer + 1], scale_factor=2.0, mode="nearest")
                levels[finer] = levels[finer] + above
            return [
                head(smooth(level))
                for head, smooth, level in zip(self.heads, self.smooth, levels, strict=True)
            ]

    def _grid() -> tuple[Any, Any]:
        corners, strides = [], []
        for stride in STRIDES:
            cells = EDGE // stride
            y, x = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
            corners.append(torch.stack([x.flatten(), y.flatten()], dim=1))
            strides.append(torch.full((cells * cells, 1), stride))
        return torch.cat(corners).float(), torch.cat(strides).float()

    return Detector

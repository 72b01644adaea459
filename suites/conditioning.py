"""Seeded weights that behave: every layer's output has about unit scale, and the outputs depend on the input.

Random weights as they come make parity meaningless: signals vanish or explode layer by layer, and what is left
hardly depends on the input. Here convolutions and linear layers get He's initialisation, batch norms take their
statistics from a few seeded batches, residual branches are damped, and the last linear layer is centred and scaled
to logits of unit deviation.

Source of the initialisation: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers" (2015), equation 10.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec

BATCHES = 2
BATCH = 8
DAMPING = 0.25
"""Scale of a residual branch beside its shortcut. Undamped, each random block about doubles a rounding error: after
the 16 of ResNet-50 float32 is off by 6e-5 and bfloat16 computes noise; trained networks are as calm as this."""
SCALES = (1, 2, 4, 8)
"""Edge, in pixels, of the patches of one value that the calibration images are made of."""


def condition(module: Any, image: TensorSpec, seed: int) -> None:
    """Give `module` (a float32 `torch.nn.Module` that ends in one `Linear`) seeded weights, in place.

    `image` is its only input: float32 [batch, channels, height, width]. The work is done in float64, so that the
    float32 result is the same on machines whose convolutions round differently. `module` is left in eval mode.
    """
    import torch

    module.double()
    _initialise(module, seed)
    batches = [torch.from_numpy(batch) for batch in calibration_batches(image, seed)]
    with torch.no_grad():
        _settle_norms(module, batches)
        module.eval()
        _settle_logits(module, batches)
    module.float()


def calibration_batches(image: TensorSpec, seed: int) -> Iterator[Array]:
    """`BATCHES` float64 batches of `BATCH` images: noise of several patch sizes, brightnesses and contrasts.

    They cover what the input sets contain (white noise, uniform noise, flat images) and smoother pictures.
    """
    _, channels, height, width = (int(size) for size in image.concrete(BATCH))
    rng = _generator(seed, "calibration")
    for _ in range(BATCHES):
        images = np.empty((BATCH, channels, height, width))
        for index in range(BATCH):
            edge = SCALES[index % len(SCALES)]
            patches = rng.standard_normal((channels, -(-height // edge), -(-width // edge)))
            noise = patches.repeat(edge, axis=1).repeat(edge, axis=2)[:, :height, :width]
            images[index] = rng.uniform(0.3, 1.2) * noise + rng.uniform(-0.5, 0.5, (channels, 1, 1))
        yield images


def _initialise(module: Any, seed: int) -> None:
    import torch
    from torch import nn

    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = math.prod(layer.weight.shape[1:])
            values = _generator(seed, name).standard_normal(tuple(layer.weight.shape)) * math.sqrt(2 / fan_in)
            layer.weight.data.copy_(torch.from_numpy(values))
            if layer.bias is not None:
                layer.bias.data.zero_()


def _settle_norms(module: Any, batches: list[Any]) -> None:
    from torch import nn

    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_parameters()
        norm.momentum = None  # the plain mean over the batches, so that no batch counts more than another
    for layer in module.modules():
        if hasattr(layer, "body") and hasattr(layer, "shortcut"):
            last = [inner for inner in layer.body.modules() if isinstance(inner, nn.BatchNorm2d)][-1]
            last.weight.data.fill_(DAMPING)
    module.train()
    for batch in batches:
        module(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _settle_logits(module: Any, batches: list[Any]) -> None:
    import torch
    from torch import nn

    last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
    logits = torch.cat([module(batch) for batch in batches])
    # Centred over the images: what all images have in common would otherwise drown what tells them apart.
    scale = 1 / (logits - logits.mean(dim=0)).std(correction=0)
    last.weight.data.mul_(scale)
    last.bias.data.copy_(-scale * logits.mean(dim=0))


def _generator(seed: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])

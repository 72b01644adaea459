"""Seeded weights that behave: every layer's output has about unit scale, and the outputs depend on the input.

Random weights as they come make parity meaningless: signals vanish or explode layer by layer, and what is left
hardly depends on the input. Here convolutions and linear layers get He's initialisation, residual branches are
damped, and then the scales are settled by a few seeded batches:

- batch norms take their statistics from them, in convolutional networks;
- each linear layer of an encoder, which has no batch norm, is divided by the deviation of its output;
- what gives the answer is centred and scaled: to logits of unit deviation, or to boxes and scores as a detector
  gives them on a busy picture.

Sources: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers" (2015), equation 10; the scaling of linear layers by
data is that of Mishkin, Matas, "All you need is a good init" (2016), algorithm 1, in one step.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec
from suites.catalogue import BuiltinModel
from suites.inputs import make_inputs

BATCHES = 2
BATCH = 8
DAMPING = 0.25
"""Scale of a residual branch beside its shortcut. Undamped, each random block about doubles a rounding error: after
the 16 of ResNet-50 float32 is off by 6e-5 and bfloat16 computes noise; trained networks are as calm as this.
Positions and segments have this scale beside tokens, or all texts would look alike."""
SCALES = (1, 2, 4, 8)
"""Edge, in pixels, of the patches of one value that the calibration images are made of."""
OCTAVES = (1, 2, 4, 8, 16, 32, 64)
"""The same for a detector's, all in one image."""
BOX = (0.0, 0.3)
SCORE = (-4.0, 1.2)
"""Mean and deviation of what a detector's heads give before the decoding, for boxes and for the scores of classes.
So boxes are about four cells wide and overlap their neighbours, and some cells in a hundred have a score above
0.25: non-maximum suppression has work to do."""


def condition(module: Any, model: BuiltinModel) -> None:
    """Give `module` (the float32 `torch.nn.Module` that `model.factory` makes) seeded weights, in place.

    The work is done in float64, so that the float32 result is the same on machines whose convolutions round
    differently. `module` is left in eval mode.
    """
    import torch

    module.double()
    _initialise(module, model.seed)
    batches = [tuple(torch.from_numpy(array) for array in batch) for batch in calibration_batches(model)]
    with torch.no_grad():
        _settle_norms(module, batches)
        module.eval()
        _SETTLE[model.family](module, batches)
    module.float()


def calibration_batches(model: BuiltinModel) -> list[tuple[Array, ...]]:
    """`BATCHES` batches of `BATCH` entries, the inputs in the model's order: pictures in float64, or token ids.

    A classifier's pictures cover what the input sets contain (white noise, uniform noise, flat images) and smoother
    ones.
    """
    image = model.inputs[0]
    if model.family == "detector":
        both = zip(_pictures(image, model.seed), _photographs(image, model.seed), strict=True)
        return [(np.concatenate([0.5 + 0.5 * noise[: BATCH // 2], photos]),) for noise, photos in both]
    if model.family == "encoder":
        sets = [f"uniform:{2**32 + BATCHES * model.seed + index}" for index in range(BATCHES)]
        drawn = [make_inputs(model.inputs, name, BATCH, model.dims, model.value_range) for name in sets]
        return [tuple(feeds[spec.name] for spec in model.inputs) for feeds in drawn]
    return [(images,) for images in _pictures(image, model.seed)]


def _pictures(image: TensorSpec, seed: int) -> list[Array]:
    _, channels, height, width = (int(size) for size in image.concrete(BATCH))
    rng = _generator(seed, "calibration")
    batches = []
    for _ in range(BATCHES):
        images = np.empty((BATCH, channels, height, width))
        for index in range(BATCH):
            edge = SCALES[index % len(SCALES)]
            patches = rng.standard_normal((channels, -(-height // edge), -(-width // edge)))
            noise = patches.repeat(edge, axis=1).repeat(edge, axis=2)[:, :height, :width]
            images[index] = rng.uniform(0.3, 1.2) * noise + rng.uniform(-0.5, 0.5, (channels, 1, 1))
        batches.append(images)
    return batches


def _photographs(image: TensorSpec, seed: int) -> list[Array]:
    """Pictures from 0 to 1 whose contrast is the same at every scale, as that of photographs is.

    What a detector answers to them decides how many boxes non-maximum suppression gets from a real picture.
    """
    _, channels, height, width = (int(size) for size in image.concrete(BATCH))
    rng = _generator(seed, "calibration")
    batches = []
    for _ in range(BATCHES):
        images = np.empty((BATCH, channels, height, width))
        for index in range(BATCH):
            total = np.zeros((channels, height, width))
            for edge in OCTAVES:
                patches = rng.standard_normal((1, -(-height // edge), -(-width // edge)))
                colours = rng.uniform(0.5, 1.0, (channels, 1, 1))
                total += colours * patches.repeat(edge, axis=1).repeat(edge, axis=2)[:, :height, :width]
            images[index] = np.clip(rng.uniform(0.3, 0.6) + rng.uniform(0.05, 0.15) * total, 0, 1)
        batches.append(images)
    return batches


def _initialise(module: Any, seed: int) -> None:
    import torch
    from torch import nn

    tables = [layer.num_embeddings for layer in module.modules() if isinstance(layer, nn.Embedding)]
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            scale = math.sqrt(2 / math.prod(layer.weight.shape[1:]))
        elif isinstance(layer, nn.Embedding):
            scale = 1.0 if layer.num_embeddings == max(tables) else DAMPING
        else:
            continue
        values = _generator(seed, name).standard_normal(tuple(layer.weight.shape)) * scale
        layer.weight.data.copy_(torch.from_numpy(values))
        if getattr(layer, "bias", None) is not None:
            layer.bias.data.zero_()


def _settle_norms(module: Any, batches: list[Any]) -> None:
    from torch import nn

    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_parameters()
        norm.momentum = None  # the plain mean over the batches, so that no batch counts more than another
    for last in _branch_ends(module, nn.BatchNorm2d):
        last.weight.data.fill_(DAMPING)
    module.train()
    for batch in batches:
        module(*batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _settle_logits(module: Any, batches: list[Any]) -> None:
    import torch
    from torch import nn

    last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
    logits = torch.cat([module(*batch) for batch in batches])
    # Centred over the images: what all images have in common would otherwise drown what tells them apart.
    scale = 1 / (logits - logits.mean(dim=0)).std(correction=0)
    last.weight.data.mul_(scale)
    last.bias.data.copy_(-scale * logits.mean(dim=0))


def _settle_linears(module: Any, batches: list[Any]) -> None:
    import torch
    from torch import nn

    damped = set(_branch_ends(module, nn.Linear))

    def scale(layer: Any, _inputs: Any, output: Any) -> Any:
        wanted = DAMPING if layer in damped else 1.0
        # To 10 bits: with all its digits it would differ in the last ones between machines, and some of the many
        # weights would round to another float32.
        fraction, exponent = math.frexp(wanted / float(output.std(correction=0)))
        factor = math.ldexp(round(fraction * 1024) / 1024, exponent)
        layer.weight.data.mul_(factor)
        return output * factor

    hooks = [layer.register_forward_hook(scale) for layer in module.modules() if isinstance(layer, nn.Linear)]
    module(*(torch.cat(parts) for parts in zip(*batches, strict=True)))
    for hook in hooks:
        hook.remove()


def _settle_heads(module: Any, batches: list[Any]) -> None:
    import torch

    photographs = [images[BATCH // 2 :] for (images,) in batches]
    levels = zip(*(module.raw(images) for images in photographs), strict=True)
    for head, level in zip(module.heads, levels, strict=True):
        found = torch.cat(level).transpose(0, 1).flatten(1)
        wanted = [BOX] * 4 + [SCORE] * (found.shape[0] - 4)
        mean, deviation = found.new_tensor(wanted).unbind(dim=1)
        scale = deviation / found.std(dim=1, correction=0)
        head.weight.data.mul_(scale[:, None, None, None])
        head.bias.data.copy_(mean - scale * found.mean(dim=1))


_SETTLE = {"cnn": _settle_logits, "encoder": _settle_linears, "detector": _settle_heads}


def _branch_ends(module: Any, kind: type) -> list[Any]:
    """The last layer of `kind` in every residual branch."""
    branches = [
        layer.body for layer in module.modules() if hasattr(layer, "body") and hasattr(layer, "shortcut")
    ]
    return [[inner for inner in branch.modules() if isinstance(inner, kind)][-1] for branch in branches]


def _generator(seed: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])

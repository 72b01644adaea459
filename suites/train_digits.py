"""Trains `digits-cnn` on the handwritten digits of scikit-learn, and writes its weights and the test split.

    python -m suites.train_digits

Needs the extras `torch` and `train`. The same versions give the same files: everything random is drawn by numpy from
one seed, training runs in float64 on one thread, and weights are rounded to 12 bits, so that another machine's last
digits do not show. The test split takes no part in training, nor in any choice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from suites.shipped import DIGITS_TEST, DIGITS_WEIGHTS

SEED = 0
TRAINED_ON = 1000
"""Of 1,797 pictures; the other 797 are the test split."""
EPOCHS = 40
BATCH = 50
RATE = 3e-3
DECAY = 1e-4
BITS = 12
INK = 16
"""A pixel of the data set counts the inked ones of 4 x 4, from 0 to 16."""


def split() -> tuple[Array, Array, Array, Array]:
    """Pictures float64 [n, 1, 8, 8] from 0 to 1 and labels int64 [n]: for training, then for the test."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pictures = np.asarray(data.images, np.float64)[:, None] / INK
    labels = np.asarray(data.target, np.int64)
    order = np.random.default_rng(SEED).permutation(len(labels))
    train, test = order[:TRAINED_ON], order[TRAINED_ON:]
    return pictures[train], labels[train], pictures[test], labels[test]


def train(pictures: Array, labels: Array, epochs: int = EPOCHS) -> Any:
    """The trained module, float32, eval mode."""
    import torch
    from torch.nn import functional

    from suites.models.digits_cnn import network

    torch.set_num_threads(1)
    random = np.random.default_rng(SEED)
    module = network().double()
    _initialise(module, random)
    optimiser = torch.optim.Adam(module.parameters(), lr=RATE, weight_decay=DECAY)
    steps = epochs * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(epochs):
        order = random.permutation(len(labels))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            batch = torch.from_numpy(_shifted(pictures[chosen], random))
            loss = functional.cross_entropy(module(batch), torch.from_numpy(labels[chosen]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(_rounded(tensor.numpy())))
    return module.float().eval()


def accuracy(module: Any, pictures: Array, labels: Array) -> float:
    """Share of `pictures` that `module` puts into the right class."""
    import torch

    with torch.no_grad():
        found = module(torch.from_numpy(pictures.astype(np.float32))).argmax(dim=1).numpy()
    return float(np.mean(found == labels))


def write(weights: Path = DIGITS_WEIGHTS, test: Path = DIGITS_TEST, epochs: int = EPOCHS) -> float:
    """Train, write both files, and return the accuracy on the test split."""
    from suites.weights import save_weights

    pictures, labels, test_pictures, test_labels = split()
    module = train(pictures, labels, epochs)
    save_weights(module, weights)
    with test.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            input=test_pictures.astype(np.float32),
            labels=test_labels.astype(np.int64),
        )
    return accuracy(module, test_pictures, test_labels)


def _initialise(module: Any, random: np.random.Generator) -> None:
    """He's initialisation (see `suites.conditioning`), drawn by numpy: torch's own draws may change."""
    import torch
    from torch import nn

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            shape = tuple(layer.weight.shape)
            scale = np.sqrt(2 / np.prod(shape[1:]))
            layer.weight.data.copy_(torch.from_numpy(random.standard_normal(shape) * scale))
            if layer.bias is not None:
                layer.bias.data.zero_()


def _shifted(pictures: Array, random: np.random.Generator) -> Array:
    """Each picture moved by up to one pixel either way: the test's writers do not centre theirs alike."""
    wide = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)))
    places = random.integers(0, 3, (len(pictures), 2))
    return np.stack([picture[:, y : y + 8, x : x + 8] for picture, (y, x) in zip(wide, places, strict=True)])


def _rounded(values: Array) -> Array:
    fractions, exponents = np.frexp(values)
    return np.asarray(np.ldexp(np.round(fractions * 2**BITS) / 2**BITS, exponents))


if __name__ == "__main__":
    print(f"test accuracy {write():.4f}; wrote {DIGITS_WEIGHTS.name} and {DIGITS_TEST.name}")

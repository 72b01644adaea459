"""Seeded weights of the kit's models, under the names of a torch state dict, float32."""

from __future__ import annotations

import numpy as np

from backends.contract import Array

SEED = 20261


def _linear(rng: np.random.Generator, name: str, outputs: int, inputs: int) -> dict[str, Array]:
    scale = 1.0 / np.sqrt(inputs)
    return {
        f"{name}.weight": (rng.standard_normal((outputs, inputs)) * scale).astype(np.float32),
        f"{name}.bias": (rng.standard_normal(outputs) * 0.1).astype(np.float32),
    }


def _norm(rng: np.random.Generator, name: str, size: int) -> dict[str, Array]:
    return {
        f"{name}.weight": rng.uniform(0.5, 1.5, size).astype(np.float32),
        f"{name}.bias": (rng.standard_normal(size) * 0.1).astype(np.float32),
    }


def cnn() -> dict[str, Array]:
    """Weights of the convolutional model."""
    rng = np.random.default_rng([SEED, 1])
    weights: dict[str, Array] = {
        "first.weight": (rng.standard_normal((8, 3, 3, 3)) * 0.3).astype(np.float32),
        "first.bias": (rng.standard_normal(8) * 0.1).astype(np.float32),
        "second.weight": (rng.standard_normal((8, 8, 3, 3)) * 0.15).astype(np.float32),
        "second.bias": (rng.standard_normal(8) * 0.1).astype(np.float32),
        "norm.running_mean": (rng.standard_normal(8) * 0.2).astype(np.float32),
        "norm.running_var": rng.uniform(0.5, 2.0, 8).astype(np.float32),
        "norm.num_batches_tracked": np.array(1, dtype=np.int64),
    }
    return weights | _norm(rng, "norm", 8) | _linear(rng, "head", 10, 8)


def mlp() -> dict[str, Array]:
    """Weights of the model with two inputs and two outputs."""
    rng = np.random.default_rng([SEED, 2])
    return _linear(rng, "left", 12, 16) | _linear(rng, "right", 12, 8) | _linear(rng, "head", 4, 12)


def lstm() -> dict[str, Array]:
    """Weights of the recurrent model: gates in torch's order (input, forget, cell, output)."""
    rng = np.random.default_rng([SEED, 3])

    def draw(*shape: int) -> Array:
        return rng.uniform(-0.35, 0.35, shape).astype(np.float32)

    return {
        "rnn.weight_ih_l0": draw(64, 12),
        "rnn.weight_hh_l0": draw(64, 16),
        "rnn.bias_ih_l0": draw(64),
        "rnn.bias_hh_l0": draw(64),
    }


def transformer() -> dict[str, Array]:
    """Weights of the transformer block."""
    rng = np.random.default_rng([SEED, 4])
    weights: dict[str, Array] = {"embed.weight": rng.standard_normal((32, 16)).astype(np.float32)}
    for name in ("query", "key", "value", "project"):
        weights |= _linear(rng, name, 16, 16)
    weights |= _norm(rng, "norm1", 16) | _norm(rng, "norm2", 16)
    return weights | _linear(rng, "up", 32, 16) | _linear(rng, "down", 16, 32)


def branch() -> dict[str, Array]:
    """Weights of the model with a data-dependent branch."""
    rng = np.random.default_rng([SEED, 5])
    return _linear(rng, "positive", 4, 8) | _linear(rng, "negative", 4, 8)


def bulk() -> dict[str, Array]:
    """Eight mebibytes of weights: what is not released at `close` shows."""
    rng = np.random.default_rng([SEED, 6])
    return _linear(rng, "wide", 2048, 1024)

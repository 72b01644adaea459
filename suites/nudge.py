"""Values moved by one rounding: how far a model's outputs move then tells how it answers to rounding at all.

This stands in for a yardstick where nothing computes the model in float64 (compare D. S. Parker, *Monte Carlo
Arithmetic*, 1997, who perturbs every operation). onnx is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.contract import Array

SEED = 20


def nudged(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Each finite floating-point number moved to its upper or lower neighbour in its own format; others stay."""
    random = np.random.default_rng(SEED)
    return {name: _moved(array, random) for name, array in arrays.items()}


def nudged_model(model: Any) -> None:
    """Move the floating-point initializers of the graph of the `onnx.ModelProto` `model`, in place."""
    from onnx import numpy_helper

    random = np.random.default_rng(SEED + 1)
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype.kind == "f":
            tensor.CopyFrom(numpy_helper.from_array(_moved(array, random), tensor.name))


def _moved(array: Array, random: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    # Zeros stay: they are padding, masks and cut-offs, which no engine rounds.
    up = random.random(array.shape) < 0.5
    ends = np.where(up, np.inf, -np.inf).astype(array.dtype)
    return np.asarray(np.where(np.isfinite(array) & (array != 0), np.nextafter(array, ends), array))

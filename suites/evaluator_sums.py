"""Long sums for the ONNX reference evaluator in float32, added up as vector units do it.

numpy adds pairwise, with an error far below that of any engine: as a yardstick it would call right engines wrong whose
sums are long, such as an instance normalisation of a large picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.contract import Array

LANES = 16
"""Float32 numbers in a vector of 512 bits."""


def plain_sums() -> list[Any]:
    """InstanceNormalization and GlobalAveragePool with plain sums in float32; classes of `onnx.reference`."""
    from onnx.reference.op_run import OpRun

    class InstanceNormalization(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Array, scale: Array, bias: Array, epsilon: float | None = None) -> tuple[Array]:
            flat = x.reshape(*x.shape[:2], -1)
            centred = flat - _mean(flat)
            root = np.sqrt(_mean(centred * centred) + flat.dtype.type(epsilon))
            made = centred / root * scale[:, None] + bias[:, None]
            return (made.reshape(x.shape).astype(x.dtype),)

    class GlobalAveragePool(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Array) -> tuple[Array]:
            mean = _mean(x.reshape(*x.shape[:2], -1))
            return (mean.reshape(*x.shape[:2], *[1] * (x.ndim - 2)).astype(x.dtype),)

    return [InstanceNormalization, GlobalAveragePool]


def _mean(flat: Array) -> Array:
    """Over the last axis, which is kept."""
    if flat.dtype != np.float32:
        return np.asarray(flat.mean(axis=-1, keepdims=True))
    count = flat.shape[-1]
    padded = np.zeros((*flat.shape[:-1], -(-count // LANES) * LANES), np.float32)
    padded[..., :count] = flat
    lanes = padded.reshape(*flat.shape[:-1], -1, LANES)
    # One after the other in each lane: a running sum is never paired.
    total = np.cumsum(lanes, axis=-2, dtype=np.float32)[..., -1, :].sum(axis=-1, keepdims=True)
    return np.asarray(total / np.float32(count))

"""Long sums for the ONNX reference evaluator in float32, added up as vector units do it.

numpy adds pairwise, with an error far below that of any engine: as a yardstick it would call right engines wrong whose
sums are long, such as an instance normalisation of a large picture. In how many lanes an engine adds follows from its
layout: where channels lie side by side, every channel's sum is one lane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from backends.contract import Array

LANES = 16
"""Float32 numbers in a vector of 512 bits."""
SUMMING = frozenset(
    {
        *(
            "ReduceL1",
            "ReduceL2",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ReduceMean",
            "ReduceSum",
            "ReduceSumSquare",
        ),
        *("LayerNormalization", "LogSoftmax", "LpNormalization", "RMSNormalization", "Softmax"),
    }
)
"""Operators that the evaluator computes by numpy's sums and means."""
LONG_SUMS = SUMMING | {
    "GlobalAveragePool",
    "GroupNormalization",
    "InstanceNormalization",
    "MeanVarianceNormalization",
}
"""Operators whose sums may be so long that the order of summation decides their error."""
_LANES: ContextVar[int | None] = ContextVar("_LANES", default=LANES)


@contextmanager
def adding_in(lanes: int | None) -> Iterator[None]:
    """Add up in so many lanes; None: pairwise, as numpy does."""
    token = _LANES.set(lanes)
    try:
        yield
    finally:
        _LANES.reset(token)


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


def adding_plainly(run: Callable[..., Any]) -> Callable[..., Any]:
    """The method `run` of one of SUMMING, with plain sums in float32."""

    def plain(*inputs: Any, **options: Any) -> Any:
        given = [each.view(_Plain) if isinstance(each, np.ndarray) else each for each in inputs]
        return tuple(np.asarray(each) for each in run(*given, **options))

    return plain


class _Plain(np.ndarray[Any, Any]):
    """An array whose sums are plain: numpy's functions call these methods, and what is computed from it is one too."""

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        array = np.asarray(self)
        plain = array.dtype == np.float32 and dtype in (None, np.float32)
        axes = range(array.ndim) if axis is None else (axis,) if isinstance(axis, int | np.integer) else axis
        away = sorted(int(each) % array.ndim for each in axes)
        # Along other axes than the last, numpy adds one row after the other, as engines do.
        if not plain or not array.size or _LANES.get() is None or array.ndim - 1 not in away:
            return np.asarray(array.sum(axis, dtype, out, **options)).view(_Plain)
        kept = [each for each in range(array.ndim) if each not in away]
        sizes = [array.shape[each] for each in kept]
        made = _sum(array.transpose(*kept, *away).reshape(*sizes, -1))[..., 0]
        if options.get("keepdims"):
            made = np.expand_dims(made, tuple(away))
        return np.asarray(made).view(_Plain)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        total = self.sum(axis, dtype, out, **options)
        return total / total.dtype.type(self.size / max(total.size, 1))


def _mean(flat: Array) -> Array:
    """Over the last axis, which is kept."""
    return np.asarray(_sum(flat) / flat.dtype.type(flat.shape[-1]))


def _sum(flat: Array) -> Array:
    """Over the last axis, which is kept."""
    count, width = flat.shape[-1], _LANES.get()
    if flat.dtype != np.float32 or width is None:
        return np.asarray(flat.sum(axis=-1, keepdims=True))
    padded = np.zeros((*flat.shape[:-1], -(-count // width) * width), np.float32)
    padded[..., :count] = flat
    lanes = padded.reshape(*flat.shape[:-1], -1, width)
    # One after the other in each lane: a running sum is never paired.
    return np.asarray(np.cumsum(lanes, axis=-2, dtype=np.float32)[..., -1, :].sum(axis=-1, keepdims=True))

"""numpy's kernels: products by its BLAS, streams by its loops on slices, one thread a slice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from backends.ceilings import Kernel, Size, moved_by, operations_of
from backends.contract import Array, UnsupportedError

_SCALE = np.float32(3.0)


def product(precision: str, size: Size, _threads: int, device: str) -> Kernel:
    """A float32 product; its threads are the BLAS's own (`OPENBLAS_NUM_THREADS` and the like)."""
    if precision != "fp32" or device != "cpu":
        raise UnsupportedError(f"numpy has no {precision} product of its own on {device}")
    rows, columns, inner = size
    a, b = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    c = np.empty((rows, columns), np.float32)
    return Kernel(lambda: np.matmul(a, b, out=c), operations_of(size), moved_by(size, 4, 4), np.__version__)


def stream(name: str, array_bytes: int, threads: int, device: str) -> Kernel:
    """STREAM's copy, scale and add, and a sum; a triad would be two passes."""
    arrays = {"copy": 2, "scale": 2, "add": 3, "sum": 1}
    if name not in arrays or device != "cpu":
        raise UnsupportedError(f"numpy has no {name} in one pass on {device}")
    a, b, c = (np.ones(array_bytes // 4 if used else 0, np.float32) for used in _used(arrays[name]))
    passes: dict[str, Callable[[Array, Array, Array], object]] = {
        "copy": lambda a, b, _c: np.copyto(b, a),
        "scale": lambda a, b, _c: np.multiply(a, _SCALE, out=b),
        "add": lambda a, b, c: np.add(a, b, out=c),
        "sum": lambda a, _b, _c: a.sum(),
    }
    parts = list(zip(*(np.array_split(array, threads) for array in (a, b, c)), strict=True))
    if threads == 1:
        call: Callable[[], object] = lambda: passes[name](*parts[0])  # noqa: E731
    else:
        pool = ThreadPoolExecutor(threads)
        call = lambda: list(pool.map(lambda part: passes[name](*part), parts))  # noqa: E731
    return Kernel(call, 0, arrays[name] * array_bytes, np.__version__)


def _used(arrays: int) -> list[bool]:
    return [index < arrays for index in range(3)]

"""Kernels by which a machine's ceilings are found: matrix products and memory streams of every library at hand.

No single library reaches a machine's best everywhere (MKL on another maker's processor is half as fast as it could be),
and a ceiling that an engine exceeds is no ceiling: so several are tried and the best one counts. No clock in here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Size = tuple[int, int, int]
"""Rows, columns and inner size of a matrix product."""

IMPLEMENTATIONS = {
    "numpy": ("numpy", "backends.ceilings.numpy_kernels"),
    "torch": ("torch", "backends.ceilings.torch_kernels"),
    "ort": ("onnxruntime", "backends.ceilings.ort_kernels"),
    "openvino": ("openvino", "backends.ceilings.openvino_kernels"),
}
"""Implementation -> distribution that its version is read from, module with `product` and `stream`."""

PRODUCTS = {
    ("cpu", "fp32"): ("numpy", "torch", "ort", "openvino"),
    ("cpu", "bf16"): ("torch", "openvino"),
    ("cpu", "fp16"): ("torch", "openvino"),
    ("cpu", "int8"): ("torch", "ort"),
    ("cuda", "fp32"): ("torch",),
    ("cuda", "tf32"): ("torch",),
    ("cuda", "bf16"): ("torch",),
    ("cuda", "fp16"): ("torch",),
    ("cuda", "int8"): ("torch",),
}
"""Device and precision -> implementations that may have such a product."""

STREAMS = ("copy", "scale", "add", "triad", "sum")
"""STREAM's four (McCalpin 1995): c = a, b = s·c, c = a + b, a = b + s·c; and a sum, which reads only, as weights are.

Bytes are counted as STREAM does: every array once a pass. What a store reads first (write-allocate) is not counted.
"""

STREAMERS = {"cpu": ("numpy", "torch"), "cuda": ("torch",)}


@dataclass(frozen=True)
class Kernel:
    """A piece of work that is ready to run. `call` returns when its result is there."""

    call: Callable[[], object]
    operations: int
    """Of one call, two for a multiply-accumulate."""
    moved: int
    """Bytes of its operands and results, each once."""
    version: str


def product(implementation: str, precision: str, size: Size, threads: int, device: str) -> Kernel:
    """A matrix product. Raises UnavailableError or UnsupportedError where there is none, with the reason."""
    kernel: Kernel = _module(implementation).product(precision, size, threads, device)
    return kernel


def stream(implementation: str, name: str, array_bytes: int, threads: int, device: str) -> Kernel:
    """A memory stream over arrays of `array_bytes`. Raises UnavailableError or UnsupportedError, with the reason."""
    kernel: Kernel = _module(implementation).stream(name, array_bytes, threads, device)
    return kernel


def operations_of(size: Size) -> int:
    """Operations of a product: two for each of rows × columns × inner multiply-accumulates."""
    rows, columns, inner = size
    return 2 * rows * columns * inner


def moved_by(size: Size, width: int, result_width: int) -> int:
    """Bytes of both operands (`width` an element) and the result."""
    rows, columns, inner = size
    return width * (rows * inner + inner * columns) + result_width * rows * columns


def _module(implementation: str) -> Any:
    return importlib.import_module(IMPLEMENTATIONS[implementation][1])

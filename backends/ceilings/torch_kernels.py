"""PyTorch's kernels, on the CPU and on CUDA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backends.catalogue import install_command
from backends.ceilings import Kernel, Size, moved_by, operations_of
from backends.contract import UnavailableError, UnsupportedError
from backends.engine_import import import_engine

_FLOATS = {"fp32": ("float32", 4), "tf32": ("float32", 4), "bf16": ("bfloat16", 2), "fp16": ("float16", 2)}


def product(precision: str, size: Size, threads: int, device: str) -> Kernel:
    """`torch.mm`, or `torch._int_mm` for int8; TF32 is on for tf32 only."""
    torch = _torch(threads, device)
    if precision == "tf32" and device != "cuda":
        raise UnsupportedError("TF32 is a format of NVIDIA's tensor cores")
    rows, columns, inner = size
    if device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    if precision == "int8":
        a, b = (
            torch.randint(-100, 100, shape, dtype=torch.int8, device=device)
            for shape in ((rows, inner), (inner, columns))
        )
        return _kernel(torch, device, lambda: torch._int_mm(a, b), operations_of(size), moved_by(size, 1, 4))
    name, width = _FLOATS[precision]
    x, y, z = (
        torch.ones(shape, dtype=getattr(torch, name), device=device)
        for shape in ((rows, inner), (inner, columns), (rows, columns))
    )
    return _kernel(
        torch, device, lambda: torch.mm(x, y, out=z), operations_of(size), moved_by(size, width, width)
    )


def stream(name: str, array_bytes: int, threads: int, device: str) -> Kernel:
    """STREAM's four, and a sum."""
    torch = _torch(threads, device)
    arrays = {"copy": 2, "scale": 2, "add": 3, "triad": 3, "sum": 1}[name]
    a, b, c = (
        torch.ones(array_bytes // 4 if index < arrays else 0, dtype=torch.float32, device=device)
        for index in range(3)
    )
    passes: dict[str, Callable[[], Any]] = {
        "copy": lambda: b.copy_(a),
        "scale": lambda: torch.mul(a, 3.0, out=b),
        "add": lambda: torch.add(a, b, out=c),
        "triad": lambda: torch.add(a, b, alpha=3.0, out=c),
        "sum": lambda: a.sum(),
    }
    return _kernel(torch, device, passes[name], 0, arrays * array_bytes)


def _torch(threads: int, device: str) -> Any:
    torch = import_engine("torch", install_command("torch"))
    if device == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("torch sees no CUDA device here")
    torch.set_num_threads(threads)
    return torch


def _kernel(torch: Any, device: str, call: Callable[[], Any], operations: int, moved: int) -> Kernel:
    version = str(torch.__version__)
    if device != "cuda":
        return Kernel(call, operations, moved, version)

    def finished() -> None:
        call()
        torch.cuda.synchronize()

    return Kernel(finished, operations, moved, version)

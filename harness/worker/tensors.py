"""Named arrays in anonymous shared memory, passed between processes as a file descriptor and a layout.

The memory has no name, so nothing can be left behind: it is gone when the last process that holds it is gone,
however that process ends.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.contract import Array
from backends.dtypes import ONNX_NUMBERS, dtype_of

_ALIGNMENT = 64
Layout = list[dict[str, Any]]


def pack(arrays: Mapping[str, Array]) -> tuple[int, Layout]:
    """Copy `arrays` into new shared memory. Returns its descriptor, which the caller closes, and the layout."""
    layout: Layout = []
    offset = 0
    for name, value in arrays.items():
        if value.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; only plain numbers can be shared")
        layout.append(
            {"name": name, "dtype": _written(value.dtype), "shape": list(value.shape), "offset": offset}
        )
        offset += -(-value.nbytes // _ALIGNMENT) * _ALIGNMENT
    fd = _anonymous_memory()
    try:
        os.ftruncate(fd, max(offset, 1))
        with mmap.mmap(fd, max(offset, 1)) as memory:
            for entry, value in zip(layout, arrays.values(), strict=True):
                contiguous = np.ascontiguousarray(value)
                start = entry["offset"]
                memory[start : start + contiguous.nbytes] = contiguous.tobytes()
    except BaseException:
        os.close(fd)
        raise
    return fd, layout


def unpack(fd: int, layout: Layout) -> dict[str, Array]:
    """Map the arrays that `pack` left. They are private copies on write: the sender never sees a change.

    Closes `fd`; the mapping lives as long as the arrays do.
    """
    try:
        size = os.fstat(fd).st_size
        memory = mmap.mmap(fd, size, access=mmap.ACCESS_COPY)
    finally:
        os.close(fd)
    arrays: dict[str, Array] = {}
    for entry in layout:
        dtype = dtype_of(entry["dtype"])
        shape = tuple(entry["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        flat = np.frombuffer(memory, dtype=dtype, count=count, offset=entry["offset"]) if count else None
        arrays[entry["name"]] = np.empty(shape, dtype) if flat is None else flat.reshape(shape)
    return arrays


def _written(dtype: np.dtype[Any]) -> str:
    """A dtype as the receiver reads it: with its byte order, or by name where numpy itself lacks the type."""
    return dtype.name if dtype.name in ONNX_NUMBERS else dtype.str


def _anonymous_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("harness-tensors", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())

"""Counts subnormal numbers: in arrays anywhere, and in the weights of an ONNX model in a worker of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.contract import Array

JOB = "suites.subnormals:count_in_onnx"
"""For `run_job`: arguments {"path": of the model}, answer {"subnormal", "total", "skipped"}."""


@dataclass(frozen=True)
class Subnormals:
    """`subnormal` of `total` floating-point numbers; integers are not counted."""

    subnormal: int = 0
    total: int = 0

    def __add__(self, other: Subnormals) -> Subnormals:
        return Subnormals(self.subnormal + other.subnormal, self.total + other.total)


def count(array: Array) -> Subnormals:
    """Count in one array of any shape; arrays that are not floating-point count as empty.

    Compares bits in the array's own type: a processor that is told to flush subnormal numbers would hide them from
    ordinary comparisons. float16, float32 and float64 by IEEE 754; other floating types by their smallest normal
    number.
    """
    if array.dtype.kind != "f" and not array.dtype.name.startswith(("bfloat", "float8")):
        return Subnormals()
    bits = _BITS.get(array.dtype.name)
    if bits is None:
        wide = np.abs(np.asarray(array, dtype=np.float64))
        smallest = float(np.finfo(array.dtype).tiny) if array.dtype.kind == "f" else 2.0**-126
        return Subnormals(int(np.count_nonzero((wide > 0.0) & (wide < smallest))), array.size)
    integer, exponent, mantissa = bits
    raw = np.ascontiguousarray(array).view(integer)
    found = ((raw & integer(exponent)) == 0) & ((raw & integer(mantissa)) != 0)
    return Subnormals(int(np.count_nonzero(found)), array.size)


def count_all(arrays: Iterable[Array] | Mapping[str, Array]) -> Subnormals:
    """Count in several arrays, or in the values of a mapping."""
    values = arrays.values() if isinstance(arrays, Mapping) else arrays
    return sum((count(np.asarray(value)) for value in values), Subnormals())


def count_in_onnx(
    arguments: Mapping[str, Any], _arrays: Mapping[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: count in every floating-point initialiser and constant of the model, subgraphs included.

    "skipped" counts tensors whose data is not there (external data that is missing).
    """
    import onnx
    from onnx import numpy_helper

    path = str(arguments["path"])
    model = onnx.load(path)
    found, skipped = Subnormals(), 0
    for tensor in _tensors(model.graph):
        if math.prod(tensor.dims) == 0:
            continue
        try:
            found += count(numpy_helper.to_array(tensor))
        except (ValueError, TypeError, OSError):
            skipped += 1
    return {"subnormal": found.subnormal, "total": found.total, "skipped": skipped}, {}


_BITS: dict[str, tuple[Any, int, int]] = {
    # view as, exponent bits, mantissa bits
    "float16": (np.uint16, 0x7C00, 0x03FF),
    "bfloat16": (np.uint16, 0x7F80, 0x007F),
    "float32": (np.uint32, 0x7F80_0000, 0x007F_FFFF),
    "float64": (np.uint64, 0x7FF0_0000_0000_0000, 0x000F_FFFF_FFFF_FFFF),
}


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)
            for inner in attribute.graphs:
                yield from _tensors(inner)

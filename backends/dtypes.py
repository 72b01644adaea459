"""Names of element types, those that numpy lacks included: bfloat16, 8-bit floats, and types below a byte.

Arrays of such types are numpy arrays whose dtype comes from the package ml_dtypes, which `onnx` brings along. It is
imported only where such a type is met. Types below a byte take one byte an element in numpy, and are packed in engines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.contract import Array, UnavailableError

ONNX_NUMBERS = {
    "bfloat16": 16,
    "float8_e4m3fn": 17,
    "float8_e4m3fnuz": 18,
    "float8_e5m2": 19,
    "float8_e5m2fnuz": 20,
    "uint4": 21,
    "int4": 22,
    "float4_e2m1fn": 23,
    "float8_e8m0fnu": 24,
    "uint2": 25,
    "int2": 26,
}
"""Types of ml_dtypes that ONNX has -> number in its `TensorProto.DataType`."""

BITS = {"uint4": 4, "int4": 4, "float4_e2m1fn": 4, "uint2": 2, "int2": 2}
"""Bits of an element, for the types below a byte."""


def dtype_of(name: str) -> np.dtype[Any]:
    """The numpy dtype with this name. Raises UnavailableError where it needs ml_dtypes, which is not here."""
    if name not in ONNX_NUMBERS:
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError as error:
        raise UnavailableError(
            f"tensors of {name} need the package ml_dtypes; pip install ml_dtypes"
        ) from error
    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found


def pack(array: Array) -> Array:
    """The bytes of an array of a type below a byte as engines keep it: uint8, flat, first element in the low bits."""
    bits = BITS[array.dtype.name]
    per_byte = 8 // bits
    values = np.ascontiguousarray(array).view(np.uint8).reshape(-1) & ((1 << bits) - 1)
    padded = np.zeros(-(-values.size // per_byte) * per_byte, dtype=np.uint8)
    padded[: values.size] = values
    shifts = np.arange(per_byte, dtype=np.uint8) * bits
    packed: Array = np.bitwise_or.reduce(padded.reshape(-1, per_byte) << shifts, axis=1, dtype=np.uint8)
    return packed


def unpack(packed: Array, name: str, shape: tuple[int, ...]) -> Array:
    """The inverse of `pack`: the array of `shape` and of the type called `name`."""
    bits = BITS[name]
    shifts = np.arange(8 // bits, dtype=np.uint8) * bits
    values = ((packed.reshape(-1, 1) >> shifts) & ((1 << bits) - 1)).reshape(-1)
    values = values[: int(np.prod(shape, dtype=np.int64))].reshape(shape)
    dtype = dtype_of(name)
    if name.startswith("int"):
        sign = 1 << (bits - 1)
        return ((values ^ sign).astype(np.int8) - sign).astype(dtype)
    return values.view(dtype)

"""Tensors of ONNX Runtime: its words for their types, and values of types that numpy lacks."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec, UncarriedError
from backends.dtypes import BITS, ONNX_NUMBERS, dtype_of, pack, unpack

_WORDS = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bfloat16)": "bfloat16",
    "tensor(float8e4m3fn)": "float8_e4m3fn",
    "tensor(float8e4m3fnuz)": "float8_e4m3fnuz",
    "tensor(float8e5m2)": "float8_e5m2",
    "tensor(float8e5m2fnuz)": "float8_e5m2fnuz",
    "tensor(float8e8m0)": "float8_e8m0fnu",
    "tensor(float8e8m0fnu)": "float8_e8m0fnu",
    "tensor(float4e2m1)": "float4_e2m1fn",
    "tensor(float4e2m1fn)": "float4_e2m1fn",
    "tensor(int2)": "int2",
    "tensor(int4)": "int4",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint2)": "uint2",
    "tensor(uint4)": "uint4",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
}


def spec_of(value: Any) -> TensorSpec:
    """The engine's description of an input or output as a `TensorSpec`."""
    if value.type not in _WORDS:
        raise UncarriedError(
            f"{value.name!r} is a {value.type}; the adapter takes tensors of numbers and booleans"
        )
    dims = tuple(
        dim if isinstance(dim, int | str) and dim != "" else f"{value.name}_dim{axis}"
        for axis, dim in enumerate(value.shape)
    )
    return TensorSpec(value.name, _WORDS[value.type], dims)


def is_foreign(dtype: str) -> bool:
    """Whether numpy itself lacks a type, so that ONNX Runtime cannot take its arrays as they are."""
    return dtype in ONNX_NUMBERS


def value_of(ort: Any, array: Array) -> Any:
    """An `OrtValue` with the content of `array`, whose type numpy lacks. Types below a byte are packed into a copy."""
    name = array.dtype.name
    if name in BITS:
        # The value takes its shape from the array, so that it has to be as large, although it is filled in part.
        room = np.zeros(array.shape, dtype=np.uint8)
        packed = pack(array)
        room.reshape(-1)[: packed.size] = packed
    else:
        room = array.view(np.uint16 if array.dtype.itemsize == 2 else np.uint8)
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(room, ONNX_NUMBERS[name])


def view(value: Any, spec: TensorSpec) -> Array:
    """The engine's output memory as an array; it keeps the memory alive, but the next inference may overwrite it.

    Types below a byte are unpacked into a copy.
    """
    shape = tuple(value.shape())
    dtype = dtype_of(spec.dtype)
    bits = BITS.get(spec.dtype, 8 * dtype.itemsize)
    size = -(-int(np.prod(shape, dtype=np.int64)) * bits // 8)
    if not size:
        return np.empty(shape, dtype)
    memory: Any = (ctypes.c_uint8 * size).from_address(value.data_ptr())
    memory.owner = value
    if spec.dtype in BITS:
        return unpack(np.frombuffer(memory, dtype=np.uint8), spec.dtype, shape)
    return np.frombuffer(memory, dtype=dtype).reshape(shape)

"""Tensors of OpenVINO whose type numpy lacks: in and out of its own tensors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from backends.contract import Array, UncarriedError
from backends.dtypes import BITS, dtype_of, pack, unpack

_WORDS = {
    "bf16": "bfloat16",
    "f8e4m3": "float8_e4m3fn",
    "f8e5m2": "float8_e5m2",
    "f8e8m0": "float8_e8m0fnu",
    "f4e2m1": "float4_e2m1fn",
    "i4": "int4",
    "u4": "uint4",
    "u2": "uint2",
}
_OWN = {word: name for name, word in _WORDS.items()}
_UNKNOWN = {"nf4", "u1", "u3", "u6", "string", "dynamic"}


def dtype_name(element_type: Any) -> str:
    """The contract's name of an element type. Raises UncarriedError for one that no array can hold."""
    own = element_type.get_type_name()
    if own in _UNKNOWN:
        raise UncarriedError(f"a tensor is of OpenVINO's type {own}; the adapter takes numbers and booleans")
    return _WORDS.get(own) or np.dtype(element_type.to_dtype()).name


def tensor_over(openvino: Any, array: Array) -> Any:
    """A tensor over the memory of `array`; of types below a byte over a packed copy, which the tensor keeps."""
    own = _OWN.get(array.dtype.name)
    if own is None:
        return openvino.Tensor(array, shared_memory=True)
    packed = pack(array) if array.dtype.name in BITS else array.reshape(-1).view(np.uint8)
    kind = getattr(openvino.Type, own)
    if not array.size:
        return openvino.Tensor(kind, list(array.shape))
    if own == "bf16":
        packed = array.reshape(-1).view(np.float16)
    return openvino.Tensor(packed, openvino.Shape(list(array.shape)), kind)


def array_over(tensor: Any, dtype: str) -> Array:
    """The memory of a tensor as an array of the contract's type `dtype`; of types below a byte an unpacked copy."""
    data: Array = tensor.data
    if dtype not in _OWN:
        return data
    shape = tuple(tensor.shape)
    if not int(np.prod(shape, dtype=np.int64)):
        return np.empty(shape, dtype_of(dtype))
    if dtype in BITS:
        return unpack(np.ascontiguousarray(data).view(np.uint8).reshape(-1), dtype, shape)
    return data.view(dtype_of(dtype)).reshape(shape)


def match_ports(names: Sequence[Collection[str]], declared: Sequence[str]) -> list[str]:
    """The declared name of every port, "" where none fits; `names` are all that a port is called by, in order.

    An input that goes straight to an output is called like the output after the conversion: ports whose names nobody
    declared take the declared ones that are left, in order, when there are as many of both. Declared names that no
    port takes are of tensors that the conversion found unused and dropped.
    """
    found = [next((name for name in declared if name in called), "") for called in names]
    unknown = [place for place, name in enumerate(found) if not name]
    left = [name for name in declared if name not in found]
    if len(unknown) == len(left):
        for place, name in zip(unknown, left, strict=True):
            found[place] = name
    return found

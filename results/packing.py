"""How raw samples and checkpoints become bytes.

Layout 1 of samples, before zlib compression: signed 64-bit integers, little-endian. First the number of arrays,
then the length of each array, then the arrays one after the other. No pickle: reading cannot run code.
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Sequence
from typing import Any

SAMPLES_LAYOUT = 1
# Samples hardly compress, so more effort would cost time and save nothing.
LEVEL = 3


class DamagedError(ValueError):
    """Bytes that are not what was written."""


def pack_samples(arrays: Sequence[Sequence[int]]) -> bytes:
    """Pack arrays of nanoseconds in layout 1. Raises OverflowError for a value outside 64 bits."""
    flat = array("q", [len(arrays), *(len(values) for values in arrays)])
    for values in arrays:
        flat.extend(values)
    if sys.byteorder == "big":
        flat.byteswap()
    return zlib.compress(flat.tobytes(), LEVEL)


def unpack_samples(data: bytes, layout: int) -> list[tuple[int, ...]]:
    """The arrays that `pack_samples` took. Raises DamagedError for other bytes or an unknown layout."""
    if layout != SAMPLES_LAYOUT:
        raise DamagedError(f"samples have the unknown layout {layout}")
    flat = array("q")
    try:
        flat.frombytes(zlib.decompress(data))
    except (zlib.error, ValueError) as error:
        raise DamagedError(f"samples cannot be unpacked: {error}") from error
    if sys.byteorder == "big":
        flat.byteswap()
    count = flat[0] if flat else -1
    lengths = flat[1 : 1 + count] if count >= 0 else []
    if len(lengths) != count or any(n < 0 for n in lengths) or len(flat) != 1 + count + sum(lengths):
        raise DamagedError("samples are cut short")
    arrays: list[tuple[int, ...]] = []
    start = 1 + count
    for length in lengths:
        arrays.append(tuple(flat[start : start + length]))
        start += length
    return arrays


def pack_json(payload: dict[str, Any]) -> bytes:
    """Compressed JSON. Raises TypeError for what JSON has no form for."""
    return zlib.compress(json.dumps(payload).encode(), LEVEL)


def unpack_json(data: bytes) -> dict[str, Any]:
    """The dictionary that `pack_json` took. Raises DamagedError for other bytes."""
    try:
        payload = json.loads(zlib.decompress(data))
    except (zlib.error, ValueError) as error:
        raise DamagedError(f"a checkpoint cannot be unpacked: {error}") from error
    if not isinstance(payload, dict):
        raise DamagedError("a checkpoint is not a dictionary")
    return payload

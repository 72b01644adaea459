"""Copies of input arrays whose alignment does not depend on chance."""

from __future__ import annotations

import numpy as np

from backends.contract import Array

ALIGNMENT = 64
"""Bytes: a cache line, and the width of the widest vector register."""


def aligned_copy(array: Array) -> Array:
    """A C-contiguous copy of `array`, same shape and dtype, that begins at a multiple of `ALIGNMENT`.

    Engines read such memory in place. Numpy alone promises 16 bytes, so that the same engine could be fast in one
    process and slow in the next; and the caller's array stays the caller's.
    """
    room = np.empty(array.nbytes + ALIGNMENT, dtype=np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy

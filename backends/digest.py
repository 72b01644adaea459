"""The digest by which both sides of a worker know that they have the very same arrays. numpy only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from backends.contract import Array


def sha256_of(arrays: Mapping[str, Array]) -> str:
    """SHA-256 (hexadecimal) over names, dtypes, shapes and little-endian bytes; the order of names does not matter."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        head = f"{len(name)}:{name} {little.dtype.str} {','.join(map(str, little.shape))}\n"
        digest.update(head.encode())
        digest.update(little.tobytes())
    return digest.hexdigest()

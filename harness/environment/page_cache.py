"""Puts files out of the kernel's page cache, so that reading them afterwards comes from the disk: a cold start.

Sources: posix_fadvise(2) with POSIX_FADV_DONTNEED, which needs no privilege and drops clean pages only (hence the
fsync), and mincore(2), which tells how much of a file is in memory.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Sequence
from pathlib import Path

LEFT = 0.01
"""Share of a file's pages that may stay for it to count as cold."""


def evict(paths: Sequence[Path]) -> bool:
    """Drop the files from memory; True when that can be seen to have worked for all of them."""
    gone = [_evict(path) for path in paths]  # each of them, even after one that stays
    return all(gone)


def resident_share(path: Path) -> float | None:
    """Share of the file's pages that are in memory, 0 to 1; None where that cannot be told. Empty files are out."""
    if sys.platform != "linux":
        return None
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                return 0.0
            pages = -(-size // mmap.PAGESIZE)
            with mmap.mmap(
                file.fileno(), size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE
            ) as area:
                vector = (ctypes.c_ubyte * pages)()
                start = ctypes.c_char.from_buffer(area)
                failed = ctypes.CDLL(None, use_errno=True).mincore(
                    ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), vector
                )
                del start
    except (OSError, ValueError, AttributeError):
        return None
    return None if failed else sum(entry & 1 for entry in vector) / pages


def _evict(path: Path) -> bool:
    if not hasattr(os, "posix_fadvise"):
        return False
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        return False
    finally:
        os.close(fd)
    left = resident_share(path)
    return left is not None and left <= LEFT

"""Names of temporary files that tell whether their maker still lives, and the removal of those whose maker is dead."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import time
from pathlib import Path
from uuid import uuid4

FOREIGN_AGE_S = 24 * 3600
"""A temporary made on another machine (a shared home folder) is taken for dead after this many seconds."""

_NAME = re.compile(r"\.tmp-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)-[0-9a-f]{8}")


def temporary_name() -> str:
    """A fresh hidden name that records machine, process and the process's start."""
    return f".tmp-{_host()}-{os.getpid()}-{_start(os.getpid())}-{uuid4().hex[:8]}"


def sweep(folder: Path) -> None:
    """Remove the temporaries in `folder` whose maker is gone; those of living processes stay."""
    for path in folder.glob(".tmp-*"):
        if _is_dead(path):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_dead(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return False
    if match["host"] != _host():
        try:
            return time.time() - path.stat().st_mtime > FOREIGN_AGE_S
        except FileNotFoundError:
            return False
    # The start tells a process from a later one that was given the same number.
    return _start(int(match["pid"])) != int(match["start"])


def _start(pid: int) -> int:
    """Start of process `pid` in clock ticks since boot; 0 when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The second field, the name in brackets, may contain blanks: count from its end. Start time is field 22.
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


def _host() -> str:
    """Where process numbers mean the same: the machine's name and the process's own number space (a container's)."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]

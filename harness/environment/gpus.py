"""GPUs as their driver's own command describes them."""

from __future__ import annotations

import csv
import subprocess

from harness.records import Gpu

QUERY = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
LIMIT_S = 5.0

_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def gpus(command: str = "nvidia-smi") -> tuple[Gpu, ...]:
    """NVIDIA GPUs that `nvidia-smi` lists; none where it is missing, fails, or takes longer than 5 s."""
    try:
        done = subprocess.run(
            (command, *QUERY), capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse(done.stdout) if done.returncode == 0 else ()


def parse(listing: str) -> tuple[Gpu, ...]:
    """Lines "name, memory, driver" as GPUs; other lines (messages of the driver) are left out."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(listing.splitlines())]
    return tuple(Gpu(name=row[0], memory=_bytes(row[1]), driver=row[2]) for row in rows if len(row) == 3)


def _bytes(text: str) -> int | None:
    """ "24576 MiB" in bytes; None for "[N/A]", which GPUs that share the host's memory answer."""
    number, _, unit = text.partition(" ")
    return int(number) * _UNITS[unit] if number.isdecimal() and unit in _UNITS else None

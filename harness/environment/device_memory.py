"""GPU memory of a process and all that it started, by NVML, else by `nvidia-smi`."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.environment.nvml import Gpus, open_nvml
from harness.environment.processes import process_tree
from harness.environment.reading import Reading
from harness.environment.sources import Sources

QUERY = ("--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits")
LIMIT_S = 5.0


@dataclass(frozen=True)
class DeviceMemory:
    """Bytes on all GPUs; `by_gpu` has them by name. `source` is "nvml" or "nvidia-smi"."""

    total: int
    by_gpu: Mapping[str, int]
    source: str


def device_memory_of(
    pid: int, gpus: Gpus | None = None, command: str = "nvidia-smi"
) -> Reading[DeviceMemory]:
    """GPU memory of the process and its descendants at this moment.

    The driver counts a context's own memory, too. In a container the driver may name processes by their numbers
    outside it: then there is no value rather than 0. `gpus`: an open library, to save opening it for every reading.
    """
    members = set(process_tree(Sources(Path("/")), pid)) or {pid}
    opened = Reading(gpus) if gpus is not None else open_nvml()
    if opened.value is None:
        return _by_command(members, command, opened.reason)
    by_gpu: dict[str, int] = {}
    for number, name in enumerate(opened.value.names()):
        listed = opened.value.memory_by_process(number)
        if listed.value is None:
            return Reading(None, f"GPU {name}: {listed.reason}")
        found = {process: size for process, size in listed.value.items() if process in members}
        sizes = [size for size in found.values() if size is not None]
        if len(sizes) < len(found):
            return Reading(None, f"GPU {name}: the driver lists the process without its memory")
        if sizes:
            by_gpu[name] = sum(sizes)
    if not by_gpu:
        return Reading(None, _not_listed(pid))
    return Reading(DeviceMemory(sum(by_gpu.values()), by_gpu, "nvml"))


def parse(listing: str, members: set[int]) -> Reading[DeviceMemory]:
    """Lines "pid, MiB" of `nvidia-smi`; several lines of one process are several GPUs."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(listing.splitlines())]
    ours = [row[1] for row in rows if len(row) == 2 and row[0].isdecimal() and int(row[0]) in members]
    if not ours:
        return Reading(None, _not_listed(min(members)))
    if not all(size.isdecimal() for size in ours):
        return Reading(None, f"nvidia-smi lists the process without its memory ({', '.join(ours)})")
    total = sum(int(size) << 20 for size in ours)
    return Reading(DeviceMemory(total, {"all": total}, "nvidia-smi"))


def _by_command(members: set[int], command: str, why: str) -> Reading[DeviceMemory]:
    try:
        done = subprocess.run(
            (command, *QUERY), capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False
        )
    except FileNotFoundError:
        return Reading(None, f"{why}; {command} is not there either")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Reading(None, f"{why}; {command} cannot be asked ({type(error).__name__})")
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        return Reading(None, f"{why}; {command} failed: {said[0] if said else done.returncode}")
    found = parse(done.stdout, members)
    return found if found.value is not None else Reading(None, f"{found.reason} (asked {command}; {why})")


def _not_listed(pid: int) -> str:
    return (
        f"the driver lists no GPU memory of process {pid}: it holds none, or this is a container whose process "
        "numbers the driver does not know (share the host's: `--pid=host`)"
    )

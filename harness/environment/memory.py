"""Memory of a process and all that it started: the proportional set size, in which shared pages count once.

A page that n processes share counts 1/n in each of them, so that sums over processes add up to what is really used
(the kernel's documentation: filesystems/proc, `smaps_rollup`). Reading takes the kernel milliseconds for a process of
gigabytes and holds up its allocations meanwhile: never inside a timed block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.environment.processes import process_tree
from harness.environment.reading import Reading
from harness.environment.sources import Sources, key_values


@dataclass(frozen=True)
class MemoryUse:
    """Bytes, summed over `processes`. `kind` says whether shared pages count proportionally (pss) or fully (rss)."""

    total: int
    kind: Literal["pss", "rss"]
    anonymous: int | None
    """Heap, stacks, weights that were copied."""
    file: int | None
    """Libraries and mapped files: weights that were mapped."""
    swap: int | None
    processes: int


def memory_of(pid: int, root: Path = Path("/")) -> Reading[MemoryUse]:
    """Memory of the process and its descendants.

    Where the proportional set size may not be read of all of them, the resident size is taken of all, and the
    reason says so; where that is missing too, there is no value.
    """
    sources = Sources(root)
    tree = process_tree(sources, pid)
    if not tree:
        return Reading(None, f"there is no process {pid}, or /proc does not show it")
    rollups = [key_values(sources.text(f"proc/{member}/smaps_rollup"), ":") for member in tree]
    if all("Pss" in rollup for rollup in rollups):
        return _sum(rollups, ("Pss", "Pss_Anon", "Pss_File", "SwapPss"), "pss", "")
    refused = next(member for member, rollup in zip(tree, rollups, strict=True) if "Pss" not in rollup)
    statuses = [key_values(sources.text(f"proc/{member}/status"), ":") for member in tree]
    why = f"/proc/{refused}/smaps_rollup cannot be read"
    if not all("VmRSS" in status for status in statuses):
        return Reading(None, f"{why}, nor the resident size of every process in /proc/PID/status")
    note = f"{why}: this is the resident size, in which pages shared with other processes count fully"
    return _sum(statuses, ("VmRSS", "RssAnon", "RssFile", "VmSwap"), "rss", note)


def _sum(
    tables: list[dict[str, str]], keys: tuple[str, str, str, str], kind: Literal["pss", "rss"], note: str
) -> Reading[MemoryUse]:
    def total(key: str) -> int | None:
        sizes = [_bytes(table, key) for table in tables]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    whole = total(keys[0])
    if whole is None:
        return Reading(None, f"/proc tells no number for {keys[0]}")
    return Reading(MemoryUse(whole, kind, total(keys[1]), total(keys[2]), total(keys[3]), len(tables)), note)


def _bytes(table: Mapping[str, str], key: str) -> int | None:
    """ "291 kB" in bytes."""
    number, _, unit = table.get(key, "").partition(" ")
    return int(number) * 1024 if number.isdecimal() and unit.strip() == "kB" else None

"""Facts about this process that decide an engine's speed and that no engine tells: its allocator and its threads."""

from __future__ import annotations

import contextlib
from pathlib import Path

ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc", "tbbmalloc_proxy", "hoard")
"""Names in the files of libraries that replace the system's malloc."""


def process_facts(proc: Path = Path("/proc/self")) -> dict[str, object]:
    """{"malloc": allocator, "process_threads": number of threads}; a fact that cannot be read is left out."""
    facts: dict[str, object] = {}
    try:
        mapped = (proc / "maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        mapped = ""
    if mapped:
        files = {line.rpartition("/")[2] for line in mapped.splitlines() if "/" in line}
        found = sorted({name for name in ALLOCATORS for file in files if file.startswith(f"lib{name}")})
        facts["malloc"] = "+".join(found) or "system"
    with contextlib.suppress(OSError):
        facts["process_threads"] = sum(1 for _ in (proc / "task").iterdir())
    return facts

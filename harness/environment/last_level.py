"""How large the last-level caches of this machine are together: what memory streaming must not fit in."""

from __future__ import annotations

import re
from pathlib import Path

from harness.environment.sources import Sources

CPU = "sys/devices/system/cpu"


def last_level_cache(root: Path = Path("/")) -> int | None:
    """Bytes of all caches of the highest level, each instance once; None where the kernel does not tell."""
    sources = Sources(root)
    found: dict[tuple[int, str], int] = {}
    for cpu in sources.names(CPU, "cpu"):
        for name in sources.names(f"{CPU}/{cpu}/cache", "index"):
            folder = f"{CPU}/{cpu}/cache/{name}"
            level = sources.integer(f"{folder}/level")
            size = re.fullmatch(r"(\d+)([KM])", sources.text(f"{folder}/size") or "")
            if level is None or size is None:
                continue
            # Where the kernel does not say who shares it, it counts once.
            shared = sources.text(f"{folder}/shared_cpu_list") or ""
            found[level, shared] = int(size[1]) << (10 if size[2] == "K" else 20)
    if not found:
        return None
    highest = max(level for level, _ in found)
    return sum(size for (level, _), size in found.items() if level == highest)

"""Last-level caches on recorded machines: every instance once."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.environment.last_level import last_level_cache

Cache = tuple[int, str, str]


def record(root: Path, cpus: dict[int, list[Cache]]) -> Path:
    for cpu, caches in cpus.items():
        for index, (level, size, shared) in enumerate(caches):
            folder = root / f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
            folder.mkdir(parents=True)
            (folder / "level").write_text(f"{level}\n")
            (folder / "size").write_text(f"{size}\n")
            if shared:
                (folder / "shared_cpu_list").write_text(f"{shared}\n")
    return root


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [
        ({0: [(1, "48K", "0"), (3, "32768K", "0-1")], 1: [(1, "48K", "1"), (3, "32768K", "0-1")]}, 32 << 20),
        ({0: [(3, "16M", "0")], 1: [(3, "16M", "1")]}, 32 << 20),
        ({0: [(1, "32K", "0"), (2, "512K", "0")], 1: [(1, "32K", "1"), (2, "512K", "1")]}, 1 << 20),
        ({0: [(2, "4M", "")], 1: [(2, "4M", "")]}, 4 << 20),
        ({0: [(2, "unknown", "0")]}, None),
        ({}, None),
    ],
)
def test_last_level(tmp_path: Path, cpus: dict[int, list[Cache]], expected: int | None) -> None:
    assert last_level_cache(record(tmp_path, cpus)) == expected

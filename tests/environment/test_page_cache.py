"""Files are put out of memory where that can be seen to work, and nothing else is claimed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.environment.page_cache import evict, resident_share


def disk_file(folder: Path, pages: int) -> Path:
    path = folder / "weights.bin"
    path.write_bytes(os.urandom(pages * 4096))
    return path


def test_a_file_that_was_just_written_is_in_memory_until_it_is_evicted(tmp_path: Path) -> None:
    path = disk_file(tmp_path, 256)
    assert resident_share(path) == 1.0
    if not evict([path]):
        pytest.skip("unsupported: this file system keeps its files in memory")
    assert resident_share(path) == 0.0
    with path.open("rb") as file:
        file.read(4096)
    share = resident_share(path)
    assert share is not None and share > 0.0


def test_a_file_that_is_not_there_was_not_evicted(tmp_path: Path) -> None:
    assert not evict([tmp_path / "none"])
    assert resident_share(tmp_path / "none") is None


def test_one_file_that_stays_makes_the_start_no_cold_one(tmp_path: Path) -> None:
    path = disk_file(tmp_path, 4)
    assert not evict([tmp_path / "none", path])


def test_an_empty_file_is_out_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert resident_share(path) == 0.0

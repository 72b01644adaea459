"""The cache with real files and real processes: two at once, one killed half-way, damage, full disks."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suites import cache
from suites.errors import ModelError
from suites.leftovers import temporary_name

WRITER = """
import sys, time
from pathlib import Path
from suites import cache

def fill(folder):
    (folder / "data").write_text(sys.argv[2])
    print("filling", flush=True)
    sys.stdin.readline()
    return {"by": sys.argv[2]}

entry = cache.store(sys.argv[1], fill)
print(entry.meta["by"], (entry.folder / "data").read_text(), flush=True)
"""


def start(key: str, who: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, key, who], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "filling\n"
    return process


def fill(folder: Path) -> Mapping[str, Any]:
    (folder / "inner").mkdir()
    (folder / "inner" / "data").write_bytes(b"0123456789")
    (folder / "empty").touch()
    return {"made": "here"}


def temporaries(home: Path) -> list[Path]:
    return list(home.rglob(".tmp-*"))


def test_store_then_find(cache_home: Path) -> None:
    assert cache.find("k") is None
    stored = cache.store("k", fill)
    found = cache.find("k")
    assert found == stored
    assert found.folder == cache_home / "models" / "k"
    assert found.meta["made"] == "here"
    assert found.meta["files"]["inner/data"] == {
        "bytes": 10,
        "sha256": "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882",
    }
    assert (found.folder / "inner" / "data").read_bytes() == b"0123456789"
    assert temporaries(cache_home) == []


def test_keys_depend_on_every_fact_and_on_nothing_else() -> None:
    assert cache.entry_key(a=1, b="x") == cache.entry_key(b="x", a=1)
    keys = {cache.entry_key(a=1), cache.entry_key(a="1"), cache.entry_key(b=1), cache.entry_key(a=2)}
    assert len(keys) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "inner" / "data").write_bytes(b"0123456780"),
        lambda folder: (folder / "inner" / "data").write_bytes(b"012345678"),
        lambda folder: (folder / "inner" / "data").unlink(),
        lambda folder: (folder / "meta.json").unlink(),
        lambda folder: (folder / "meta.json").write_text("{"),
        lambda folder: (folder / "meta.json").write_text("[]"),
    ],
    ids=["changed", "cut short", "file gone", "meta gone", "meta cut short", "meta of another kind"],
)
def test_a_damaged_entry_is_removed_and_made_again(cache_home: Path, damage: Any) -> None:
    folder = cache.store("k", fill).folder
    damage(folder)
    assert cache.find("k") is None
    assert not folder.exists()
    assert temporaries(cache_home) == []
    assert (cache.store("k", fill).folder / "inner" / "data").read_bytes() == b"0123456789"


def test_store_replaces_a_damaged_entry(cache_home: Path) -> None:
    folder = cache.store("k", fill).folder
    (folder / "inner" / "data").write_bytes(b"damaged")
    cache.store("k", fill)
    assert cache.find("k") is not None


def test_an_entry_that_is_there_is_not_replaced(cache_home: Path) -> None:
    cache.store("k", fill)
    again = cache.store("k", lambda folder: {"made": "elsewhere"})
    assert again.meta["made"] == "here"


def test_two_processes_make_the_same_entry(cache_home: Path) -> None:
    one, other = start("k", "one"), start("k", "other")
    assert len(temporaries(cache_home)) == 2  # both are at it
    answer_one, _ = one.communicate("\n", timeout=60)
    answer_other, _ = other.communicate("\n", timeout=60)
    assert (one.returncode, other.returncode) == (0, 0)
    assert answer_one == answer_other == "one one\n"  # the second quietly uses the winner's
    entry = cache.find("k")
    assert entry is not None
    assert entry.meta["by"] == "one"
    assert temporaries(cache_home) == []


def test_a_killed_writer_leaves_no_entry_and_is_swept_up(cache_home: Path) -> None:
    process = start("k", "killed")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert cache.find("k") is None
    assert len(temporaries(cache_home)) == 1
    cache.store("another", fill)
    assert temporaries(cache_home) == []


def test_a_living_writers_temporary_is_left_alone(cache_home: Path) -> None:
    process = start("k", "slow")
    cache.store("another", fill)
    assert len(temporaries(cache_home)) == 1
    answer, _ = process.communicate("\n", timeout=60)
    assert answer == "slow slow\n"


def test_a_later_process_with_the_same_number_does_not_keep_a_temporary(cache_home: Path) -> None:
    cache.store("k", fill)
    host, pid, begin, tail = temporary_name().removeprefix(".tmp-").split("-")
    mine = cache_home / "models" / f".tmp-{host}-{pid}-{begin}-{tail}"
    predecessors = cache_home / "models" / f".tmp-{host}-{pid}-{int(begin) - 1}-{tail}"
    mine.mkdir()
    predecessors.mkdir()
    cache.store("another", fill)
    assert temporaries(cache_home) == [mine]


def test_another_machines_temporary_goes_only_when_old(cache_home: Path) -> None:
    cache.store("k", fill)
    fresh = cache_home / "models" / ".tmp-00000000-1-1-00000001"
    old = cache_home / "models" / ".tmp-00000000-1-1-00000002"
    fresh.mkdir()
    old.mkdir()
    os.utime(old, (1, 1))
    cache.store("another", fill)
    assert temporaries(cache_home) == [fresh]


def test_what_fill_raises_passes_and_leaves_nothing(cache_home: Path) -> None:
    def broken(folder: Path) -> Mapping[str, Any]:
        (folder / "half").touch()
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match="no such layer"):
        cache.store("k", broken)
    assert cache.find("k") is None
    assert temporaries(cache_home) == []


def test_a_full_disk_is_explained(cache_home: Path) -> None:
    def full(folder: Path) -> Mapping[str, Any]:
        # The kernel's own "no space left": every write to /dev/full ends so.
        with Path("/dev/full").open("wb") as file:
            file.write(b"x" * 100)
        return {}

    with pytest.raises(ModelError) as caught:
        cache.store("k", full)
    assert str(cache_home / "models") in caught.value.message
    assert os.strerror(errno.ENOSPC) in caught.value.message
    assert "HARNESS_CACHE" in caught.value.hint
    assert temporaries(cache_home) == []


def test_a_cache_folder_that_cannot_be_made_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError) as caught:
        cache.store("k", fill)
    assert str(tmp_path / "file") in caught.value.message
    assert "HARNESS_CACHE" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_a_read_only_cache_folder_is_explained(cache_home: Path) -> None:
    cache.store("k", fill)
    (cache_home / "models").chmod(0o555)
    try:
        assert cache.find("k") is not None  # reading needs no right to write
        with pytest.raises(ModelError, match="cannot write to the cache folder"):
            cache.store("another", fill)
    finally:
        (cache_home / "models").chmod(0o755)


def test_other_errors_of_the_system_are_not_taken_for_a_full_disk(cache_home: Path) -> None:
    def absent(folder: Path) -> Mapping[str, Any]:
        return {"text": (folder / "absent").read_text()}

    with pytest.raises(FileNotFoundError):
        cache.store("k", absent)


def test_entries_are_listed_newest_first(cache_home: Path) -> None:
    assert cache.entries() == []
    for age, key in ((300, "old"), (100, "new"), (200, "middle")):
        meta = cache.store(key, fill).folder / "meta.json"
        os.utime(meta, (10_000 - age, 10_000 - age))
    broken = cache.store("broken", fill).folder / "meta.json"
    broken.write_text("{")
    assert [entry.key for entry in cache.entries()] == ["new", "middle", "old"]


def test_the_root_is_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_root() == tmp_path / "inference-harness"


def test_the_root_needs_no_platformdirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert cache.cache_root() == tmp_path / ".cache" / "inference-harness"


def test_arrays_come_back_as_they_were(cache_home: Path) -> None:
    arrays = {
        "file": np.arange(6, dtype=np.int64).reshape(2, 3),
        "/head/linear": np.array([np.nan, -0.0, 1e-300]),
        "scalar": np.float32(2.5),
    }
    assert cache.load_arrays("reference", "k") is None
    cache.store_arrays("reference", "k", arrays, {"description": "torch"})
    loaded = cache.load_arrays("reference", "k")
    assert loaded is not None
    found, facts = loaded
    assert facts == {"description": "torch"}
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    assert cache.load_arrays("another", "k") is None


@pytest.mark.parametrize("keep", [0, 10, 100])
def test_damaged_arrays_are_absent(cache_home: Path, keep: int) -> None:
    path = cache.store_arrays("reference", "k", {"a": np.zeros(100)}, {}).folder / "arrays.npz"
    path.write_bytes(path.read_bytes()[:keep])
    assert cache.load_arrays("reference", "k") is None
    cache.store_arrays("reference", "k", {"a": np.ones(100)}, {})
    loaded = cache.load_arrays("reference", "k")
    assert loaded is not None
    assert loaded[0]["a"].sum() == 100


def test_pickled_arrays_are_not_stored(cache_home: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        cache.store_arrays("reference", "k", {"a": np.array([{}], dtype=object)}, {})
    assert cache.load_arrays("reference", "k") is None


def test_readers_never_see_a_half_made_entry(cache_home: Path) -> None:
    seen: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            entry = cache.find("k")
            if entry is not None:
                seen.append(json.dumps(entry.meta["files"], sort_keys=True))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        entry = cache.store("k", fill)
        while not seen:
            pass
    finally:
        done.set()
        reader.join()
    assert set(seen) == {json.dumps(entry.meta["files"], sort_keys=True)}
    assert cache.find("k") is not None

"""Facts that no engine tells: from a recorded /proc, and from this process."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.worker.process_facts import process_facts

LINE = "7f00-7f01 r-xp 00000000 08:01 12 /usr/lib/x86_64-linux-gnu/{}\n"


def proc(folder: Path, *libraries: str, threads: int = 3) -> Path:
    (folder / "maps").write_text("".join(LINE.format(name) for name in libraries) + "7ffd [stack]\n")
    for number in range(threads):
        (folder / "task" / str(100 + number)).mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("libraries", "malloc"),
    [
        (("libc.so.6",), "system"),
        (("libc.so.6", "libjemalloc.so.2"), "jemalloc"),
        (("libtcmalloc_minimal.so.4", "libc.so.6"), "tcmalloc"),
        (("libjemalloc.so.2", "libmimalloc.so.2"), "jemalloc+mimalloc"),
        (("libnotjemalloc.so", "libc.so.6"), "system"),
    ],
)
def test_the_allocator_is_the_library_that_replaces_malloc(
    tmp_path: Path, libraries: tuple[str, ...], malloc: str
) -> None:
    assert process_facts(proc(tmp_path, *libraries)) == {"malloc": malloc, "process_threads": 3}


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    assert process_facts(tmp_path / "nothing") == {}


def test_threads_of_this_process_are_counted() -> None:
    before = process_facts()["process_threads"]
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    assert process_facts()["process_threads"] == before + 1
    stop.set()
    thread.join()

"""Memory of processes: of recorded ones, and of one that takes a known number of MiB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.environment.memory import memory_of
from tests.environment.recorded import lay_out

MIB = 2**20
TREE = {
    "proc/10/stat": "10 (my (odd) name) S 1 10 10 0 -1 0 5 0 1 0 12 3 0 0 20 0 1 0 9\n",
    "proc/10/smaps_rollup": "55-7f ---p 00000000 00:00 0  [rollup]\nRss: 900 kB\nPss:     400 kB\n"
    "Pss_Anon: 300 kB\nPss_File: 90 kB\nPss_Shmem: 10 kB\nSwap: 8 kB\nSwapPss: 4 kB\n",
    "proc/10/status": "Name:\tx\nVmRSS:\t900 kB\nRssAnon:\t500 kB\nRssFile:\t400 kB\nVmSwap:\t8 kB\n",
    # A child, its child, and a process of somebody else.
    "proc/11/stat": "11 (child) R 10 10 10 0 -1 0 5 0 1 0 12 3 0 0 20 0 1 0 9\n",
    "proc/11/smaps_rollup": "55-7f ---p\nRss: 90 kB\nPss: 40 kB\nPss_Anon: 30 kB\nPss_File: 10 kB\nSwapPss: 0 kB\n",
    "proc/11/status": "VmRSS:\t90 kB\nRssAnon:\t50 kB\nRssFile:\t40 kB\nVmSwap:\t0 kB\n",
    "proc/13/stat": "13 (grandchild) R 11 10 10 0 -1 0 5 0 1 0 12 3 0 0 20 0 1 0 9\n",
    "proc/13/smaps_rollup": "55-7f ---p\nRss: 9 kB\nPss: 4 kB\nPss_Anon: 3 kB\nPss_File: 1 kB\nSwapPss: 0 kB\n",
    "proc/13/status": "VmRSS:\t9 kB\nRssAnon:\t5 kB\nRssFile:\t4 kB\nVmSwap:\t0 kB\n",
    "proc/12/stat": "12 (other) R 1 12 12 0 -1 0 5 0 1 0 12 3 0 0 20 0 1 0 9\n",
    "proc/12/smaps_rollup": "55-7f ---p\nPss: 100000 kB\n",
}


def test_the_whole_tree_counts_and_nobody_else(tmp_path: Path) -> None:
    found = memory_of(10, lay_out(TREE, tmp_path))
    assert found.reason == ""
    use = found.value
    assert use is not None
    assert (use.kind, use.processes) == ("pss", 3)
    assert (use.total, use.anonymous, use.file, use.swap) == tuple(n * 1024 for n in (444, 333, 101, 4))


def test_an_unreadable_rollup_falls_back_to_resident_size_of_all_and_says_so(tmp_path: Path) -> None:
    files = {path: text for path, text in TREE.items() if path != "proc/11/smaps_rollup"}
    found = memory_of(10, lay_out(files, tmp_path))
    assert found.value is not None
    assert (found.value.kind, found.value.total, found.value.swap) == ("rss", 999 * 1024, 8 * 1024)
    assert "/proc/11/smaps_rollup" in found.reason
    assert "resident" in found.reason


@pytest.mark.parametrize(
    ("files", "pid", "words"),
    [
        ({}, 10, "no process 10"),
        (TREE, 99, "no process 99"),
        ({"proc/10/stat": TREE["proc/10/stat"]}, 10, "cannot be read"),
    ],
)
def test_nothing_readable_is_a_reason(files: dict[str, str], pid: int, words: str, tmp_path: Path) -> None:
    found = memory_of(pid, lay_out(files, tmp_path))
    assert found.value is None
    assert words in found.reason


def test_a_process_that_takes_so_many_mib_shows_them() -> None:
    """Both it and its child: anonymous memory that is written counts byte by byte, wherever it is."""
    script = (
        "import os, sys\n"
        "print('small', flush=True); sys.stdin.readline()\n"
        "kept = bytearray(b'x' * (48 << 20))\n"
        "print('large', flush=True); sys.stdin.readline()\n"
        "if os.fork() == 0:\n"
        "    more = bytearray(b'y' * (32 << 20))\n"
        "print('both', flush=True); sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        (sys.executable, "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    sizes = []
    for _ in range(3):
        process.stdout.readline()
        if len(sizes) == 2:
            process.stdout.readline()  # the other one of both
        use = memory_of(process.pid).value
        assert use is not None and use.anonymous is not None
        sizes.append((use.total, use.anonymous, use.processes))
        if len(sizes) < 3:
            process.stdin.write("\n")
            process.stdin.flush()
    process.stdin.close()
    process.wait(10)
    for index in (0, 1):
        assert sizes[1][index] - sizes[0][index] == pytest.approx(48 * MIB, abs=2 * MIB)
        # The 48 MiB are shared after the fork and count once.
        assert sizes[2][index] - sizes[1][index] == pytest.approx(32 * MIB, abs=4 * MIB)
    assert [size[2] for size in sizes] == [1, 1, 2]

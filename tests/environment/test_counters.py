"""Counters of processes: of recorded ones, and of ones that do a known amount of work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.environment.counters import CounterDelta, Counters, OfProcess, counters_of, difference
from tests.environment.recorded import lay_out

STATUS = "Name:\tx\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n"
STAT = "{0} (a b) S {1} 10 10 0 -1 0 {2} 77 {3} 88 {4} {5} 99 99 20 0 1 0 9\n"
FILES = {
    "proc/10/stat": STAT.format(10, 1, 1000, 2, 150, 50),
    "proc/10/task/10/status": STATUS.format(5, 1),
    "proc/10/task/14/status": STATUS.format(70, 30),
    "proc/11/stat": STAT.format(11, 10, 100, 0, 20, 10),
    "proc/11/task/11/status": STATUS.format(3, 0),
    "proc/12/stat": STAT.format(12, 1, 9, 9, 999, 999),
    "proc/12/task/12/status": STATUS.format(999, 999),
}


def read(files: dict[str, str], root: Path) -> Counters:
    found = counters_of(10, lay_out(files, root))
    assert found.value is not None
    return found.value


def test_threads_and_children_count(tmp_path: Path) -> None:
    found = read(FILES, tmp_path)
    assert found.switches == {10: (5, 1), 14: (70, 30), 11: (3, 0)}
    assert found.processes == {10: OfProcess(1.5, 0.5, 1000, 2), 11: OfProcess(0.2, 0.1, 100, 0)}


def test_difference_counts_the_new_and_tells_of_the_ended(tmp_path: Path) -> None:
    before = read(FILES, tmp_path / "before")
    later = {path: text for path, text in FILES.items() if not path.startswith("proc/11/")} | {
        "proc/10/stat": STAT.format(10, 1, 1500, 3, 250, 60),
        "proc/10/task/10/status": STATUS.format(9, 1),
        "proc/10/task/14/status": STATUS.format(70, 31),
        "proc/10/task/15/status": STATUS.format(20, 10),
    }
    delta = difference(before, read(later, tmp_path / "after"))
    assert delta == CounterDelta(
        user_s=pytest.approx(1.0),
        system_s=pytest.approx(0.1),
        minor_faults=500,
        major_faults=1,
        voluntary_switches=24,
        involuntary_switches=11,
        ended=2,  # process 11 and its thread
    )


@pytest.mark.parametrize("status", ["", "Name:\tx\nState:\tR\n"])
def test_unreadable_switches_are_a_reason_and_not_zero(status: str, tmp_path: Path) -> None:
    files = {"proc/10/stat": FILES["proc/10/stat"]} | ({"proc/10/task/10/status": status} if status else {})
    found = read(files, tmp_path)
    assert found.switches_reason
    delta = difference(found, found)
    assert delta.voluntary_switches is None and delta.involuntary_switches is None
    assert delta.reason == found.switches_reason
    assert delta.user_s == 0.0


def test_no_process_is_a_reason(tmp_path: Path) -> None:
    found = counters_of(77, lay_out(FILES, tmp_path))
    assert found.value is None
    assert "77" in found.reason


def counted(work: str) -> tuple[CounterDelta, list[str]]:
    """Counters of a process between two of its lines; `work` runs in between."""
    script = f"import sys\nprint('a', flush=True); sys.stdin.readline()\n{work}\nsys.stdin.readline()\n"
    process = subprocess.Popen(
        (sys.executable, "-c", script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdout.readline()
    before = counters_of(process.pid).value
    process.stdin.write("\n")
    process.stdin.flush()
    words = process.stdout.readline().split()
    after = counters_of(process.pid).value
    process.stdin.write("\n")
    process.stdin.close()
    process.wait(10)
    assert before is not None and after is not None
    return difference(before, after), words


def test_a_process_that_sleeps_so_often_shows_as_many_switches() -> None:
    delta, _ = counted("import time\nfor _ in range(300): time.sleep(0.0005)\nprint('b', flush=True)")
    assert delta.voluntary_switches is not None
    # Waiting for our line, and for a lock or the disk now and then, comes on top.
    assert 300 <= delta.voluntary_switches <= 340


def test_sleeping_threads_count_too() -> None:
    delta, _ = counted(
        "import threading, time\n"
        "def nap():\n    for _ in range(100): time.sleep(0.001)\n    wait.wait()\n"
        "wait = threading.Event()\n"
        "threads = [threading.Thread(target=nap, daemon=True) for _ in range(3)]\n"
        "[t.start() for t in threads]\ntime.sleep(0.6)\nprint('b', flush=True)"
    )
    assert delta.voluntary_switches is not None
    assert delta.voluntary_switches >= 300


def test_a_spinning_process_shows_its_cpu_seconds_and_faults() -> None:
    delta, words = counted(
        "import time, mmap, os\n"
        "m = mmap.mmap(-1, 4096 * 2000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "m.madvise(mmap.MADV_NOHUGEPAGE)\n"
        "for page in range(2000): m[page * 4096] = 1\n"
        "while time.process_time() < 0.8: pass\n"
        "print(time.process_time(), flush=True)"
    )
    own = float(words[0])
    assert delta.user_s + delta.system_s == pytest.approx(own, abs=0.15)
    assert 2000 <= delta.minor_faults <= 2200
    assert delta.reason == ""

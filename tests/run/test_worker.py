"""A worker's death in every manner is an outcome, and nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from harness.run.jobs import run_job
from harness.run.worker import Worker, WorkerFailure

JOBS = """
import ctypes, os, sys, time, signal
import numpy as np

def double(arguments, arrays):
    return {"asked": arguments["n"]}, {name: 2 * value for name, value in arrays.items()}

def fail(arguments, arrays):
    raise ValueError("the engine said no")

def leave(arguments, arrays):
    os._exit(3)

def exit_politely(arguments, arrays):
    sys.exit("bye")

def segfault(arguments, arrays):
    ctypes.string_at(0)

def abort(arguments, arrays):
    os.abort()

def hang(arguments, arrays):
    while True:
        time.sleep(1)

def hang_deaf(arguments, arrays):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    hang(arguments, arrays)

def allocate(arguments, arrays):
    hoard = []
    while True:
        hoard.append(np.ones(2**22))

def kill_self(arguments, arrays):
    os.kill(os.getpid(), signal.SIGKILL)

def shout(arguments, arrays):
    print("garbage " * 100_000)
    sys.stdout.flush()
    os.write(1, b"\\x00\\xff" * 200_000)
    os.write(2, b"last words")
    return {}, {}

def fork_and_hang(arguments, arrays):
    if os.fork() == 0:
        with open(arguments["pidfile"], "w") as file:
            file.write(str(os.getpid()))
        hang(arguments, arrays)
    hang(arguments, arrays)
"""


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jobs_of_this_test.py").write_text(JOBS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def run(
    name: str, deadline_s: float = 30, memory_limit: int | None = None, **arguments: object
) -> WorkerFailure:
    with pytest.raises(WorkerFailure) as caught:
        run_job(
            f"jobs_of_this_test:{name}",
            arguments,
            deadline_s=deadline_s,
            phase="trying",
            memory_limit=memory_limit,
        )
    return caught.value


def test_a_job_answers_with_values_and_arrays() -> None:
    answer, arrays = run_job(
        "jobs_of_this_test:double", {"n": 5}, {"x": np.arange(3.0)}, deadline_s=30, phase="doubling"
    )
    assert answer == {"asked": 5}
    assert arrays["x"].tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("fail", "failed", "the engine said no"),
        ("exit_politely", "failed", "bye"),
        ("leave", "crashed", "exit code 3"),
        ("segfault", "crashed", "SIGSEGV"),
        ("abort", "crashed", "SIGABRT"),
        ("kill_self", "crashed", "SIGKILL from outside"),
    ],
)
def test_deaths_are_told_apart(name: str, status: str, words: str) -> None:
    failure = run(name)
    assert failure.status == status
    assert words in failure.message
    assert failure.phase == "trying"


def test_a_raised_error_brings_its_traceback_and_a_crash_its_last_words() -> None:
    assert "in fail" in run("fail").traceback
    crash = run("segfault")
    assert crash.exit_signal == "SIGSEGV"
    assert "Segmentation fault" in crash.stderr_tail


@pytest.mark.parametrize("name", ["hang", "hang_deaf"])
def test_a_hang_ends_at_the_deadline(name: str) -> None:
    failure = run(name, deadline_s=1.5)
    assert failure.status == "timeout"
    assert "2 s" in failure.message


def test_allocating_without_end_stops_at_the_limit() -> None:
    failure = run("allocate", memory_limit=600 * 2**20)
    assert failure.status == "out_of_memory"


def test_garbage_on_stdout_reaches_no_answer() -> None:
    with Worker("shouting") as worker:
        head = {"function": "jobs_of_this_test:shout", "arguments": {}}
        assert worker.request("job", head, deadline_s=30).head["answer"] == {}
        assert worker.output_tail().endswith("last words")
        assert len(worker.output_tail()) <= 16_384
        assert worker.request("hello", deadline_s=30).head["pid"] == worker.pid


def test_children_of_a_worker_end_with_it(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    run("fork_and_hang", deadline_s=3, pidfile=str(pidfile))
    child = int(pidfile.read_text())
    wait_until(lambda: not alive(child))


def test_a_frozen_worker_uses_no_time_and_goes_on_when_thawed() -> None:
    with Worker("frozen") as worker:
        worker.request("hello", deadline_s=30)
        worker.freeze()
        assert psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED
        worker.thaw()
        assert worker.request("hello", deadline_s=30).head["pid"] == worker.pid
        worker.freeze()
    assert not alive(worker.pid)


def test_memory_is_read_from_the_system() -> None:
    with Worker("memory") as worker:
        worker.request("hello", deadline_s=30)
        resident, peak = worker.resident_bytes(), worker.peak_bytes()
        assert resident is not None and peak is not None
        assert 5 * 2**20 < resident <= peak < 200 * 2**20


@pytest.mark.parametrize("frozen", [False, True])
def test_a_worker_dies_with_its_parent_even_when_that_is_killed(tmp_path: Path, frozen: bool) -> None:
    script = textwrap.dedent(
        f"""
        import sys, time
        from harness.run.worker import Worker
        worker = Worker("orphan")
        worker.request("hello", deadline_s=30)
        {"worker.freeze()" if frozen else ""}
        print(worker.pid, flush=True)
        time.sleep(100)
        """
    )
    parent = subprocess.Popen([sys.executable, "-P", "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not alive(child))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)

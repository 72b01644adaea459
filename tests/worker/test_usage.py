"""What calls cost beside time is counted, and nothing else is."""

from __future__ import annotations

import mmap
import time

from harness.worker.usage import FEWEST, count_usage


def spin(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_cpu_seconds_are_those_that_were_spun() -> None:
    found = count_usage(lambda: spin(0.02), 1)
    assert found["calls"] == FEWEST
    assert FEWEST * 0.02 <= found["user_s"] + found["system_s"] < FEWEST * 0.02 + 0.02


def test_a_call_that_sleeps_switches_once() -> None:
    found = count_usage(lambda: time.sleep(0.002), 40_000_000)
    assert found["calls"] >= 2
    assert found["calls"] <= found["voluntary_switches"] <= 2 * found["calls"] + 5
    assert found["wall_ns"] >= 40_000_000


def test_touching_fresh_memory_faults() -> None:
    size = 4 * 2**20

    def touch() -> None:
        with mmap.mmap(-1, size) as fresh:
            fresh.madvise(mmap.MADV_NOHUGEPAGE)
            fresh.write(b"1" * size)

    found = count_usage(touch, 1)
    assert found["minor_faults"] >= FEWEST * size // mmap.PAGESIZE

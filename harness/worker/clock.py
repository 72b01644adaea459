"""The timing loops: the only place that reads a clock around an engine's call."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

CLOCK_SHARE = 0.001
"""A sample is long enough when reading the clock twice costs at most this share of it."""


def clock_cost_ns(reads: int = 2000) -> float:
    """Median cost in nanoseconds of the two clock reads that surround a sample."""
    clock = time.perf_counter_ns
    costs = sorted(-clock() + clock() for _ in range(reads))
    return float(costs[reads // 2])


def calls_per_sample(call_ns: float, clock_ns: float) -> int:
    """How many calls one sample needs so that the clock costs at most `CLOCK_SHARE` of it."""
    if call_ns <= 0:
        return max(1, round(clock_ns / CLOCK_SHARE))
    return max(1, -(-int(clock_ns / CLOCK_SHARE) // max(1, int(call_ns))))


def timed_samples(call: Callable[[], object], samples: int, calls: int = 1) -> array[int]:
    """Time `samples` samples of `calls` calls each; nanoseconds per sample. The garbage collector is off."""
    clock = time.perf_counter_ns
    times = array("q", bytes(8 * samples))
    collecting = gc.isenabled()
    gc.disable()
    try:
        if calls == 1:
            for index in range(samples):
                start = clock()
                call()
                times[index] = clock() - start
        else:
            batch = range(calls)
            for index in range(samples):
                start = clock()
                for _ in batch:
                    call()
                times[index] = clock() - start
    finally:
        if collecting:
            gc.enable()
    return times


def timed_until(call: Callable[[], object], max_samples: int, max_ns: int) -> array[int]:
    """Time single calls until `max_samples` are there or `max_ns` nanoseconds have passed, at least one."""
    clock = time.perf_counter_ns
    times = array("q")
    end = clock() + max_ns
    for _ in range(max_samples):
        start = clock()
        call()
        stop = clock()
        times.append(stop - start)
        if stop >= end:
            break
    return times


def elapsed_ns(call: Callable[[], T]) -> tuple[int, T]:
    """Time one call; returns nanoseconds and what it returned."""
    start = time.perf_counter_ns()
    value = call()
    return time.perf_counter_ns() - start, value

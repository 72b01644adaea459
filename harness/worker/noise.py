"""Jobs of `harness doctor --noise`: watch the clock, and time blocks of a fixed piece of work."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.worker import clock

Arrays = Mapping[str, npt.NDArray[Any]]
Answer = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]

_SIDE = 256
_STREAM = 1 << 18
GAP_FACTOR = 20
"""A step of the clock this many times the median is a gap: something else ran."""
MIN_GAP_NS = 2000
KEPT = 20


def watch_clock(arguments: Mapping[str, Any], _arrays: Arrays) -> Answer:
    """Read the clock for "seconds" and do nothing else; answers with the fields of `ClockFacts`."""
    read = time.perf_counter_ns
    first = [read() for _ in range(2001)]
    steps = [later - sooner for sooner, later in pairwise(first)]
    median = sorted(steps)[len(steps) // 2]
    gap_from = max(MIN_GAP_NS, GAP_FACTOR * median)
    gaps: list[int] = []
    backwards = sum(step < 0 for step in steps)
    gc.disable()
    try:
        last = begin = read()
        end = begin + int(arguments["seconds"] * 1e9)
        while last < end:
            now = read()
            step = now - last
            if step > gap_from:
                gaps.append(step)
            elif step < 0:
                backwards += 1
            last = now
    finally:
        gc.enable()
    return {
        "clock": time.get_clock_info("perf_counter").implementation,
        "read_ns": float(median),
        "resolution_ns": min((step for step in steps if step > 0), default=0),
        "watched_ns": last - begin,
        "gap_from_ns": gap_from,
        "gaps": len(gaps),
        "gap_total_ns": sum(gaps),
        "longest_ns": sorted(gaps, reverse=True)[:KEPT],
        "backwards": backwards,
    }, {}


class Work:
    """On each of several threads a matrix product and a stream through memory, then all wait for each other.

    About a millisecond, forked and joined as engines do it, but waiting instead of spinning: how engines' threads wait
    differs from engine to engine, and spinning ones would show each other's load many times over.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads)
        self._parts = [_Part() for _ in range(threads)]

    def __call__(self) -> None:
        """Do it once."""
        others = [self._pool.submit(part) for part in self._parts[1:]]
        self._parts[0]()
        for other in others:
            other.result()


class _Part:
    """What one thread does; numpy lets go of the interpreter's lock meanwhile."""

    def __init__(self) -> None:
        self._a = np.linspace(0.1, 1.0, _SIDE * _SIDE, dtype=np.float32).reshape(_SIDE, _SIDE)
        self._product = np.empty_like(self._a)
        self._stream = np.ones(_STREAM)
        self._target = np.empty(_STREAM)

    def __call__(self) -> None:
        np.matmul(self._a, self._a, out=self._product)
        np.add(self._stream, self._stream, out=self._target)


_kept: list[Work] = []


def warm(arguments: Mapping[str, Any], _arrays: Arrays) -> Answer:
    """Time single calls for "ns" nanoseconds, at most "calls" of them; answers with "samples_ns"."""
    return {
        "samples_ns": clock.timed_until(_work(arguments), arguments["calls"], arguments["ns"]).tolist()
    }, {}


def block(arguments: Mapping[str, Any], _arrays: Arrays) -> Answer:
    """Time "samples" calls after "discard" others, or as many as "ns" has room for; answers with "samples_ns"."""
    work = _work(arguments)
    for _ in range(arguments["discard"]):
        work()
    return {"samples_ns": clock.timed_until(work, arguments["samples"], arguments["ns"]).tolist()}, {}


def _work(arguments: Mapping[str, Any]) -> Work:
    """The same arrays for every block of this process."""
    if not _kept:
        _kept.append(Work(arguments["threads"]))
    return _kept[0]

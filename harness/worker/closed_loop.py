"""A closed loop: N requests are kept in flight, each started again as soon as it has ended.

Requests run from a thread each, blocked in engine calls that leave the interpreter to others, or in the engine's own
queue. Only requests that end inside the window count: ramp-up and drain are left out by time, not by number.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

CEILING_NS = 20_000_000
CEILING_RUNS = 3
"""How long and how often the loop is run on nothing to learn what it could do itself."""


@dataclass(frozen=True)
class Caller:
    """One request that a thread runs: `call` is one inference, `guard` gives what the thread must hold."""

    call: Callable[[], object]
    guard: Callable[[], AbstractContextManager[object]] = nullcontext


class Queued(Protocol):
    """One request of an engine's queue; see `backends.base.Session`."""

    def start(self, done: Callable[[], None]) -> None:
        """Start it; `done` is called at its end."""

    def synchronize(self) -> None:
        """Raise what went wrong."""


@dataclass(frozen=True)
class Loop:
    """What one window gave: nanoseconds, in order of completion.

    `ends_ns` counts from the window's begin; `cpu_ns` is the CPU time of the process in the window.
    """

    latencies_ns: array[int]
    ends_ns: array[int]
    cpu_ns: int


def run_threads(callers: Sequence[Caller], begin_ns: int, end_ns: int) -> Loop:
    """Run every caller from a thread of its own until `end_ns` (on `time.perf_counter_ns`).

    What a call raises ends the loop and is raised again.
    """
    clock = time.perf_counter_ns
    starts: list[array[int]] = [array("q") for _ in callers]
    stops: list[array[int]] = [array("q") for _ in callers]
    problems: list[BaseException] = []

    def run(number: int, caller: Caller) -> None:
        started, stopped, call = starts[number].append, stops[number].append, caller.call
        try:
            with caller.guard():
                stop = 0
                while stop < end_ns and not problems:
                    start = clock()
                    call()
                    stop = clock()
                    started(start)
                    stopped(stop)
        except BaseException as problem:  # noqa: BLE001 - raised again below, in the thread that answers
            problems.append(problem)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(callers)]
    with _without_collector():
        for thread in threads:
            thread.start()
        _sleep_until(begin_ns)
        cpu_start = time.process_time_ns()
        _sleep_until(end_ns)
        cpu_ns = time.process_time_ns() - cpu_start
        for thread in threads:
            thread.join()
    if problems:
        raise problems[0]
    pairs = (
        (s, e) for began, ended in zip(starts, stops, strict=True) for s, e in zip(began, ended, strict=True)
    )
    return _inside(pairs, begin_ns, end_ns, cpu_ns)


def run_queue(requests: Sequence[Queued], begin_ns: int, end_ns: int) -> Loop:
    """Keep every request in the engine's queue until `end_ns`; one thread starts them again."""
    clock = time.perf_counter_ns
    ended: SimpleQueue[tuple[int, int]] = SimpleQueue()

    def tell(number: int) -> None:
        ended.put((number, clock()))

    done = [partial(tell, number) for number in range(len(requests))]
    starts = [0] * len(requests)
    pairs: list[tuple[int, int]] = []
    cpu_start = cpu_ns = 0
    with _without_collector():
        for number, request in enumerate(requests):
            starts[number] = clock()
            request.start(done[number])
        running = len(requests)
        while running:
            number, stop = ended.get()
            pairs.append((starts[number], stop))
            requests[number].synchronize()
            if stop >= begin_ns and not cpu_start:
                cpu_start = time.process_time_ns()
            if stop < end_ns:
                starts[number] = clock()
                requests[number].start(done[number])
                continue
            if not cpu_ns:
                cpu_ns = time.process_time_ns() - cpu_start
            running -= 1
    return _inside(iter(pairs), begin_ns, end_ns, cpu_ns)


def ceiling(count: int, *, queue: bool) -> float:
    """Requests per second that the loop itself can turn over with `count` requests that take no time.

    The best of `CEILING_RUNS`: what a busy machine takes away is not the loop's.
    """
    return max(_ceiling(count, queue) for _ in range(CEILING_RUNS))


def _ceiling(count: int, queue: bool) -> float:
    begin = time.perf_counter_ns() + CEILING_NS // 4
    end = begin + CEILING_NS
    if queue:
        nothing = _Nothing()
        loop = run_queue([nothing] * count, begin, end)
        nothing.close()
    else:
        with Path(os.devnull).open("wb", buffering=0) as nowhere:
            # Leaves and takes the interpreter's lock, as an engine's call does.
            loop = run_threads([Caller(partial(nowhere.write, b""))] * count, begin, end)
    return len(loop.ends_ns) / (CEILING_NS * 1e-9)


class _Nothing:
    """A queue that ends every request at once, from a thread of its own as an engine does."""

    def __init__(self) -> None:
        self._started: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def start(self, done: Callable[[], None]) -> None:
        self._started.put(done)

    def synchronize(self) -> None:
        pass

    def close(self) -> None:
        self._started.put(None)

    def _run(self) -> None:
        while (done := self._started.get()) is not None:
            done()


def _inside(pairs: Iterator[tuple[int, int]], begin_ns: int, end_ns: int, cpu_ns: int) -> Loop:
    """Requests that ended in the window, by their end."""
    inside = sorted((stop, start) for start, stop in pairs if begin_ns < stop <= end_ns)
    return Loop(
        array("q", (stop - start for stop, start in inside)),
        array("q", (stop - begin_ns for stop, _ in inside)),
        cpu_ns,
    )


class _without_collector(AbstractContextManager[None]):
    def __enter__(self) -> None:
        self._collecting = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._collecting:
            gc.enable()


def _sleep_until(end_ns: int) -> None:
    while (left := end_ns - time.perf_counter_ns()) > 0:
        time.sleep(left * 1e-9)

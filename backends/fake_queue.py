"""The fake engine's servers: requests wait for a free one, in order of arrival, and are served for a set time.

A server is a reservation of time and not a thread, so that its truth is exact: as long as enough requests wait, the
servers are busy without a gap, however late the machine wakes a sleeper.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class FakeQueue:
    """`servers` servers behind one queue; shared by all requests of one loaded model."""

    def __init__(self, servers: int) -> None:
        self._free_at = [0] * servers
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._ends: list[tuple[int, int, Callable[[], None]]] = []
        self._tickets = itertools.count()
        self._runner: threading.Thread | None = None
        self._open = True

    def reserve(self, length_ns: int) -> int:
        """Take the server that is free first for `length_ns`; returns when that ends, on `time.perf_counter_ns`."""
        with self._lock:
            begin = max(time.perf_counter_ns(), heapq.heappop(self._free_at))
            heapq.heappush(self._free_at, begin + length_ns)
            return begin + length_ns

    def serve(self, length_ns: int) -> None:
        """Wait for a server and for its work, with the interpreter left to other threads."""
        wait_until(self.reserve(length_ns))

    def start(self, length_ns: int, done: Callable[[], None]) -> None:
        """Queue a request and return; `done` is called from the queue's own thread."""
        end = self.reserve(length_ns)
        with self._changed:
            if self._runner is None:
                self._runner = threading.Thread(target=self._run, daemon=True)
                self._runner.start()
            heapq.heappush(self._ends, (end, next(self._tickets), done))
            self._changed.notify()

    def close(self) -> None:
        """End the queue's thread; requests that wait are dropped."""
        with self._changed:
            self._open = False
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._open:
                    return
                if not self._ends:
                    self._changed.wait()
                    continue
                left = self._ends[0][0] - time.perf_counter_ns()
                if left > 0:
                    self._changed.wait(left * 1e-9)
                    continue
                _, _, done = heapq.heappop(self._ends)
            done()


def wait_until(end_ns: int) -> None:
    """Sleep until `time.perf_counter_ns` shows `end_ns`."""
    while (left := end_ns - time.perf_counter_ns()) > 0:
        time.sleep(left * 1e-9)

"""A fixed piece of work that is the same on every day: it tells the machine's speed from the engine's."""

from __future__ import annotations

import time

import numpy as np

from harness.worker.channel import Message

_SMALL = 16_384
"""Numbers that stay in the second-level cache: arithmetic."""

_LARGE = 2_097_152
"""Numbers (16 MiB) that do not stay in most caches: memory."""


class Canary:
    """Half arithmetic in cache, half streaming through memory, single-threaded, some milliseconds."""

    def __init__(self) -> None:
        self._small = np.linspace(0.1, 1.0, _SMALL)
        self._large = np.ones(_LARGE)
        self._target = np.empty(_LARGE)
        self._scratch = np.empty(_SMALL)

    def sing(self, request: Message) -> Message:
        """Do the work "repeats" times; answers with the shortest nanoseconds."""
        times = []
        for _ in range(request.head["repeats"]):
            start = time.perf_counter_ns()
            self._work()
            times.append(time.perf_counter_ns() - start)
        return Message({"ns": min(times)})

    def _work(self) -> None:
        small, scratch = self._small, self._scratch
        np.copyto(scratch, small)
        for _ in range(150):
            np.multiply(scratch, small, out=scratch)
            np.add(scratch, small, out=scratch)
            np.sqrt(scratch, out=scratch)
        np.copyto(self._target, self._large)
        np.add(self._target, self._large, out=self._target)

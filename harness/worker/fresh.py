"""Is a timed call an inference? Calls on inputs never seen, against calls on the same inputs again.

An engine that keeps outputs by their inputs, or runs only when new ones came in, is fast on repeated inputs and
right in every check. One whose call returns before its work is done is fast until somebody reads the outputs. Both
show here.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backends.base import Session
from backends.contract import Array, Feeds
from backends.memory import aligned_copy
from harness.worker.turning import HELD_BACK, differs, turned

MOST = 32
"""Pairs of calls in one pass."""

Difference = Callable[[Mapping[str, Array], Mapping[str, Array]], float | None]


@dataclass
class _Times:
    """Nanoseconds of one kind of call: the call, and reading its outputs twice."""

    call: array[int] = field(default_factory=lambda: array("q"))
    download: array[int] = field(default_factory=lambda: array("q"))
    again: array[int] = field(default_factory=lambda: array("q"))


class FreshCalls:
    """Pairs of a call on fresh inputs and one on the same inputs again, on a session that is prepared with `feeds`.

    Both halves of a pair do the same around the call (as many bytes are copied, outputs are read and compared as
    often), so that they differ in nothing but new inputs. Bringing inputs in is never timed.
    """

    def __init__(self, session: Session, feeds: Feeds, difference: Difference) -> None:
        self._session = session
        self._feeds = feeds
        self._difference = difference
        # The engine may read these where they are: two sets, so that an address says nothing about a content.
        self._buffers = [_copy(feeds), _copy(feeds)]
        self._spare = _copy(feeds)
        self._call: Callable[[], object] = session.timed_call()

    @property
    def by(self) -> str:
        """How inputs are brought in: "upload", or "prepare" where the engine does not separate it."""
        return "upload" if self._session.upload_paths else "prepare"

    def run(self, first: int, fewest: int, ns: int) -> dict[str, Any]:
        """Make pairs for about `ns` nanoseconds, at least `fewest`; turns of the inputs count from `first`.

        Answers {"by", "fresh", "repeated", "download", "download_again": lists of nanoseconds, "drift"}: the last is
        the largest difference of the outputs of two calls on the same inputs.
        """
        if not differs(turned(self._feeds, first), self._feeds):
            return {"reason": "the inputs hold one value only: there are no others that are as good"}
        fresh, repeated = _Times(), _Times()
        drifts: list[float] = []
        before: Mapping[str, Array] = {}
        collecting = gc.isenabled()
        gc.disable()
        try:
            end = time.perf_counter_ns() + ns
            # The first pair is thrown away: buffers and code are cold.
            for number in range(MOST + 1):
                if number > fewest and time.perf_counter_ns() >= end:
                    break
                given = self._turn(self._buffers[number % 2], first + number)
                self._bring(given)
                new = self._timed(fresh if number else _Times())
                self._difference(new, before)
                same = self._turn(self._spare, first + number)
                if self.by == "prepare":
                    self._bring(same)
                old = self._timed(repeated if number else _Times())
                found = self._difference(old, new)
                if found is not None:
                    drifts.append(found)
                before = old
        finally:
            if collecting:
                gc.enable()
        return {
            "reason": "",
            "by": self.by,
            "fresh": list(fresh.call),
            "repeated": list(repeated.call),
            "download": list(fresh.download),
            "download_again": list(fresh.again),
            "drift": max(drifts, default=None),
        }

    def held_back(self) -> dict[str, Array]:
        """Outputs of the turn that is held back, in memory that held other inputs before."""
        self._bring(self._turn(self._buffers[0], HELD_BACK))
        self._call()
        return self._session.download()

    def _turn(self, buffer: dict[str, Array], number: int) -> dict[str, Array]:
        for name, made in turned(self._feeds, number).items():
            np.copyto(buffer[name], made)
        return buffer

    def _bring(self, given: Feeds) -> None:
        session = self._session
        if self.by == "upload":
            session.upload(given)
        else:
            session.prepare(given)
            self._call = session.timed_call()
        session.synchronize()

    def _timed(self, times: _Times) -> dict[str, Array]:
        clock, call, download = time.perf_counter_ns, self._call, self._session.download
        t0 = clock()
        call()
        t1 = clock()
        outputs = download()
        t2 = clock()
        download()
        t3 = clock()
        times.call.append(t1 - t0)
        times.download.append(t2 - t1)
        times.again.append(t3 - t2)
        return outputs


def _copy(feeds: Feeds) -> dict[str, Array]:
    return {name: aligned_copy(array) for name, array in feeds.items()}

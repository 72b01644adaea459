"""The requests of one loaded model that a closed loop keeps in flight, in the worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from backends.base import Session
from backends.contract import Array
from harness.worker.channel import Message
from harness.worker.closed_loop import Caller, Loop, ceiling, run_queue, run_threads
from harness.worker.stages import StagedCall

Difference = Callable[[Mapping[str, Array], Mapping[str, Array]], float | None]
Stager = Callable[[Session, Mapping[str, Array]], StagedCall]
"""Makes a request that goes through all stages, with a pipeline of its own."""


class Requests:
    """A session and its forks. Each is bound to an input set of its own, in turn, so that mixed-up outputs show."""

    def __init__(self, session: Session) -> None:
        self._first = session
        self._forks: list[Session] = []
        self._queue = False
        self._sets: list[str] = []
        self._names: Sequence[str] = ()
        self._staged: list[StagedCall] = []
        self._ceilings: dict[tuple[int, bool], float] = {}

    def set_up(
        self,
        count: int,
        *,
        queue: bool,
        sets: Sequence[str],
        feeds: Mapping[str, Mapping[str, Array]],
        stager: Stager | None = None,
    ) -> float:
        """Have `count` requests, bound and run once; returns the loop's own ceiling in requests per second.

        With a `stager` each request is a whole call from encoded items to answers. Requests that are not needed any
        more are closed.
        """
        while len(self._forks) >= count:
            self._forks.pop().close()
        while len(self._forks) < count - 1:
            self._forks.append(self._first.fork())
        self._queue = queue
        self._names = sets
        self._sets = [sets[number % len(sets)] for number in range(count)]
        for request, name in zip(self._all, self._sets, strict=True):
            request.prepare(feeds[name])
            request.upload()
            request.synchronize()
            request.timed_call()()
        self._staged = []
        if stager is not None:
            self._staged = [
                stager(request, feeds[name]) for request, name in zip(self._all, self._sets, strict=True)
            ]
        if (count, queue) not in self._ceilings:
            self._ceilings[count, queue] = ceiling(count, queue=queue)
        return self._ceilings[count, queue]

    def run(self, begin_ns: int, end_ns: int) -> Loop:
        """Keep all requests in flight until `end_ns`."""
        if self._staged:
            callers = [Caller(call.whole, call.session.in_thread) for call in self._staged]
            return run_threads(callers, begin_ns, end_ns)
        if self._queue:
            return run_queue(self._all, begin_ns, end_ns)
        return run_threads([Caller(r.timed_call(), r.in_thread) for r in self._all], begin_ns, end_ns)

    def drift(self, expected: Mapping[str, Mapping[str, Array]], difference: Difference) -> float | None:
        """Largest difference of any request's last outputs under load from those of the single request.

        Requests that go through all stages have inputs of their own: each is run once more with its last ones, alone.
        """
        if self._staged:
            return max(
                (value for call in self._staged if (value := _repeated(call, difference)) is not None),
                default=None,
            )
        found = [
            difference(request.download(), expected[name])
            for request, name in zip(self._all, self._sets, strict=True)
            if name in expected
        ]
        return max((value for value in found if value is not None), default=None)

    def exchanged(
        self,
        feeds: Mapping[str, Mapping[str, Array]],
        expected: Mapping[str, Mapping[str, Array]],
        difference: Difference,
    ) -> float | None:
        """Largest difference after some requests were given another input set, each run once more in its own way.

        A request that keeps its outputs, or has those of another one, gives the old ones. After this a new `set_up` is
        needed. None where there is no other input set whose outputs are known.
        """
        if self._staged or len(self._names) < 2:
            return None
        everyone, found = self._all, []
        for place in sorted({0, len(everyone) // 2, len(everyone) - 1}):
            request = everyone[place]
            name = self._names[(self._names.index(self._sets[place]) + 1) % len(self._names)]
            if name not in expected:
                continue
            with request.in_thread():
                (request.upload if request.upload_paths else request.prepare)(feeds[name])
                request.synchronize()
                self._run_once(request)
                found.append(difference(request.download(), expected[name]))
        return max((value for value in found if value is not None), default=None)

    def _run_once(self, request: Session) -> None:
        if not self._queue:
            request.timed_call()()
            return
        ended = threading.Event()
        request.start(ended.set)
        ended.wait()
        request.synchronize()

    def close(self) -> None:
        """Close the forks."""
        while self._forks:
            self._forks.pop().close()

    @property
    def _all(self) -> list[Session]:
        return [self._first, *self._forks]


def _repeated(call: StagedCall, difference: Difference) -> float | None:
    if call.last is None:
        return None
    session = call.session
    loaded = session.download()
    with session.in_thread():
        session.upload(call.last)
        session.timed_call()()
    return difference(loaded, session.download())


def window(requests: Requests, request: Message) -> tuple[dict[str, int], bytes]:
    """Run one window of "window_ns" after "warm_ns", or with its begin at "begin_ns" of the shared clock.

    Answers head and payload: latencies, then ends, as 64-bit integers, "count" of each.
    """
    head = request.head
    begin_ns = head["begin_ns"] or time.perf_counter_ns() + head["warm_ns"]
    loop = requests.run(begin_ns, begin_ns + head["window_ns"])
    told = {"count": len(loop.ends_ns), "cpu_ns": loop.cpu_ns}
    return told, loop.latencies_ns.tobytes() + loop.ends_ns.tobytes()

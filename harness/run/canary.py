"""The canary in a worker of its own, frozen between its songs."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from harness.run.observer import Observer
from harness.run.worker import Worker, WorkerFailure

DEADLINE_S = 60.0


class CanaryBird:
    """Measures the machine's own speed once a round. It may die like any worker: then rounds have no canary."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._worker: Worker | None = None
        try:
            self._worker = Worker("canary")
            self._song(3)
        except WorkerFailure as failure:
            self._lose(failure)

    def sing(self) -> int | None:
        """Nanoseconds of the fixed piece of work (the shorter of two); None when the canary is dead."""
        if self._worker is None:
            return None
        try:
            return self._song(2)
        except WorkerFailure as failure:
            self._lose(failure)
            return None

    def _song(self, repeats: int) -> int:
        assert self._worker is not None
        self._worker.thaw()
        reply = self._worker.request("canary", {"repeats": repeats}, deadline_s=DEADLINE_S, phase="canary")
        self._worker.freeze()
        return int(reply.head["ns"])

    def _lose(self, failure: WorkerFailure) -> None:
        self._observer.say(
            f"The canary is lost: {failure.message}. The machine's own speed is not watched from here on."
        )
        self._end()

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

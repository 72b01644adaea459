"""Tells the end of OpenVINO's queued requests from a thread of Python's own.

The engine's own callbacks are not used: its threads take Python's lock for them, and once more when a request is
destroyed, while the destructor of the compiled model waits for these very threads with the lock held. Seen to hang
for good in one of ten runs of four requests (OpenVINO 2026.4).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


class Waiter:
    """Waits for one request after the other; the lock is free while it waits."""

    def __init__(self, request: Any) -> None:
        self._wait: Callable[[], object] = request.wait
        self._started: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def expect(self, done: Callable[[], None]) -> None:
        """Call `done` when the request that was just started has ended."""
        self._started.put(done)

    def raise_error(self) -> None:
        """Raise what went wrong in the last request, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """End the thread and let go of the request."""
        self._started.put(None)
        self._thread.join()
        self._wait = tuple

    def _run(self) -> None:
        while (done := self._started.get()) is not None:
            try:
                self._wait()
            except Exception as error:  # noqa: BLE001 - raised again by `raise_error`, in the caller's thread
                self._error = error
            done()

"""Which process is measuring a run: a run whose process is gone was killed and can be resumed."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import psutil
from sqlalchemy import RowMapping

# Boot time, from which start times are computed, is rounded differently by different kernels.
SAME_START_S = 2.0


@dataclass(frozen=True)
class Owner:
    """A process: host name, process id, start time in seconds since the epoch."""

    host: str
    pid: int
    started: float

    @classmethod
    def of_row(cls, row: RowMapping) -> Owner:
        """The owner in a row of `runs`."""
        return cls(row["owner_host"], row["owner_pid"], row["owner_started"])

    def is_me(self) -> bool:
        """Whether this very process is meant."""
        return self.pid == os.getpid() and self.is_alive() is True

    def is_alive(self) -> bool | None:
        """Whether the process still runs; None for another host, where we cannot look."""
        if self.host != socket.gethostname():
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < SAME_START_S
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


def this_process() -> Owner:
    """The process that is running this."""
    return Owner(socket.gethostname(), os.getpid(), psutil.Process().create_time())

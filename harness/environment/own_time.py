"""CPU time of our own processes, so that it is not taken for somebody else's."""

from __future__ import annotations

import resource
import time


def own_cpu_s() -> float:
    """CPU seconds of this process and of all its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime

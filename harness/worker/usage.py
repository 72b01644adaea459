"""What calls cost beside time: CPU seconds, context switches and page faults of this process, all its threads."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

FEWEST = 2


def count_usage(call: Callable[[], object], ns: int) -> dict[str, Any]:
    """Call for about `ns` nanoseconds, at least `FEWEST` times, and count.

    Answers {"calls", "wall_ns", "user_s", "system_s", "voluntary_switches", "involuntary_switches", "minor_faults",
    "major_faults"}, all of the whole stretch. Source of the counters: getrusage(2).
    """
    calls = 0
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter_ns()
    end = start + ns
    while calls < FEWEST or time.perf_counter_ns() < end:
        call()
        calls += 1
    wall_ns = time.perf_counter_ns() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "calls": calls,
        "wall_ns": wall_ns,
        "user_s": after.ru_utime - before.ru_utime,
        "system_s": after.ru_stime - before.ru_stime,
        "voluntary_switches": after.ru_nvcsw - before.ru_nvcsw,
        "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
        "minor_faults": after.ru_minflt - before.ru_minflt,
        "major_faults": after.ru_majflt - before.ru_majflt,
    }

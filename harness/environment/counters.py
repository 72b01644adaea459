"""What a process and all that it started did: CPU time, context switches, page faults, by proc(5).

CPU time and faults are counted by process, context switches by thread. CPU time comes in ticks (10 ms on most
kernels), so stretches of a second or more are worth measuring. A thread or process that ends takes its switches along:
what it did since the reading before is lost, and `CounterDelta.ended` says how many did.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.environment.processes import process_tree, stat_fields
from harness.environment.reading import Reading
from harness.environment.sources import Sources, key_values

# Positions after state in /proc/PID/stat, whose field 3 is the state.
_MINFLT, _MAJFLT, _UTIME, _STIME = 7, 9, 11, 12


@dataclass(frozen=True)
class OfProcess:
    """CPU seconds and page faults of one process since it began, its ended threads included."""

    user_s: float
    system_s: float
    minor_faults: int
    major_faults: int


@dataclass(frozen=True)
class Counters:
    """Counters at one moment, by process and by thread."""

    processes: Mapping[int, OfProcess]
    switches: Mapping[int, tuple[int, int]]
    """Thread -> voluntary, involuntary context switches since it began."""
    switches_reason: str = ""
    """Why there are no switches."""


@dataclass(frozen=True)
class CounterDelta:
    """What happened between two readings. None: could not be read; `reason` says why."""

    user_s: float
    system_s: float
    minor_faults: int
    """Served without a disk: fresh memory, or pages of files that were in memory."""
    major_faults: int
    voluntary_switches: int | None
    """The thread waited: for a lock, another thread, a disk."""
    involuntary_switches: int | None
    """The kernel took the CPU away."""
    ended: int
    """Threads and processes that ended in between and whose last part is not counted."""
    reason: str = ""


def counters_of(pid: int, root: Path = Path("/")) -> Reading[Counters]:
    """Counters of the process and its descendants at this moment."""
    sources = Sources(root)
    processes: dict[int, OfProcess] = {}
    switches: dict[int, tuple[int, int]] = {}
    reason = ""
    for member in process_tree(sources, pid):
        fields = stat_fields(sources, f"proc/{member}")
        if fields is None:
            continue  # it has just ended
        processes[member] = _of_process(fields)
        for thread in sources.names(f"proc/{member}/task"):
            status = key_values(sources.text(f"proc/{member}/task/{thread}/status"), ":")
            pair = tuple(status.get(f"{kind}_ctxt_switches", "") for kind in ("voluntary", "nonvoluntary"))
            if all(number.isdecimal() for number in pair):
                switches[int(thread)] = (int(pair[0]), int(pair[1]))
            elif status:
                reason = f"/proc/{member}/task/{thread}/status tells no context switches"
    if pid not in processes:
        return Reading(None, f"there is no process {pid}, or /proc/{pid}/stat cannot be read")
    if not switches and not reason:
        reason = f"/proc/{pid}/task cannot be read"
    return Reading(Counters(processes, {} if reason else switches, reason))


def difference(before: Counters, after: Counters) -> CounterDelta:
    """What happened from `before` to `after`; processes and threads that are new count from their beginning."""
    nothing = OfProcess(0.0, 0.0, 0, 0)
    pairs = [(before.processes.get(pid, nothing), now) for pid, now in after.processes.items()]
    reason = before.switches_reason or after.switches_reason

    def switched(kind: int) -> int | None:
        if reason:
            return None
        return sum(now[kind] - before.switches.get(t, (0, 0))[kind] for t, now in after.switches.items())

    ended = len(before.processes.keys() - after.processes.keys())
    ended += 0 if reason else len(before.switches.keys() - after.switches.keys())
    return CounterDelta(
        user_s=sum(now.user_s - then.user_s for then, now in pairs),
        system_s=sum(now.system_s - then.system_s for then, now in pairs),
        minor_faults=sum(now.minor_faults - then.minor_faults for then, now in pairs),
        major_faults=sum(now.major_faults - then.major_faults for then, now in pairs),
        voluntary_switches=switched(0),
        involuntary_switches=switched(1),
        ended=ended,
        reason=reason,
    )


def _of_process(fields: list[str]) -> OfProcess:
    tick_s = 1.0 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
    return OfProcess(
        user_s=int(fields[_UTIME]) * tick_s,
        system_s=int(fields[_STIME]) * tick_s,
        minor_faults=int(fields[_MINFLT]),
        major_faults=int(fields[_MAJFLT]),
    )

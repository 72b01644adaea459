"""What else happened on the machine: counters at one moment, and their difference between two.

A snapshot reads a handful of files below /proc and /sys (well under a millisecond on small machines), starts no
process and imports nothing, so that it can be taken around timed blocks. All counters start at boot; those that
cannot be read are None. Sources: proc(5); the kernel's documentation of PSI (accounting/psi), of cgroup `cpu.stat`
(admin-guide/cgroup-v2, scheduler/sched-bwc) and of `thermal_throttle` in sysfs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from harness.environment.limits import affinity, cgroup_folders, memory_left, online_cpus
from harness.environment.setting import Setting, read_setting
from harness.environment.sources import Sources, key_values
from harness.environment.tempo import Tempo, TempoDelta, TempoReader, tempo_between, tempo_total

CPU = "sys/devices/system/cpu"

# One file per CPU would be slow on large machines, and CPUs of one package are throttled together.
_THERMAL_CPUS = 8


@dataclass(frozen=True)
class Pressure:
    """Counters at one moment. Seconds of CPU time are summed over the `cores` that this process may use."""

    time_ns: int
    """Monotonic clock, nanoseconds."""
    cores: int | None = None
    user_s: float | None = None
    """User time, niced included."""
    system_s: float | None = None
    """Kernel time, interrupts included."""
    idle_s: float | None = None
    """Idle time, waiting for disks included."""
    steal_s: float | None = None
    """Time for which the hypervisor ran somebody else while this machine wanted to run."""
    load_1m: float | None = None
    throttled_count: int | None = None
    """Periods in which the cgroup (or one above it) used up its CPU quota."""
    throttled_s: float | None = None
    """Time for which it was held back then, summed over CPUs."""
    swapped_in: int | None = None
    """Pages since boot."""
    swapped_out: int | None = None
    memory_available: int | None = None
    """Bytes, to the machine or within the container's limit."""
    waiting_s: float | None = None
    """Time in which some task waited for a CPU (PSI, `some`)."""
    thermal_events: int | None = None
    """Times the processor slowed itself down because of heat, summed over up to 8 usable CPUs."""
    tempo: Tempo = field(default_factory=Tempo)
    setting: Setting = field(default_factory=Setting)


@dataclass(frozen=True)
class PressureDelta:
    """What happened in `wall_s` seconds. None: could not be read, which is not the same as zero."""

    wall_s: float
    cores: int | None = None
    busy_s: float | None = None
    """CPU time of everybody on the `cores`, ours included, stolen time excluded."""
    own_cpu_s: float | None = None
    """CPU time of our own processes."""
    steal_s: float | None = None
    steal_ever_s: float | None = None
    """Stolen time since boot: zero on a virtual machine suggests that its hypervisor does not report it."""
    throttled_count: int | None = None
    throttled_s: float | None = None
    swap_pages: int | None = None
    """Pages that went in or out of swap."""
    waiting_s: float | None = None
    thermal_events: int | None = None
    memory_available: int | None = None
    """Bytes, at the end."""
    load_1m: float | None = None
    """Load average of the last minute, at the end."""
    tempo: TempoDelta = field(default_factory=TempoDelta)
    setting: Setting = field(default_factory=Setting)
    """At the end: the kernel itself changes the clock source when it finds it unstable."""

    @property
    def steal_share(self) -> float | None:
        """Stolen time over cores × wall time."""
        return self._share(self.steal_s)

    @property
    def competing_share(self) -> float | None:
        """CPU time of everybody else over cores × wall time."""
        if self.busy_s is None or self.own_cpu_s is None:
            return None
        return self._share(self.busy_s - self.own_cpu_s)

    def _share(self, seconds: float | None) -> float | None:
        """Kernel ticks are coarse (10 ms), so a share can come out a little outside 0 to 1: it is clipped."""
        if seconds is None or not self.cores or self.wall_s <= 0:
            return None
        return min(1.0, max(0.0, seconds / (self.cores * self.wall_s)))


def snapshot(root: Path = Path("/")) -> Pressure:
    """Counters of this moment; `root` is for recorded machines."""
    return _reader(root).read()


def between(before: Pressure, after: Pressure, own_cpu_s: float | None) -> PressureDelta:
    """What happened from `before` to `after`; `own_cpu_s` is the CPU time of all our processes in between.

    Kernel ticks of 10 ms limit the resolution: on a quarter of a second, one tick on two cores is already 2 %.
    Judge whole trials, or add short pieces up with `total`. Raises ValueError when `after` is the earlier one.
    """
    if after.time_ns < before.time_ns:
        raise ValueError("the snapshot `after` was taken before the snapshot `before`")
    same_cores = before.cores == after.cores
    return PressureDelta(
        wall_s=(after.time_ns - before.time_ns) * 1e-9,
        cores=after.cores if same_cores else None,
        busy_s=_growth(_busy(before), _busy(after)),
        own_cpu_s=own_cpu_s,
        steal_s=_growth(before.steal_s, after.steal_s),
        steal_ever_s=after.steal_s,
        throttled_count=_count(_growth(before.throttled_count, after.throttled_count)),
        throttled_s=_growth(before.throttled_s, after.throttled_s),
        swap_pages=_count(_growth(_swapped(before), _swapped(after))),
        waiting_s=_growth(before.waiting_s, after.waiting_s),
        thermal_events=_count(_growth(before.thermal_events, after.thermal_events)),
        memory_available=after.memory_available,
        load_1m=after.load_1m,
        tempo=tempo_between(before.tempo, after.tempo),
        setting=after.setting,
    )


def total(deltas: Sequence[PressureDelta]) -> PressureDelta | None:
    """Several pieces of time as one; None without any. A figure that one piece lacks is None in the sum."""
    if not deltas:
        return None
    last = deltas[-1]
    return PressureDelta(
        wall_s=sum(delta.wall_s for delta in deltas),
        cores=last.cores if len({delta.cores for delta in deltas}) == 1 else None,
        busy_s=_sum(delta.busy_s for delta in deltas),
        own_cpu_s=_sum(delta.own_cpu_s for delta in deltas),
        steal_s=_sum(delta.steal_s for delta in deltas),
        steal_ever_s=last.steal_ever_s,
        throttled_count=_count(_sum(delta.throttled_count for delta in deltas)),
        throttled_s=_sum(delta.throttled_s for delta in deltas),
        swap_pages=_count(_sum(delta.swap_pages for delta in deltas)),
        waiting_s=_sum(delta.waiting_s for delta in deltas),
        thermal_events=_count(_sum(delta.thermal_events for delta in deltas)),
        memory_available=last.memory_available,
        load_1m=last.load_1m,
        tempo=tempo_total([delta.tempo for delta in deltas]),
        setting=last.setting,
    )


class _Reader:
    """Knows which files exist, so that a snapshot looks nothing up twice."""

    def __init__(self, root: Path) -> None:
        self._sources = Sources(root)
        sources = self._sources
        cpus = affinity(sources) or online_cpus(sources) or frozenset()
        self._numbers = cpus
        self._cpus = frozenset(f"cpu{number}" for number in cpus)
        self._tempo = TempoReader(sources, sorted(cpus))
        first = [f"cpu{number}" for number in sorted(cpus)[:_THERMAL_CPUS]]
        thermal = [
            f"{CPU}/{name}/thermal_throttle/{kind}_throttle_count"
            for name in first
            for kind in ("core", "package")
        ]
        self._thermal = [path for path in thermal if sources.exists(path)]
        folders = cgroup_folders(sources, "") + cgroup_folders(sources, "cpu")
        self._cgroup = [path for path in (f"{folder}/cpu.stat" for folder in folders) if sources.exists(path)]
        self._tick_s = 1.0 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01

    def read(self) -> Pressure:
        sources = self._sources
        times = self._times(sources.text("proc/stat") or "")
        throttled_count, throttled_s = self._throttled()
        swap = key_values(_lines_of(sources.text("proc/vmstat"), "pswp"), " ")
        return Pressure(
            time_ns=time.monotonic_ns(),
            cores=len(times) or None,
            user_s=self._seconds(times, (0, 1)),
            system_s=self._seconds(times, (2, 5, 6)),
            idle_s=self._seconds(times, (3, 4)),
            steal_s=self._seconds(times, (7,)),
            load_1m=_number((sources.text("proc/loadavg") or "").split(" ")[0]),
            throttled_count=throttled_count,
            throttled_s=throttled_s,
            swapped_in=_integer(swap.get("pswpin")),
            swapped_out=_integer(swap.get("pswpout")),
            memory_available=self._memory_available(),
            waiting_s=_waiting(sources.text("proc/pressure/cpu") or ""),
            thermal_events=_count(_sum(sources.integer(path) for path in self._thermal)),
            tempo=self._tempo.read(),
            setting=read_setting(sources, self._numbers),
        )

    def _times(self, stat: str) -> list[list[int]]:
        """Ticks of every usable CPU: user, nice, system, idle, iowait, irq, softirq, steal, ..."""
        rows: list[list[int]] = []
        for line in stat.splitlines():
            name, *cells = line.split()
            if name in self._cpus and all(cell.isdecimal() for cell in cells):
                rows.append([int(cell) for cell in cells])
        return rows

    def _seconds(self, times: list[list[int]], columns: Sequence[int]) -> float | None:
        if not times or any(len(row) <= max(columns) for row in times):
            return None
        return sum(row[column] for row in times for column in columns) * self._tick_s

    def _memory_available(self) -> int | None:
        """Of the machine or of the container's limit, whichever is less."""
        machine = _kib(key_values(self._sources.text("proc/meminfo"), ":").get("MemAvailable"))
        known = [size for size in (machine, memory_left(self._sources)) if size is not None]
        return min(known, default=None)

    def _throttled(self) -> tuple[int | None, float | None]:
        """Every level of the hierarchy counts its own quota only, so the levels add up."""
        counts: list[int] = []
        seconds: list[float] = []
        for path in self._cgroup:
            stat = key_values(self._sources.text(path), " ")
            count = _integer(stat.get("nr_throttled"))
            if count is None:
                continue
            counts.append(count)
            # Version 2 counts microseconds, version 1 nanoseconds.
            micro, nano = _integer(stat.get("throttled_usec")), _integer(stat.get("throttled_time"))
            seconds.append(micro * 1e-6 if micro is not None else (nano or 0) * 1e-9)
        return (sum(counts), sum(seconds)) if counts else (None, None)


@lru_cache(maxsize=8)
def _reader(root: Path) -> _Reader:
    return _Reader(root)


def _busy(pressure: Pressure) -> float | None:
    return _sum((pressure.user_s, pressure.system_s))


def _swapped(pressure: Pressure) -> float | None:
    return _sum((pressure.swapped_in, pressure.swapped_out))


def _sum(parts: Iterable[float | None]) -> float | None:
    """Sum; None when a part is missing or there is none at all."""
    numbers = list(parts)
    known = [number for number in numbers if number is not None]
    return sum(known) if known and len(known) == len(numbers) else None


def _growth(before: float | None, after: float | None) -> float | None:
    return after - before if before is not None and after is not None else None


def _count(number: float | None) -> int | None:
    return None if number is None else int(number)


def _lines_of(text: str | None, start: str) -> str:
    return "\n".join(line for line in (text or "").splitlines() if line.startswith(start))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _kib(text: str | None) -> int | None:
    number = _integer(text.split(" ")[0]) if text else None
    return None if number is None else number * 1024


def _waiting(psi: str) -> float | None:
    """Line "some avg10=.. avg60=.. avg300=.. total=<microseconds>"."""
    for line in psi.splitlines():
        if line.startswith("some"):
            total_us = _integer(line.rpartition("total=")[2])
            return None if total_us is None else total_us * 1e-6
    return None

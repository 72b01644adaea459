"""The tempo of this machine at a moment: clock frequency, heat, and whether its clocks run evenly.

Frequencies and temperatures come from `cpufreq`, `thermal` and `hwmon` in sysfs, as the kernel's documentation has
them (admin-guide/pm/cpufreq, driver-api/thermal/sysfs-api, hwmon/sysfs-interface). Virtual machines have none of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.environment.sources import Sources, key_values

CPU = "sys/devices/system/cpu"
MOST_CPUS = 8
"""One file per CPU would be slow on large machines."""

_THERMAL_ZONES = ("x86_pkg_temp", "cpu", "soc", "tcpu")
_HWMON = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
_HUGE_PAGES = ("thp_collapse_alloc", "compact_stall")


@dataclass(frozen=True)
class Tempo:
    """One moment. None: not readable."""

    frequency_mhz: float | None = None
    """Highest frequency of up to 8 usable CPUs: that of those that work."""
    temperature_c: float | None = None
    """Highest temperature of the processor."""
    limit_c: float | None = None
    """Temperature from which on the processor slows down or stops, the lowest that is told."""
    huge_pages: int | None = None
    """Pages that the kernel put together, or waited for, to make huge ones, since boot."""
    realtime_s: float | None = None
    """Clocks: of the wall, and of the machine with (boot) and without (monotonic) the time it was suspended."""
    boot_s: float | None = None
    monotonic_s: float | None = None


@dataclass(frozen=True)
class TempoDelta:
    """What happened to the tempo over a stretch of time."""

    frequencies_mhz: tuple[float, ...] = ()
    """At its beginning, at its end, and whenever somebody looked; empty: not readable."""
    temperature_c: float | None = None
    """The highest that was seen."""
    limit_c: float | None = None
    huge_pages: int | None = None
    clock_step_s: float | None = None
    """By how much more the wall's clock went on than the monotonic one: somebody set it."""
    suspended_s: float | None = None
    """Time in which the machine was suspended."""


def tempo_between(before: Tempo, after: Tempo) -> TempoDelta:
    """What happened from `before` to `after`."""
    seen = [tempo.temperature_c for tempo in (before, after) if tempo.temperature_c is not None]
    frequencies = [tempo.frequency_mhz for tempo in (before, after) if tempo.frequency_mhz is not None]
    return TempoDelta(
        frequencies_mhz=tuple(frequencies),
        temperature_c=max(seen, default=None),
        limit_c=after.limit_c,
        huge_pages=None
        if before.huge_pages is None or after.huge_pages is None
        else after.huge_pages - before.huge_pages,
        clock_step_s=_step(before.realtime_s, after.realtime_s, before, after),
        suspended_s=_step(before.boot_s, after.boot_s, before, after),
    )


def tempo_total(deltas: Sequence[TempoDelta]) -> TempoDelta:
    """Several stretches as one; a figure that one of them lacks is None in the sum."""

    def total(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) if known and len(known) == len(values) else None

    pages = total([delta.huge_pages for delta in deltas])
    return TempoDelta(
        frequencies_mhz=tuple(mhz for delta in deltas for mhz in delta.frequencies_mhz),
        temperature_c=max((d.temperature_c for d in deltas if d.temperature_c is not None), default=None),
        limit_c=deltas[-1].limit_c if deltas else None,
        huge_pages=None if pages is None else int(pages),
        clock_step_s=total([delta.clock_step_s for delta in deltas]),
        suspended_s=total([delta.suspended_s for delta in deltas]),
    )


class TempoReader:
    """Knows which files exist, so that reading looks nothing up twice. `cpus`: numbers of the usable CPUs."""

    def __init__(self, sources: Sources, cpus: Sequence[int]) -> None:
        self._sources = sources
        paths = [f"{CPU}/cpu{number}/cpufreq/scaling_cur_freq" for number in cpus[:MOST_CPUS]]
        self._frequencies = [path for path in paths if sources.exists(path)]
        self._temperatures, limits = _sensors(sources)
        self._limit_c = min(limits, default=None)

    def read(self) -> Tempo:
        """This moment."""
        sources = self._sources
        kilohertz = [value for path in self._frequencies if (value := sources.integer(path)) is not None]
        millidegrees = [value for path in self._temperatures if (value := sources.integer(path)) is not None]
        vmstat = key_values(sources.text("proc/vmstat"), " ")
        pages = [int(vmstat[name]) for name in _HUGE_PAGES if vmstat.get(name, "").isdecimal()]
        # A recorded machine has no clock of its own.
        clocks = _clocks() if sources.this_machine else (None, None, None)
        return Tempo(
            frequency_mhz=max(kilohertz) / 1000 if kilohertz else None,
            temperature_c=max(millidegrees) / 1000 if millidegrees else None,
            limit_c=self._limit_c,
            huge_pages=sum(pages) if pages else None,
            realtime_s=clocks[0],
            boot_s=clocks[1],
            monotonic_s=clocks[2],
        )


def _clocks() -> tuple[float, float | None, float]:
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time(), time.clock_gettime(boot) if boot is not None else None, time.monotonic()


def _step(start: float | None, end: float | None, before: Tempo, after: Tempo) -> float | None:
    if start is None or end is None or before.monotonic_s is None or after.monotonic_s is None:
        return None
    return (end - start) - (after.monotonic_s - before.monotonic_s)


def _sensors(sources: Sources) -> tuple[list[str], list[float]]:
    """Files of the processor's temperatures, and its limits in degrees Celsius."""
    found: list[str] = []
    limits: list[float] = []
    for name in sources.names("sys/class/thermal", "thermal_zone"):
        folder = f"sys/class/thermal/{name}"
        kind = (sources.text(f"{folder}/type") or "").lower()
        if not kind.startswith(_THERMAL_ZONES):
            continue
        found.append(f"{folder}/temp")
        for number in range(8):
            if sources.text(f"{folder}/trip_point_{number}_type") in ("critical", "hot", "passive"):
                limits += _degrees(sources, f"{folder}/trip_point_{number}_temp")
    for name in sources.names("sys/class/hwmon", "hwmon"):
        folder = f"sys/class/hwmon/{name}"
        if sources.text(f"{folder}/name") in _HWMON and sources.exists(f"{folder}/temp1_input"):
            found.append(f"{folder}/temp1_input")
            limits += _degrees(sources, f"{folder}/temp1_max") or _degrees(sources, f"{folder}/temp1_crit")
    return found, limits


def _degrees(sources: Sources, path: str) -> list[float]:
    """Drivers write 0, or a negative or huge number, where there is no limit."""
    value = sources.integer(path)
    return [value / 1000] if value is not None and 40_000 <= value <= 150_000 else []

"""Doubts about the machine's tempo: frequency, heat, clocks, and settings that make calls uneven."""

from __future__ import annotations

from collections.abc import Iterator

from harness.environment.pressure import PressureDelta
from harness.environment.setting import Setting
from harness.environment.tempo import TempoDelta
from harness.records import Machine, Warning_

FREQUENCY_DROP = 0.05
"""Share by which the frequency may end below where it began."""
FREQUENCY_SPREAD = 0.10
MIN_LOOKS = 4
"""Looks at the frequency below which its spread is not judged: one may have met an idle moment."""
NEAR_LIMIT_C = 5.0
CLOCK_STEP_S = 0.1
CLOCK_SLEW = 0.001
"""Time servers correct clocks by at most 500 parts per million without setting them; twice that is a step."""
SUSPENDED_S = 0.05
HUGE_PAGES = 64

# Read without entering the kernel (vDSO): tens of nanoseconds. Others ask a device or the hypervisor.
_FAST_CLOCKS = {
    "tsc",
    "kvm-clock",
    "arch_sys_counter",
    "hyperv_clocksource_tsc_page",
    "riscv_clocksource",
    "timebase",
}


def doubts(delta: PressureDelta, machine: Machine) -> tuple[Warning_, ...]:
    """All doubts about the tempo during `delta`."""
    return (
        *_frequency(delta.tempo),
        *_heat(delta.tempo),
        *_clocks(delta.tempo, delta.setting, delta.wall_s),
        *_settings(delta.tempo, delta.setting, machine),
        *_unreadable(delta),
    )


def _frequency(tempo: TempoDelta) -> Iterator[Warning_]:
    mhz = tempo.frequencies_mhz
    if len(mhz) < 2 or max(mhz) <= 0.0:
        return
    drop = 1.0 - mhz[-1] / mhz[0]
    spread = 1.0 - min(mhz) / max(mhz)
    if drop > FREQUENCY_DROP:
        yield Warning_(
            code="frequency_dropped",
            message=f"The clock frequency fell by {drop:.0%} during the run, from {mhz[0]:.0f} to {mhz[-1]:.0f} MHz.",
            figure=drop,
            consequence="Later trials were slower than earlier ones; absolute latencies lie somewhere in between.",
            advice="Let the machine warm up first, improve cooling, or fix the frequency below what heat allows.",
        )
    elif len(mhz) >= MIN_LOOKS and spread > FREQUENCY_SPREAD:
        yield Warning_(
            code="frequency_varies",
            message=f"The clock frequency varied by {spread:.0%}, between {min(mhz):.0f} and {max(mhz):.0f} MHz.",
            figure=spread,
            consequence="Ratios within a round hold; absolute latencies do not compare with those of another day.",
            advice="Fix the frequency while measuring: `sudo cpupower frequency-set -g performance`, and no boost.",
        )


def _heat(tempo: TempoDelta) -> Iterator[Warning_]:
    if tempo.temperature_c is None or tempo.limit_c is None:
        return
    room = tempo.limit_c - tempo.temperature_c
    if room < NEAR_LIMIT_C:
        yield Warning_(
            code="near_thermal_limit",
            message=f"The processor was {tempo.temperature_c:.0f} °C hot; its limit is {tempo.limit_c:.0f} °C.",
            figure=tempo.temperature_c,
            consequence="It slows down when it gets hotter, so that the room's temperature decides the speed.",
            advice="Improve cooling, pause between runs, or lower the power limit.",
        )


def _clocks(tempo: TempoDelta, setting: Setting, wall_s: float) -> Iterator[Warning_]:
    if setting.clocksource is not None and setting.clocksource not in _FAST_CLOCKS:
        yield Warning_(
            code="slow_clock",
            message=f"The kernel's clock source is {setting.clocksource}.",
            consequence="Reading the clock takes a microsecond or more: short calls are timed in larger batches.",
            advice="Where `dmesg` does not call tsc unstable, boot with `clocksource=tsc`; `harness doctor --noise` "
            "measures what a reading costs.",
        )
    step = tempo.clock_step_s
    if step is not None and abs(step) > CLOCK_STEP_S + CLOCK_SLEW * wall_s:
        yield Warning_(
            code="clock_stepped",
            message=f"The wall clock was set by {step:+.2f} s during the run.",
            figure=step,
            consequence="Latencies do not use this clock and hold; dates of results may be wrong, and a virtual "
            "machine may have been moved or paused.",
            advice="Let the time server settle before measuring (`timedatectl`).",
        )
    if tempo.suspended_s is not None and tempo.suspended_s > SUSPENDED_S:
        yield Warning_(
            code="suspended",
            message=f"The machine was suspended for {tempo.suspended_s:.1f} s during the run.",
            figure=tempo.suspended_s,
            consequence="Caches, frequency and temperature began anew in the middle of the measurement.",
            advice="Measure again without suspending: `systemd-inhibit harness ...`.",
        )


def _settings(tempo: TempoDelta, setting: Setting, machine: Machine) -> Iterator[Warning_]:
    if setting.boost:
        yield Warning_(
            code="boost",
            message="The processor may clock above its nominal frequency (boost).",
            consequence="How far it does depends on heat and on how many cores work: fewer threads run faster each.",
            advice="For figures that repeat switch it off while measuring: `echo 0 | sudo tee "
            "/sys/devices/system/cpu/cpufreq/boost` (intel_pstate: `echo 1` to no_turbo).",
        )
    if setting.cores is not None and machine.cores_usable > setting.cores:
        yield Warning_(
            code="shared_cores",
            message=f"The {machine.cores_usable} usable CPUs are hyper-threads of only {setting.cores} cores.",
            figure=float(setting.cores),
            consequence="Two threads on one core slow each other down, and where the system puts them is chance.",
            advice=f"Measure with `--threads {setting.cores}`, best pinned to one CPU of each core (`taskset`).",
        )
    if setting.numa_nodes is not None and setting.numa_nodes > 1:
        yield Warning_(
            code="several_memory_nodes",
            message=f"The usable CPUs belong to {setting.numa_nodes} memory nodes (NUMA).",
            figure=float(setting.numa_nodes),
            consequence="A process whose memory lies on the other node is slower; trials differ by where they begin.",
            advice="Keep to one node: `numactl --cpunodebind=0 --membind=0 harness ...`.",
        )
    if tempo.huge_pages is not None and tempo.huge_pages > HUGE_PAGES:
        yield Warning_(
            code="huge_pages_moved",
            message=f"The kernel put memory together to huge pages {tempo.huge_pages} times during the run "
            f"(transparent huge pages: {setting.huge_pages or 'unknown'}).",
            figure=float(tempo.huge_pages),
            consequence="Calls wait while pages are moved, and a process gets faster as its pages become huge.",
            advice="While measuring: `echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled`.",
        )


def _unreadable(delta: PressureDelta) -> Iterator[Warning_]:
    """Frequency and heat are the two that virtual machines and containers hide."""
    missing = []
    if not delta.tempo.frequencies_mhz:
        missing.append("the clock frequency")
    if delta.thermal_events is None and delta.tempo.temperature_c is None:
        missing.append("heat")
    if missing:
        yield Warning_(
            code="tempo_unreadable",
            message=f"Could not be read: {' and '.join(missing)} of the processor.",
            figure=float(len(missing)),
            consequence="Whether it slowed itself down is unknown, except from the canary.",
            advice="Watch the canary's spread, and measure on the host itself where that matters: virtual machines "
            "and containers hide these.",
        )
    if delta.setting.clocksource is None:
        yield Warning_(
            code="clock_unknown",
            message="Could not be read: the kernel's clock source.",
            consequence="Whether reading the clock is cheap is unknown.",
            advice="Ask `harness doctor --noise`, which measures what a reading costs.",
        )

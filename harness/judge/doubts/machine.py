"""Doubts about the machine: did it belong to the measurement alone, at full and constant speed?"""

from __future__ import annotations

from collections.abc import Iterator

from harness.environment.pressure import PressureDelta
from harness.records import Machine, Warning_

STEAL_SHARE = 0.01
COMPETING_SHARE = 0.05
SWAP_PAGES = 256
"""1 MiB of usual pages: below that, the kernel tidies up."""
MEMORY_SHARE = 0.05

_STEADY_GOVERNORS = {"performance", "userspace"}


def doubts(delta: PressureDelta | None, machine: Machine) -> tuple[Warning_, ...]:
    """All doubts about the machine during `delta`; without counters the doubt is that nothing is known."""
    found = list(_of_delta(delta, machine)) if delta is not None else []
    return (*found, *_unreadable(delta, machine), *_of_machine(delta, machine))


def _of_delta(delta: PressureDelta, machine: Machine) -> Iterator[Warning_]:
    if delta.steal_share is not None and delta.steal_share > STEAL_SHARE:
        yield Warning_(
            code="stolen_time",
            message=f"The hypervisor took away {delta.steal_share:.1%} of the CPU time.",
            figure=delta.steal_share,
            consequence="Latencies include time in which this machine did not run; high percentiles suffer most.",
            advice="Measure on a dedicated host, or when its other tenants are quiet.",
        )
    if delta.competing_share is not None and delta.competing_share > COMPETING_SHARE:
        yield Warning_(
            code="competing_load",
            message=f"Other processes used {delta.competing_share:.1%} of the CPU time.",
            figure=delta.competing_share,
            consequence="Engines lost cores and caches to them, most of all those that run several threads.",
            advice="Stop other work on this machine (`top` shows it), or use fewer threads than cores.",
        )
    if delta.throttled_count is not None and delta.throttled_count > 0:
        seconds = f" for {delta.throttled_s:.1f} s" if delta.throttled_s is not None else ""
        yield Warning_(
            code="cgroup_throttled",
            message=f"The container's CPU limit held the measurement back {delta.throttled_count} times{seconds}.",
            figure=delta.throttled_s,
            consequence="Latencies jump whenever the quota of a period (usually 100 ms) is used up.",
            advice=f"Use at most {machine.cores_usable} threads, or raise or remove the container's CPU limit.",
        )
    if delta.swap_pages is not None and delta.swap_pages >= SWAP_PAGES:
        yield Warning_(
            code="swapping",
            message=f"Memory went in or out of swap: {delta.swap_pages} pages.",
            figure=float(delta.swap_pages),
            consequence="Latencies may include waiting for the disk.",
            advice="Free memory, use a smaller batch, or turn swap off while measuring (`swapoff -a`).",
        )
    if delta.thermal_events is not None and delta.thermal_events > 0:
        yield Warning_(
            code="thermal_throttling",
            message=f"The processor slowed itself down because of heat ({delta.thermal_events} events).",
            figure=float(delta.thermal_events),
            consequence="The engine's speed is that of a hot processor, and changes with the room.",
            advice="Improve cooling, pause between runs, or lower the power limit so that the clock stays constant.",
        )
    memory = min(machine.memory, machine.container_memory_limit or machine.memory)
    if delta.memory_available is not None and memory > 0:
        share = delta.memory_available / memory
        if share < MEMORY_SHARE:
            yield Warning_(
                code="memory_short",
                message=f"Only {share:.1%} of the memory is available.",
                figure=share,
                consequence="The kernel drops file caches and may swap, or kill an engine.",
                advice="Free memory, use a smaller batch, or raise the container's memory limit.",
            )


def _unreadable(delta: PressureDelta | None, machine: Machine) -> Iterator[Warning_]:
    missing: list[str] = []
    if delta is None or delta.steal_share is None:
        missing.append("stolen time")
    if delta is None or delta.competing_share is None:
        missing.append("load of other processes")
    if delta is None or delta.swap_pages is None:
        missing.append("swapping")
    if machine.container_cpu_limit is not None and (delta is None or delta.throttled_count is None):
        missing.append("throttling by the container's CPU limit")
    if missing:
        yield Warning_(
            code="pressure_unreadable",
            message=f"Could not be read: {', '.join(missing)}.",
            figure=float(len(missing)),
            consequence="Whether these disturbed the measurement is unknown.",
            advice="Measure where /proc and the cgroup files are readable, or make sure the machine is idle.",
        )


def _of_machine(delta: PressureDelta | None, machine: Machine) -> Iterator[Warning_]:
    governors = set(machine.governor.split(", ")) if machine.governor else set()
    if governors - _STEADY_GOVERNORS:
        yield Warning_(
            code="governor",
            message=f"The CPU frequency governor is {machine.governor}.",
            consequence="The clock follows the load: short calls run at another frequency than long ones.",
            advice="Set it to performance while measuring: `sudo cpupower frequency-set -g performance`.",
        )
    # Steal shows what neighbours do. Where it has been zero since boot the hypervisor most likely reports none.
    if machine.virtualisation and delta is not None and delta.steal_ever_s == 0.0 and _is_virtual(machine):
        yield Warning_(
            code="virtual_machine",
            message=f"This is a virtual machine ({machine.virtualisation}) without any stolen time since boot.",
            figure=0.0,
            consequence="Its hypervisor probably reports none, so that the load of neighbours cannot be seen.",
            advice="Trust differences only when they repeat at another time, or measure on a dedicated host.",
        )


def _is_virtual(machine: Machine) -> bool:
    containers = {"docker", "podman", "kubernetes", "lxc", "container", "systemd-nspawn"}
    return bool(set((machine.virtualisation or "").split(" + ")) - containers)

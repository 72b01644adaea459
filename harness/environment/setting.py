"""How the machine is set: clock source, boost, hyper-threads, huge pages, NUMA nodes. Read once, changes by hand only.

Files as the kernel's documentation has them: `clocksource` (timers), `intel_pstate/no_turbo` and `cpufreq/boost`
(admin-guide/pm), `thread_siblings_list` (admin-guide/cputopology), transparent_hugepage (admin-guide/mm/transhuge).
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.environment.sources import Sources, number_list

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"


@dataclass(frozen=True)
class Setting:
    """None: not readable. Counts are of the CPUs that this process may use."""

    clocksource: str | None = None
    """Where the kernel's clock comes from, e.g. "tsc"."""
    boost: bool | None = None
    """Whether the processor may clock above its nominal frequency."""
    cores: int | None = None
    """Physical cores among the usable CPUs: fewer than CPUs where hyper-threads share a core."""
    huge_pages: str | None = None
    """Transparent huge pages: "always", "madvise" or "never"."""
    numa_nodes: int | None = None
    """Memory nodes that the usable CPUs belong to."""


def read_setting(sources: Sources, cpus: frozenset[int]) -> Setting:
    """The setting as far as it can be read; `cpus` are the usable ones."""
    return Setting(
        clocksource=sources.text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
        boost=_boost(sources),
        cores=_cores(sources, cpus),
        huge_pages=_huge_pages(sources),
        numa_nodes=_numa_nodes(sources, cpus),
    )


def _boost(sources: Sources) -> bool | None:
    off = sources.integer(f"{CPU}/intel_pstate/no_turbo")
    if off is not None:
        return off == 0
    boost = sources.integer(f"{CPU}/cpufreq/boost")
    return None if boost is None else boost != 0


def _cores(sources: Sources, cpus: frozenset[int]) -> int | None:
    siblings = [number_list(sources.text(f"{CPU}/cpu{n}/topology/thread_siblings_list")) for n in cpus]
    known = {group for group in siblings if group is not None}
    return len(known) if siblings and None not in siblings else None


def _huge_pages(sources: Sources) -> str | None:
    """ "always [madvise] never": the chosen one stands in brackets."""
    text = sources.text("sys/kernel/mm/transparent_hugepage/enabled") or ""
    chosen = text.partition("[")[2].partition("]")[0]
    return chosen or None


def _numa_nodes(sources: Sources, cpus: frozenset[int]) -> int | None:
    lists = [number_list(sources.text(f"{NODE}/{name}/cpulist")) for name in sources.names(NODE, "node")]
    return sum(1 for nodes_cpus in lists if nodes_cpus and nodes_cpus & cpus) or None

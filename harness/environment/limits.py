"""How much of the machine this process may use: CPU affinity, cgroup quotas of CPU and memory (v1 and v2).

cgroup files are described in the kernel's documentation: admin-guide/cgroup-v2 (`cpu.max`, `memory.max`) and
admin-guide/cgroup-v1 with scheduler/sched-bwc (`cpu.cfs_quota_us`, `memory.limit_in_bytes`).
"""

from __future__ import annotations

import math
import os
import posixpath

from harness.environment.sources import Sources, key_values, number_list

CGROUP = "sys/fs/cgroup"


def affinity(sources: Sources) -> frozenset[int] | None:
    """Numbers of the CPUs on which this process may run; None where the system does not tell."""
    if sources.this_machine:
        # sched_getaffinity is missing from macOS and Windows.
        ask = getattr(os, "sched_getaffinity", None)
        return frozenset(ask(0)) if ask is not None else None
    allowed = number_list(key_values(sources.text("proc/self/status"), ":").get("Cpus_allowed_list"))
    online = online_cpus(sources)
    return allowed & online if allowed is not None and online is not None else allowed


def online_cpus(sources: Sources) -> frozenset[int] | None:
    """Numbers of the CPUs that the kernel uses."""
    online = number_list(sources.text("sys/devices/system/cpu/online"))
    if online is not None:
        return online
    lines = (sources.text("proc/cpuinfo") or "").splitlines()
    processors = [line.partition(":")[2].strip() for line in lines if line.startswith("processor")]
    return frozenset(int(number) for number in processors if number.isdecimal()) or None


def cores_usable(sources: Sources) -> int:
    """CPUs that may be kept busy: those of the affinity, at most the cgroup's quota rounded down, at least 1."""
    allowed = affinity(sources) or online_cpus(sources)
    count = len(allowed) if allowed else ((os.cpu_count() or 1) if sources.this_machine else 1)
    quota = cpu_quota(sources)
    return max(1, count if quota is None else min(count, math.floor(quota)))


def cpu_quota(sources: Sources) -> float | None:
    """CPUs' worth of time that the cgroup, or any above it, grants; None without a limit."""
    quotas = [_quota_v2(sources, folder) for folder in cgroup_folders(sources, "")]
    quotas += [_quota_v1(sources, folder) for folder in cgroup_folders(sources, "cpu")]
    known = [quota for quota in quotas if quota is not None]
    return min(known) if known else None


def memory_limit(sources: Sources, physical: int | None) -> int | None:
    """Bytes that the cgroup, or any above it, grants; None without a limit below the `physical` memory."""
    limits = [sources.integer(f"{folder}/memory.max") for folder in cgroup_folders(sources, "")]
    limits += [
        sources.integer(f"{folder}/memory.limit_in_bytes") for folder in cgroup_folders(sources, "memory")
    ]
    # Version 1 writes "no limit" as the largest number of pages; that is above any physical memory.
    ceiling = min(physical or 1 << 60, 1 << 60)
    known = [limit for limit in limits if limit is not None and limit < ceiling]
    return min(known) if known else None


def memory_left(sources: Sources) -> int | None:
    """Bytes that the cgroup, and those above it, still grant; None without a limit.

    Pages of files that nobody used lately count as free: the kernel drops them before it refuses memory.
    """
    left = [
        _left(sources, folder, "memory.max", "memory.current", "inactive_file")
        for folder in cgroup_folders(sources, "")
    ]
    left += [
        _left(sources, folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        for folder in cgroup_folders(sources, "memory")
    ]
    known = [size for size in left if size is not None]
    return min(known) if known else None


def cgroup_folders(sources: Sources, controller: str) -> list[str]:
    """Folders of this process's cgroup and of those above it, innermost first; "" asks for version 2.

    Inside a container the path in /proc/self/cgroup may be the host's while the mount shows only the container's
    part, so folders that do not exist are left out and the mount itself is always the last candidate.
    """
    path = "/"
    mounts = [controller] if controller else ["", "unified"]
    for line in (sources.text("proc/self/cgroup") or "").splitlines():
        controllers, _, line_path = line.partition(":")[2].partition(":")
        if controllers == controller or (controller and controller in controllers.split(",")):
            path = line_path
            # Version 1 mounts controllers together ("cpu,cpuacct") with or without links named after each.
            mounts = [controllers, controller] if controller else mounts
            break
    for mount in (posixpath.normpath(f"{CGROUP}/{name}") for name in mounts):
        if sources.exists(mount if controller else f"{mount}/cgroup.controllers"):
            return [f"{mount}{part}" for part in _upwards(path) if sources.exists(f"{mount}{part}")]
    return []


def _left(sources: Sources, folder: str, limit: str, usage: str, files: str) -> int | None:
    granted, used = sources.integer(f"{folder}/{limit}"), sources.integer(f"{folder}/{usage}")
    if granted is None or used is None or granted >= 1 << 60:
        return None
    droppable = key_values(sources.text(f"{folder}/memory.stat"), " ").get(files, "")
    return max(0, granted - used + (int(droppable) if droppable.isdecimal() else 0))


def _upwards(path: str) -> list[str]:
    """The path and every one above it, down to "" for the mount; ".." (outside our namespace) is dropped."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return ["".join(f"/{part}" for part in parts[:length]) for length in range(len(parts), -1, -1)]


def _quota_v2(sources: Sources, folder: str) -> float | None:
    words = (sources.text(f"{folder}/cpu.max") or "").split()
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _quota_v1(sources: Sources, folder: str) -> float | None:
    quota = sources.integer(f"{folder}/cpu.cfs_quota_us")
    period = sources.integer(f"{folder}/cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None

"""The fingerprint of the machine."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

from harness.environment import cpu, limits, virtual
from harness.environment.gpus import gpus
from harness.environment.sources import Sources, key_values
from harness.records import Gpu, Machine


def machine(root: Path = Path("/")) -> Machine:
    """Describe the machine whose files lie below `root`; what cannot be read is None, never an error.

    `memory` is in bytes, 0 where it is unknown; `frequency_mhz` is the highest one where the kernel tells it.
    GPUs are asked of the driver's command, hence only for the machine at hand.
    """
    sources = Sources(root)
    name = cpu.model_name(sources)
    architecture = cpu.architecture(sources)
    memory = total_memory(sources)
    usable = limits.cores_usable(sources)
    online = limits.online_cpus(sources)
    quota = limits.cpu_quota(sources)
    memory_limit = limits.memory_limit(sources, memory or None)
    virtualisation = virtual.virtualisation(sources)
    found = gpus() if sources.this_machine else ()
    return Machine(
        id=fingerprint(
            cpu=name,
            architecture=architecture,
            cores_usable=usable,
            memory=memory,
            gpus=found,
            virtualisation=virtualisation,
            container_cpu_limit=quota,
            container_memory_limit=memory_limit,
        ),
        hostname=_told(sources, "proc/sys/kernel/hostname", platform.node()),
        system=_told(sources, "proc/sys/kernel/ostype", platform.system()),
        kernel=_told(sources, "proc/sys/kernel/osrelease", platform.release()),
        cpu=name,
        architecture=architecture,
        cores_physical=cpu.cores_physical(sources),
        cores_logical=len(online) if online else _cores_logical(sources),
        cores_usable=usable,
        cpu_flags=cpu.flags(sources),
        caches=cpu.caches(sources),
        memory=memory,
        frequency_mhz=cpu.frequency_mhz(sources),
        governor=cpu.governor(sources),
        microcode=cpu.microcode(sources),
        virtualisation=virtualisation,
        container_cpu_limit=quota,
        container_memory_limit=memory_limit,
        gpus=found,
    )


def fingerprint(
    *,
    cpu: str,
    architecture: str,
    cores_usable: int,
    memory: int,
    gpus: tuple[Gpu, ...],
    virtualisation: str | None,
    container_cpu_limit: float | None,
    container_memory_limit: int | None,
) -> str:
    """12 hexadecimal digits that stay while the hardware and its limits stay.

    Memory counts in whole GiB, because kernels keep back a little more or less of it. Host name, kernel, driver
    and clocks are left out: they change on the same machine.
    """
    identity = {
        "cpu": cpu,
        "architecture": architecture,
        "cores_usable": cores_usable,
        "memory_gib": round(memory / 2**30),
        "gpus": sorted(gpu.name for gpu in gpus),
        "virtualisation": virtualisation,
        "container_cpu_limit": container_cpu_limit,
        "container_memory_limit": container_memory_limit,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


def total_memory(sources: Sources) -> int:
    """Physical memory in bytes; 0 where it is unknown."""
    words = key_values(sources.text("proc/meminfo"), ":").get("MemTotal", "").split()
    if words and words[0].isdecimal():
        return int(words[0]) * 1024
    if not sources.this_machine:
        return 0
    import psutil

    return int(psutil.virtual_memory().total)


def _told(sources: Sources, path: str, fallback: str) -> str:
    return sources.text(path) or (fallback if sources.this_machine else "") or "unknown"


def _cores_logical(sources: Sources) -> int | None:
    if not sources.this_machine:
        return None
    import psutil

    return psutil.cpu_count()

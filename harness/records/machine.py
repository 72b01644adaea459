"""Records of where something was measured: the machine and the software on it."""

from __future__ import annotations

from pydantic import Field

from harness.records.base import Record


class Gpu(Record):
    """One GPU as its driver describes it."""

    name: str
    memory: int | None = None
    driver: str = ""


class Machine(Record):
    """Fingerprint of the machine. `id` is stable while the hardware and its limits stay the same."""

    id: str
    hostname: str
    system: str
    kernel: str
    cpu: str
    architecture: str
    cores_physical: int | None
    cores_logical: int | None
    cores_usable: int
    cpu_flags: tuple[str, ...] = ()
    caches: dict[str, str] = Field(default_factory=dict)
    memory: int
    frequency_mhz: float | None = None
    governor: str | None = None
    microcode: str | None = None
    virtualisation: str | None = None
    container_cpu_limit: float | None = None
    container_memory_limit: int | None = None
    gpus: tuple[Gpu, ...] = ()


class Environment(Record):
    """Software around the measurement."""

    python: str
    harness: str
    packages: dict[str, str]
    commit: str | None = Field(None, description="commit of the working directory's repository")
    branch: str | None = None
    dirty: bool | None = None
    command: tuple[str, ...] = ()
    variables: dict[str, str] = Field(
        default_factory=dict, description="environment variables that engines read"
    )

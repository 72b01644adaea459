"""Joules that processors and GPUs took between two moments: RAPL counters of the CPU, NVML of GPUs.

The figures are gross: everything that ran on the package or GPU, idle power included. Nothing is subtracted, because
idle power depends on what sleeps, and that differs from moment to moment. Sources: the kernel's documentation of the
power capping framework (power/powercap: `energy_uj`, `max_energy_range_uj`), used by Intel and AMD processors alike;
NVML's reference for nvmlDeviceGetTotalEnergyConsumption.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from harness.environment.nvml import Gpus, open_nvml
from harness.environment.reading import Reading
from harness.environment.sources import Sources

POWERCAP = "sys/class/powercap"
MOST_WATTS = 1000.0
"""Beyond what a package draws: a counter cannot have wrapped twice in less than its range over this."""
POWER_EVERY_S = 0.05


@dataclass(frozen=True)
class Energy:
    """Joules by domain ("package-0", "package-0/dram", "gpu 0 ..."). Domains overlap: a package contains its cores.

    `reasons` says for "cpu" and for each GPU why there is no figure, `methods` how each domain was read.
    """

    seconds: float
    joules: Mapping[str, float] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def cpu_j(self) -> Reading[float]:
        """All packages together, without the domains inside them."""
        packages = [
            value for name, value in self.joules.items() if name.startswith("package-") and "/" not in name
        ]
        reason = self.reasons.get("cpu", "")
        if packages and not reason:
            return Reading(sum(packages))
        return Reading(None, reason or "no energy counter is of a whole processor package")

    @property
    def gpu_j(self) -> Reading[float]:
        """All GPUs together."""
        gpus = [value for name, value in self.joules.items() if name.startswith("gpu ")]
        reasons = [reason for name, reason in self.reasons.items() if name.startswith("gpu")]
        if gpus and not reasons:
            return Reading(
                sum(gpus), "; ".join(sorted({self.methods[n] for n in self.joules if n.startswith("gpu ")}))
            )
        return Reading(None, "; ".join(reasons) or "no GPU was seen")


@dataclass(frozen=True)
class _Domain:
    name: str
    path: str
    range_uj: int


class EnergyMeter:
    """Call `start`, let the work run for a second or more, call `stop`. May be used again and again.

    `root` is for recorded machines, `gpus` for a library that is open already.
    """

    def __init__(self, root: Path = Path("/"), gpus: Gpus | None = None) -> None:
        self._sources = Sources(root)
        self._domains, self._cpu_reason = rapl_domains(self._sources)
        opened: Reading[Gpus] = Reading(gpus) if gpus is not None else Reading(None, "not asked")
        if gpus is None and self._sources.this_machine:
            nvml = open_nvml()
            opened = Reading(nvml.value, nvml.reason)
        self._gpus, self._gpu_reason = opened.value, opened.reason
        self._names = opened.value.names() if opened.value is not None else ()
        self._start_ns = 0
        self._cpu_start: dict[str, int] = {}
        self._gpu_start: dict[int, Reading[float]] = {}
        self._sampler: _PowerSampler | None = None

    def start(self) -> None:
        """Remember all counters; where a GPU has none, begin to sample its power."""
        without = []
        for gpu in range(len(self._names)):
            assert self._gpus is not None
            self._gpu_start[gpu] = self._gpus.energy_j(gpu)
            if self._gpu_start[gpu].value is None:
                without.append(gpu)
        if without and self._gpus is not None:
            self._sampler = _PowerSampler(self._gpus, without)
            self._sampler.begin()
        self._cpu_start = self._cpu_counters()
        self._start_ns = time.monotonic_ns()

    def stop(self) -> Energy:
        """Joules since `start`. Raises ValueError without a start."""
        if not self._start_ns:
            raise ValueError("EnergyMeter.stop() needs start() first")
        seconds = (time.monotonic_ns() - self._start_ns) * 1e-9
        self._start_ns = 0
        joules: dict[str, float] = {}
        methods: dict[str, str] = {}
        reasons: dict[str, str] = {} if self._domains and not self._cpu_reason else {"cpu": self._cpu_reason}
        now = self._cpu_counters()
        for domain in self._domains:
            grown = grown_j(self._cpu_start.get(domain.path), now.get(domain.path), domain.range_uj, seconds)
            if grown.value is None:
                reasons["cpu"] = f"{domain.name}: {grown.reason}"
            else:
                joules[domain.name], methods[domain.name] = grown.value, "RAPL counter"
        if self._gpus is None:
            reasons["gpu"] = self._gpu_reason
        curves = self._sampler.end() if self._sampler else {}
        self._sampler = None
        for gpu, name in enumerate(self._names):
            found = self._gpu_energy(gpu, curves.get(gpu, []))
            if found.value is None:
                reasons[f"gpu {name}"] = found.reason
            else:
                joules[f"gpu {name}"], methods[f"gpu {name}"] = found.value, found.reason
        return Energy(seconds, joules, methods, reasons)

    def _cpu_counters(self) -> dict[str, int]:
        found = {domain.path: self._sources.integer(f"{domain.path}/energy_uj") for domain in self._domains}
        return {path: value for path, value in found.items() if value is not None}

    def _gpu_energy(self, gpu: int, curve: Sequence[tuple[float, float]]) -> Reading[float]:
        assert self._gpus is not None
        before = self._gpu_start[gpu]
        if before.value is not None:
            after = self._gpus.energy_j(gpu)
            if after.value is None:
                return after
            return Reading(after.value - before.value, "NVML energy counter")
        integrated = integrate(curve)
        if integrated.value is None:
            return Reading(None, f"{before.reason}; {integrated.reason}")
        return Reading(
            integrated.value,
            f"power integrated from {len(curve)} samples (no energy counter: {before.reason})",
        )


def rapl_domains(sources: Sources) -> tuple[list[_Domain], str]:
    """Domains whose counters can be read, and why there are none. Subdomains carry their package's name."""
    try:
        entries = sorted(entry.name for entry in (sources.root / POWERCAP).iterdir())
    except OSError:
        entries = []
    zones = [name for name in entries if name.startswith("intel-rapl:")]
    if not zones:
        return [], (
            f"/{POWERCAP} has no intel-rapl:* domain: the processor or its hypervisor gives no energy counters, "
            "or the kernel module intel_rapl_msr is not loaded"
        )
    found: list[_Domain] = []
    for zone in zones:
        path = f"{POWERCAP}/{zone}"
        name = sources.text(f"{path}/name") or zone
        parent = zone.rpartition(":")[0]
        if zone.count(":") > 1:
            name = f"{sources.text(f'{POWERCAP}/{parent}/name') or parent}/{name}"
        if sources.integer(f"{path}/energy_uj") is None:
            return [], _refused(sources, path)
        found.append(_Domain(name, path, sources.integer(f"{path}/max_energy_range_uj") or 0))
    return found, ""


def grown_j(before_uj: int | None, after_uj: int | None, range_uj: int, seconds: float) -> Reading[float]:
    """Joules between two readings of a counter that starts again at 0 after `range_uj` microjoules."""
    if before_uj is None or after_uj is None:
        return Reading(None, "the energy counter could not be read")
    if range_uj and seconds > range_uj * 1e-6 / MOST_WATTS:
        return Reading(None, f"in {seconds:.0f} s the counter may have wrapped around more than once")
    if after_uj >= before_uj:
        return Reading((after_uj - before_uj) * 1e-6)
    if range_uj <= before_uj:
        return Reading(None, "the energy counter went backwards and does not tell its range")
    return Reading((after_uj - before_uj + range_uj) * 1e-6)


def integrate(curve: Sequence[tuple[float, float]]) -> Reading[float]:
    """Joules under (seconds, watts) by the trapezoidal rule; at least two samples."""
    if len(curve) < 2:
        return Reading(
            None, f"power was read {len(curve)} times; two samples are the fewest that give energy"
        )
    return Reading(sum((t1 - t0) * (w0 + w1) / 2.0 for (t0, w0), (t1, w1) in pairwise(curve)))


def _refused(sources: Sources, path: str) -> str:
    file = f"/{path}/energy_uj"
    if not sources.exists(f"{path}/energy_uj"):
        return f"{file} is not there"
    return (
        f"{file} may not be read by this user (most kernels allow it to root only); "
        f"allow it with: sudo chmod a+r /{POWERCAP}/intel-rapl:*/energy_uj"
    )


class _PowerSampler:
    """Reads the power of GPUs without an energy counter in a thread. The parent's thread, never inside a block."""

    def __init__(self, gpus: Gpus, numbers: Sequence[int]) -> None:
        self._gpus = gpus
        self._curves: dict[int, list[tuple[float, float]]] = {number: [] for number in numbers}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)

    def begin(self) -> None:
        """First sample now, then one every `POWER_EVERY_S`."""
        self._read()
        self._thread.start()

    def end(self) -> dict[int, list[tuple[float, float]]]:
        """Last sample now; the curves of (seconds, watts)."""
        self._stop.set()
        self._thread.join()
        self._read()
        return self._curves

    def _run(self) -> None:
        while not self._stop.wait(POWER_EVERY_S):
            self._read()

    def _read(self) -> None:
        for gpu, curve in self._curves.items():
            power = self._gpus.power_w(gpu)
            if power.value is not None:
                curve.append((time.monotonic(), power.value))

"""NVIDIA's management library, as far as it is asked here. The package `nvidia-ml-py` is optional (extra `nvml`)."""

from __future__ import annotations

from typing import Any, Protocol

from harness.environment.reading import Reading

INSTALL = "pip install 'inference-harness[nvml]'"


class Gpus(Protocol):
    """What readers ask of a GPU's driver. Methods return a reading; GPUs are numbered as the driver does."""

    def names(self) -> tuple[str, ...]:
        """Names of all GPUs, e.g. "0 Tesla T4"."""

    def energy_j(self, gpu: int) -> Reading[float]:
        """Joules since the driver was loaded."""

    def power_w(self, gpu: int) -> Reading[float]:
        """Watts at this moment (on some GPUs an average over the last second)."""

    def memory_by_process(self, gpu: int) -> Reading[dict[int, int | None]]:
        """Process -> bytes on this GPU; None where the driver knows the process but not its memory."""


class Nvml:
    """The library itself. Use `open_nvml`."""

    def __init__(self, library: Any) -> None:
        self._library = library
        count = library.nvmlDeviceGetCount()
        self._handles = [library.nvmlDeviceGetHandleByIndex(number) for number in range(count)]

    def names(self) -> tuple[str, ...]:
        """Names of all GPUs."""
        found = []
        for number, handle in enumerate(self._handles):
            name = self._library.nvmlDeviceGetName(handle)
            found.append(f"{number} {name.decode() if isinstance(name, bytes) else name}")
        return tuple(found)

    def energy_j(self, gpu: int) -> Reading[float]:
        """Joules since the driver was loaded; GPUs from Volta on count them."""
        return self._ask("nvmlDeviceGetTotalEnergyConsumption", gpu, 1e-3)

    def power_w(self, gpu: int) -> Reading[float]:
        """Watts."""
        return self._ask("nvmlDeviceGetPowerUsage", gpu, 1e-3)

    def memory_by_process(self, gpu: int) -> Reading[dict[int, int | None]]:
        """Process -> bytes."""
        try:
            entries = self._library.nvmlDeviceGetComputeRunningProcesses(self._handles[gpu])
        except self._library.NVMLError as error:
            return Reading(None, f"nvmlDeviceGetComputeRunningProcesses: {error}")
        return Reading({int(entry.pid): entry.usedGpuMemory for entry in entries})

    def _ask(self, function: str, gpu: int, unit: float) -> Reading[float]:
        try:
            return Reading(getattr(self._library, function)(self._handles[gpu]) * unit)
        except self._library.NVMLError as error:
            return Reading(None, f"{function}: {error}")


def open_nvml() -> Reading[Nvml]:
    """The library, ready to be asked; or why not."""
    try:
        import pynvml
    except ImportError:
        return Reading(None, f"NVML cannot be asked without the package nvidia-ml-py; install it: {INSTALL}")
    try:
        pynvml.nvmlInit()
        return Reading(Nvml(pynvml))
    except pynvml.NVMLError as error:
        return Reading(None, f"NVML: {error} (is there an NVIDIA GPU with its driver?)")

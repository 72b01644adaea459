"""The processor as the kernel describes it: model, instruction sets, caches, clocks."""

from __future__ import annotations

import platform
import re

from harness.environment.sources import Sources, key_values

CPU = "sys/devices/system/cpu"

# Instruction sets by which engines choose their kernels.
_FLAGS = re.compile(
    r"sse4_[12]|avx\w*|amx_\w+|f16c|fma|bmi2|"  # x86
    r"neon|asimd\w*|fphp|sve\w*|sme|sme[2_]\w*|i8mm|bf16"  # arm
)

# CPU part numbers of arm cores, as in the "MIDR_EL1" sections of the cores' technical reference manuals.
_ARM_PARTS = {
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x46", "0x001"): "A64FX",
    ("0xc0", "0xac3"): "Ampere-1",
}


def model_name(sources: Sources) -> str:
    """Name of the processor; "unknown" where nothing tells it."""
    info = sources.text("proc/cpuinfo")
    fields = key_values(info, ":")
    for key in ("model name", "Model Name", "cpu model", "cpu", "uarch"):
        if fields.get(key):
            return " ".join(fields[key].split())
    if "CPU part" in fields:
        return _arm_name(info or "")
    name = platform.processor() if sources.this_machine else ""
    # Some systems answer with the architecture, which is not a model.
    return name if name and name != platform.machine() else "unknown"


def flags(sources: Sources) -> tuple[str, ...]:
    """Instruction sets that engines care about, sorted."""
    fields = key_values(sources.text("proc/cpuinfo"), ":")
    words = (fields.get("flags") or fields.get("Features") or "").split()
    return tuple(sorted({word for word in words if _FLAGS.fullmatch(word)}))


def cores_physical(sources: Sources) -> int | None:
    """Cores, counted without hyper-threads."""
    cores: set[tuple[int | None, int]] = set()
    for name in sources.names(CPU, "cpu"):
        core = sources.integer(f"{CPU}/{name}/topology/core_id")
        if core is not None:
            cores.add((sources.integer(f"{CPU}/{name}/topology/physical_package_id"), core))
    if cores:
        return len(cores)
    if not sources.this_machine:
        return None
    import psutil

    return psutil.cpu_count(logical=False)


def caches(sources: Sources) -> dict[str, str]:
    """Caches that the first CPU sees: "L1d" -> "32 KiB". Sizes are of one instance, not of all together."""
    found: dict[str, str] = {}
    folder = f"{CPU}/cpu0/cache"
    for name in sources.names(folder, "index"):
        level = sources.text(f"{folder}/{name}/level")
        size = re.fullmatch(r"(\d+)([KM])", sources.text(f"{folder}/{name}/size") or "")
        if level is None or size is None:
            continue
        kind = {"Data": "d", "Instruction": "i"}.get(sources.text(f"{folder}/{name}/type") or "", "")
        found[f"L{level}{kind}"] = _size(int(size[1]) << (10 if size[2] == "M" else 0))
    return found


def microcode(sources: Sources) -> str | None:
    """Revision of the microcode."""
    own = sources.text(f"{CPU}/cpu0/microcode/version")
    return own or key_values(sources.text("proc/cpuinfo"), ":").get("microcode")


def governor(sources: Sources) -> str | None:
    """Frequency governor; several names where CPUs differ; None where the kernel does not set frequencies."""
    names = {sources.text(f"{CPU}/{name}/cpufreq/scaling_governor") for name in sources.names(CPU, "cpu")} - {
        None
    }
    return ", ".join(sorted(str(name) for name in names)) or None


def frequency_mhz(sources: Sources) -> float | None:
    """Highest frequency of the first CPU; where that is not told, its frequency at this moment."""
    highest = sources.integer(f"{CPU}/cpu0/cpufreq/cpuinfo_max_freq")
    if highest is not None:
        return highest / 1000
    try:
        return float(key_values(sources.text("proc/cpuinfo"), ":")["cpu MHz"])
    except (KeyError, ValueError):
        return None


def architecture(sources: Sources) -> str:
    """Machine type, e.g. "x86_64"; "unknown" where nothing tells it."""
    told = sources.text("proc/sys/kernel/arch")
    return told or (platform.machine() if sources.this_machine else "") or "unknown"


def _size(kib: int) -> str:
    return f"{kib} KiB" if kib < 1024 or kib % 1024 else f"{kib >> 10} MiB"


def _arm_name(info: str) -> str:
    """Names of all kinds of cores, in the order in which they appear."""
    names: dict[str, None] = {}
    implementer = ""
    for line in info.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "CPU implementer":
            implementer = value
        elif key == "CPU part":
            names[_ARM_PARTS.get((implementer, value), f"arm implementer {implementer} part {value}")] = None
    return " + ".join(names)

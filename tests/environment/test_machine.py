"""The fingerprint, read from recorded machines and from the one at hand."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from harness.environment.gpus import gpus, parse
from harness.environment.machine import machine
from harness.environment.threads import usable_cores
from harness.records import Machine
from tests.environment.recorded import MACHINES, XEON, lay_out


def describe(name: str, root: Path, **changes: str) -> Machine:
    """The recorded machine `name` with other contents of some files; "__" stands for "/" in their paths."""
    changed = {path.replace("__", "/"): content for path, content in changes.items()}
    return machine(lay_out(MACHINES[name] | changed, root))


def test_bare_metal_intel(tmp_path: Path) -> None:
    found = describe("bare_metal_intel", tmp_path)
    assert found.cpu == XEON
    assert (found.cores_physical, found.cores_logical, found.cores_usable) == (4, 8, 8)
    assert {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_bf16", "f16c", "fma", "sse4_2"} <= set(
        found.cpu_flags
    )
    assert not {"fpu", "smep", "sse2"} & set(found.cpu_flags)
    assert found.caches == {"L1d": "48 KiB", "L1i": "32 KiB", "L2": "2 MiB", "L3": "105 MiB"}
    assert found.memory == 65536000 * 1024
    assert found.frequency_mhz == 3800.0
    assert found.governor == "powersave"
    assert found.microcode == "0x2b000590"
    assert found.virtualisation is None
    assert found.container_cpu_limit is None
    assert found.container_memory_limit is None
    assert (found.hostname, found.system, found.kernel) == ("metal", "Linux", "6.8.0-45-generic")
    assert found.architecture == "x86_64"


def test_virtual_machine(tmp_path: Path) -> None:
    found = describe("amd_vm", tmp_path)
    assert found.cpu == "AMD EPYC 7R13"
    assert found.virtualisation == "kvm"
    assert found.governor is None
    assert found.frequency_mhz == pytest.approx(2649.998)


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [("tsc kvm-clock", "kvm"), ("hyperv_clocksource_tsc_page", "hyper-v"), ("tsc", "hypervisor")],
)
def test_virtual_machine_without_firmware_names(tmp_path: Path, clocks: str, expected: str) -> None:
    files = {path: text for path, text in MACHINES["amd_vm"].items() if "dmi" not in path}
    files["sys/devices/system/clocksource/clocksource0/available_clocksource"] = clocks
    assert machine(lay_out(files, tmp_path)).virtualisation == expected


def test_arm64(tmp_path: Path) -> None:
    found = describe("arm64", tmp_path)
    assert found.cpu == "Neoverse-V1"
    assert {"asimd", "asimddp", "sve", "i8mm", "bf16"} <= set(found.cpu_flags)
    assert found.virtualisation == "amazon ec2"
    assert found.architecture == "aarch64"
    assert found.microcode is None


def test_unknown_arm_core_keeps_its_numbers(tmp_path: Path) -> None:
    info = MACHINES["arm64"]["proc/cpuinfo"].replace("0xd40", "0xfff")
    assert describe("arm64", tmp_path, proc__cpuinfo=info).cpu == "arm implementer 0x41 part 0xfff"


def test_metal_instance_of_a_cloud_is_no_virtual_machine(tmp_path: Path) -> None:
    assert describe("arm64", tmp_path, sys__class__dmi__id__product_name="c7g.metal\n").virtualisation is None


def test_container_limits_v2(tmp_path: Path) -> None:
    found = describe("container_v2", tmp_path)
    assert found.container_cpu_limit == 2.5
    assert found.container_memory_limit == 4 * 2**30
    assert found.cores_usable == 2
    assert found.cores_logical == 8
    assert found.virtualisation == "docker"


def test_container_limits_v1(tmp_path: Path) -> None:
    found = describe("container_v1", tmp_path)
    assert found.container_cpu_limit == 0.5
    assert found.cores_usable == 1
    assert found.container_memory_limit == 2 * 2**30
    assert found.virtualisation == "docker"


def test_no_limit_in_version_1_is_none(tmp_path: Path) -> None:
    found = describe("unlimited_v1", tmp_path)
    assert found.container_cpu_limit is None
    assert found.container_memory_limit is None
    assert found.cores_usable == 8


def test_the_tightest_limit_of_the_hierarchy_counts(tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/user.slice"
    files = MACHINES["bare_metal_intel"] | {
        f"{folder}/cpu.max": "300000 100000\n",
        f"{folder}/user-1000.slice/cpu.max": "600000 100000\n",
        f"{folder}/memory.max": "1073741824\n",
    }
    found = machine(lay_out(files, tmp_path))
    assert found.container_cpu_limit == 3.0
    assert found.cores_usable == 3
    assert found.container_memory_limit == 2**30


def test_a_limit_above_the_memory_is_no_limit(tmp_path: Path) -> None:
    files = MACHINES["container_v2"] | {"sys/fs/cgroup/memory.max": str(2**50)}
    assert machine(lay_out(files, tmp_path)).container_memory_limit is None


def test_affinity_limits_usable_cores(tmp_path: Path) -> None:
    found = describe("bare_metal_intel", tmp_path, proc__self__status="Cpus_allowed_list:\t1,4-5,9\n")
    assert found.cores_usable == 3


def test_mixed_governors_are_all_named(tmp_path: Path) -> None:
    files = MACHINES["bare_metal_intel"] | {
        "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor": "performance\n"
    }
    assert machine(lay_out(files, tmp_path)).governor == "performance, powersave"


def test_nothing_readable_is_described_without_an_error(tmp_path: Path) -> None:
    found = describe("nothing_readable", tmp_path)
    assert found.cpu == "unknown"
    assert found.cores_usable == 1
    assert found.memory == 0
    assert found.cpu_flags == ()
    assert found.gpus == ()
    unknown = ("cores_physical", "cores_logical", "frequency_mhz", "governor", "microcode", "virtualisation")
    assert [getattr(found, name) for name in unknown] == [None] * len(unknown)


def test_garbage_is_described_without_an_error(tmp_path: Path) -> None:
    files = dict.fromkeys(
        MACHINES["container_v2"] | MACHINES["container_v1"], "\xff garbage : - , 1-x\n\n:\n"
    )
    files["proc/cpuinfo"] = "\0\0\0"
    found = machine(lay_out(files, tmp_path))
    assert found.container_cpu_limit is None
    assert found.container_memory_limit is None
    assert found.memory == 0


def test_folders_in_place_of_files_are_unreadable(tmp_path: Path) -> None:
    for path in MACHINES["container_v2"]:
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
    assert machine(tmp_path).memory == 0


STAYS = {
    "hostname": {"proc/sys/kernel/hostname": "other\n"},
    "kernel": {"proc/sys/kernel/osrelease": "6.9.1\n"},
    "a little memory kept back": {"proc/meminfo": "MemTotal:       65530000 kB\n"},
    "governor": {
        f"sys/devices/system/cpu/cpu{n}/cpufreq/scaling_governor": "performance\n" for n in range(8)
    },
    "microcode": {
        "proc/cpuinfo": MACHINES["bare_metal_intel"]["proc/cpuinfo"].replace("0x2b000590", "0x2b000999")
    },
}
CHANGES = {
    "cpu": {"proc/cpuinfo": MACHINES["bare_metal_intel"]["proc/cpuinfo"].replace("8488C", "8592+")},
    "memory": {"proc/meminfo": "MemTotal:       131072000 kB\n"},
    "affinity": {"proc/self/status": "Cpus_allowed_list:\t0-3\n"},
    "cpu limit": {"sys/fs/cgroup/user.slice/cpu.max": "750000 100000\n"},
    "memory limit": {"sys/fs/cgroup/user.slice/memory.max": "8589934592\n"},
    "virtualisation": {"sys/class/dmi/id/sys_vendor": "VMware, Inc.\n"},
    "architecture": {"proc/sys/kernel/arch": "i686\n"},
}


@pytest.mark.parametrize("change", STAYS)
def test_id_stays(tmp_path: Path, change: str) -> None:
    before = describe("bare_metal_intel", tmp_path / "before")
    after = machine(lay_out(MACHINES["bare_metal_intel"] | STAYS[change], tmp_path / "after"))
    assert before.id == after.id
    assert before != after


@pytest.mark.parametrize("change", CHANGES)
def test_id_changes(tmp_path: Path, change: str) -> None:
    before = describe("bare_metal_intel", tmp_path / "before")
    after = machine(lay_out(MACHINES["bare_metal_intel"] | CHANGES[change], tmp_path / "after"))
    assert before.id != after.id


def test_this_machine() -> None:
    found = machine()
    assert found.memory == psutil.virtual_memory().total
    assert found.cores_logical == psutil.cpu_count()
    assert 1 <= found.cores_usable <= len(os.sched_getaffinity(0))
    assert found.cores_usable == usable_cores()
    assert found == machine()


def test_usable_cores_follow_the_affinity() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def install_command(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a command `nvidia-smi` on the path."""
    folder.mkdir(exist_ok=True)
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_gpus_of_the_drivers_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = machine()
    install_command(tmp_path, monkeypatch, "echo 'NVIDIA L4, 23034 MiB, 550.54.15'")
    found = machine()
    assert [(gpu.name, gpu.memory, gpu.driver) for gpu in found.gpus] == [
        ("NVIDIA L4", 23034 * 2**20, "550.54.15")
    ]
    assert found.id != without.id
    install_command(tmp_path, monkeypatch, "echo 'NVIDIA L4, 23034 MiB, 999.1'")
    assert machine().id == found.id


@pytest.mark.parametrize(
    "script",
    [
        "echo 'NVIDIA-SMI has failed because it could not communicate with the driver.'; exit 9",
        "kill -SEGV $$",
    ],
)
def test_broken_driver_means_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    install_command(tmp_path, monkeypatch, script)
    assert gpus() == ()


def test_hanging_driver_means_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_command(tmp_path, monkeypatch, "exec sleep 600")
    monkeypatch.setattr("harness.environment.gpus.LIMIT_S", 0.2)
    assert gpus() == ()


def test_missing_command_means_no_gpus() -> None:
    assert gpus("no-such-command-anywhere") == ()


def test_shared_memory_of_a_gpu_is_unknown() -> None:
    (gpu,) = parse("NVIDIA GB10, [N/A], 580.95.05\n")
    assert gpu.memory is None

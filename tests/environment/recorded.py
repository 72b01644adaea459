"""Files of /proc and /sys as several kinds of machines have them, shortened to what matters."""

from __future__ import annotations

from pathlib import Path

XEON = "Intel(R) Xeon(R) Platinum 8488C"


def _cpuinfo_x86(count: int, name: str, flags: str, microcode: str, mhz: str) -> str:
    blocks = [
        f"processor\t: {number}\nvendor_id\t: X\ncpu family\t: 6\nmodel name\t: {name}\n"
        f"microcode\t: {microcode}\ncpu MHz\t\t: {mhz}\nflags\t\t: {flags}\nbugs\t\t: spectre_v1\n"
        for number in range(count)
    ]
    return "\n".join(blocks) + "\n"


def _topology(count: int, threads_per_core: int = 1) -> dict[str, str]:
    files = {}
    cores = count // threads_per_core
    for number in range(count):
        folder = f"sys/devices/system/cpu/cpu{number}/topology"
        files[f"{folder}/core_id"] = f"{number % cores}\n"
        files[f"{folder}/physical_package_id"] = "0\n"
    return files


def _caches(sizes: list[tuple[str, str, str]]) -> dict[str, str]:
    files = {}
    for index, (level, kind, size) in enumerate(sizes):
        folder = f"sys/devices/system/cpu/cpu0/cache/index{index}"
        files |= {f"{folder}/level": level, f"{folder}/type": kind, f"{folder}/size": size}
    return files


def _kernel(host: str, release: str, arch: str) -> dict[str, str]:
    folder = "proc/sys/kernel"
    return {
        f"{folder}/hostname": f"{host}\n",
        f"{folder}/ostype": "Linux\n",
        f"{folder}/osrelease": f"{release}\n",
        f"{folder}/arch": f"{arch}\n",
    }


def _stat(count: int, ticks: str) -> str:
    return "".join([f"cpu  {ticks}\n", *[f"cpu{number} {ticks}\n" for number in range(count)], "ctxt 1\n"])


VMSTAT = "nr_free_pages 1\npgpgin 5\npgpgout 6\npswpin 100\npswpout 20\npgfault 9\n"

BARE_METAL_INTEL = {
    **_kernel("metal", "6.8.0-45-generic", "x86_64"),
    **_topology(8, threads_per_core=2),
    **_caches(
        [
            ("1", "Data", "48K"),
            ("1", "Instruction", "32K"),
            ("2", "Unified", "2048K"),
            ("3", "Unified", "105M"),
        ]
    ),
    "proc/cpuinfo": _cpuinfo_x86(
        8,
        XEON,
        "fpu sse sse2 ssse3 fma sse4_1 sse4_2 avx f16c avx2 smep bmi2 avx512f avx512bw avx512_vnni avx_vnni "
        "avx512_bf16 amx_bf16 amx_tile amx_int8",
        "0x2b000590",
        "1900.000",
    ),
    "proc/meminfo": "MemTotal:       65536000 kB\nMemFree:         1000 kB\nMemAvailable:   60000000 kB\n",
    "proc/self/status": "Name:\tpython\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n",
    "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n",
    "proc/stat": _stat(8, "1000 100 500 20000 300 10 40 0 0 0"),
    "proc/loadavg": "0.52 0.58 0.59 1/467 12345\n",
    "proc/vmstat": VMSTAT,
    "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 total=0\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 5\nuser_usec 3\nsystem_usec 2\n",
    "sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope/memory.max": "max\n",
    "sys/fs/cgroup/user.slice/memory.max": "max\n",
    "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
    "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
    "sys/class/dmi/id/product_name": "PowerEdge R760\n",
    "sys/devices/system/cpu/online": "0-7\n",
    "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3800000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1900000\n",
    **{f"sys/devices/system/cpu/cpu{n}/cpufreq/scaling_governor": "powersave\n" for n in range(8)},
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "4\n",
}

AMD_VM = {
    **_kernel("vm", "5.15.0-1019-cloud", "x86_64"),
    **_topology(2),
    **_caches([("1", "Data", "32K"), ("2", "Unified", "512K"), ("3", "Unified", "32768K")]),
    "proc/cpuinfo": _cpuinfo_x86(
        2, "AMD EPYC 7R13", "sse4_1 fma avx avx2 hypervisor", "0xa001144", "2649.998"
    ),
    "proc/meminfo": "MemTotal:        8046592 kB\nMemAvailable:    7000000 kB\n",
    "proc/self/status": "Cpus_allowed_list:\t0-1\n",
    "proc/self/cgroup": "0::/\n",
    "proc/stat": _stat(2, "100 0 50 2000 10 0 5 30 0 0"),
    "proc/vmstat": VMSTAT,
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    "sys/class/dmi/id/sys_vendor": "QEMU\n",
    "sys/class/dmi/id/product_name": "Standard PC (Q35 + ICH9, 2009)\n",
    "sys/devices/system/cpu/online": "0-1\n",
}

ARM64 = {
    **_kernel("arm", "6.1.0-arm64", "aarch64"),
    **_topology(4),
    "proc/cpuinfo": "\n".join(
        f"processor\t: {n}\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid "
        "asimddp sve i8mm bf16\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\n"
        "CPU part\t: 0xd40\nCPU revision\t: 1\n"
        for n in range(4)
    ),
    "proc/meminfo": "MemTotal:       16000000 kB\n",
    "proc/self/status": "Cpus_allowed_list:\t0-3\n",
    "sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
    "sys/class/dmi/id/product_name": "c7g.xlarge\n",
    "sys/devices/system/cpu/online": "0-3\n",
}

CONTAINER_V2 = {
    **BARE_METAL_INTEL,
    **_kernel("3f2a9c", "6.8.0-45-generic", "x86_64"),
    ".dockerenv": "",
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/cpu.max": "250000 100000\n",
    "sys/fs/cgroup/memory.max": "4294967296\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 9\nnr_periods 50\nnr_throttled 7\nthrottled_usec 1500000\n",
}

CONTAINER_V1 = {
    # As docker mounts version 1: the path is the host's, the mount shows the container's part of it.
    **{path: text for path, text in BARE_METAL_INTEL.items() if not path.startswith("sys/fs/cgroup")},
    "proc/self/cgroup": "9:memory:/docker/3f2a9c\n4:cpu,cpuacct:/docker/3f2a9c\n1:name=systemd:/docker/3f2a9c\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 5\nnr_throttled 2\nthrottled_time 300000000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n",
}

UNLIMITED_V1 = {
    **{path: text for path, text in CONTAINER_V1.items() if not path.startswith("sys/fs/cgroup")},
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
}

NOTHING_READABLE: dict[str, str] = {}

MACHINES = {
    "bare_metal_intel": BARE_METAL_INTEL,
    "amd_vm": AMD_VM,
    "arm64": ARM64,
    "container_v2": CONTAINER_V2,
    "container_v1": CONTAINER_V1,
    "unlimited_v1": UNLIMITED_V1,
    "nothing_readable": NOTHING_READABLE,
}


def lay_out(files: dict[str, str], root: Path) -> Path:
    """Write the files below `root`."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return root

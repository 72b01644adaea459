"""Frequency, heat, clocks and settings of recorded machines; a run watched from its beginning to its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.environment.pressure import snapshot
from harness.environment.setting import Setting
from harness.environment.tempo import Tempo, TempoDelta, tempo_between, tempo_total
from harness.environment.watch import Watch
from tests.environment.recorded import BARE_METAL_INTEL, lay_out

CPU = "sys/devices/system/cpu"
THERMAL = "sys/class/thermal"
HWMON = "sys/class/hwmon"
HUGE = "sys/kernel/mm/transparent_hugepage/enabled"
SET = {
    **BARE_METAL_INTEL,
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    f"{CPU}/intel_pstate/no_turbo": "0\n",
    # CPUs 0 and 4 are hyper-threads of one core, and so on.
    **{f"{CPU}/cpu{n}/topology/thread_siblings_list": f"{n % 4},{n % 4 + 4}\n" for n in range(8)},
    HUGE: "always [madvise] never\n",
    "sys/devices/system/node/node0/cpulist": "0-1,4-5\n",
    "sys/devices/system/node/node1/cpulist": "2-3,6-7\n",
    f"{CPU}/cpu3/cpufreq/scaling_cur_freq": "3500000\n",
    f"{THERMAL}/thermal_zone0/type": "acpitz\n",
    f"{THERMAL}/thermal_zone0/temp": "99000\n",
    f"{THERMAL}/thermal_zone1/type": "x86_pkg_temp\n",
    f"{THERMAL}/thermal_zone1/temp": "61000\n",
    f"{THERMAL}/thermal_zone1/trip_point_0_type": "passive\n",
    f"{THERMAL}/thermal_zone1/trip_point_0_temp": "-274000\n",
    f"{HWMON}/hwmon2/name": "coretemp\n",
    f"{HWMON}/hwmon2/temp1_input": "63000\n",
    f"{HWMON}/hwmon2/temp1_max": "90000\n",
    f"{HWMON}/hwmon2/temp1_crit": "100000\n",
    f"{HWMON}/hwmon3/name": "nvme\n",
    f"{HWMON}/hwmon3/temp1_input": "80000\n",
    "proc/vmstat": "pswpin 1\npswpout 2\nthp_collapse_alloc 40\ncompact_stall 2\n",
}


def read(files: dict[str, str], root: Path) -> tuple[Tempo, Setting]:
    found = snapshot(lay_out(files, root))
    return found.tempo, found.setting


def test_a_machine_that_tells_everything(tmp_path: Path) -> None:
    tempo, setting = read(SET, tmp_path)
    assert setting == Setting(clocksource="tsc", boost=True, cores=4, huge_pages="madvise", numa_nodes=2)
    # The processor's own sensors count, not those of the board or the disk; a limit of -274 °C is none.
    assert tempo == Tempo(frequency_mhz=3500.0, temperature_c=63.0, limit_c=90.0, huge_pages=42)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({f"{CPU}/intel_pstate/no_turbo": "1\n"}, "boost", False),
        ({f"{CPU}/intel_pstate/no_turbo": "?\n", f"{CPU}/cpufreq/boost": "1\n"}, "boost", True),
        ({f"{CPU}/intel_pstate/no_turbo": "?\n", f"{CPU}/cpufreq/boost": "0\n"}, "boost", False),
        ({f"{CPU}/intel_pstate/no_turbo": "?\n"}, "boost", None),
        ({"proc/self/status": "Cpus_allowed_list:\t0-1\n"}, "cores", 2),
        ({"proc/self/status": "Cpus_allowed_list:\t0,4\n"}, "cores", 1),
        ({"proc/self/status": "Cpus_allowed_list:\t0,4\n"}, "numa_nodes", 1),
        ({f"{CPU}/cpu5/topology/thread_siblings_list": ""}, "cores", None),
        ({HUGE: "[always] madvise never\n"}, "huge_pages", "always"),
        ({HUGE: "odd\n"}, "huge_pages", None),
    ],
)
def test_settings(changes: dict[str, str], field: str, expected: object, tmp_path: Path) -> None:
    assert getattr(read(SET | changes, tmp_path)[1], field) == expected


def test_a_watch_keeps_every_look(tmp_path: Path) -> None:
    root = lay_out(SET, tmp_path)
    watch = Watch(root)
    for mhz, heat in ((3000, 70), (2500, 85), (2800, 60)):
        lay_out(
            {
                f"{CPU}/cpu3/cpufreq/scaling_cur_freq": f"{mhz}000\n",
                f"{HWMON}/hwmon2/temp1_input": f"{heat}000\n",
                "proc/vmstat": "thp_collapse_alloc 50\ncompact_stall 2\n",
            },
            root,
        )
        watch.look()
    delta = watch.delta(None)
    assert delta.tempo.frequencies_mhz == (3500.0, 3000.0, 2500.0, 2800.0, 2800.0)
    assert (delta.tempo.temperature_c, delta.tempo.limit_c, delta.tempo.huge_pages) == (85.0, 90.0, 10)
    assert delta.setting.numa_nodes == 2


BEFORE = Tempo(realtime_s=1000.0, boot_s=50.0, monotonic_s=40.0)


@pytest.mark.parametrize(
    ("after", "step", "suspended"),
    [
        (Tempo(realtime_s=1010.0, boot_s=60.0, monotonic_s=50.0), 0.0, 0.0),
        (Tempo(realtime_s=1007.5, boot_s=60.0, monotonic_s=50.0), -2.5, 0.0),
        (Tempo(realtime_s=1030.0, boot_s=80.0, monotonic_s=50.0), 20.0, 20.0),
        (Tempo(realtime_s=1010.0, monotonic_s=50.0), 0.0, None),
        (Tempo(), None, None),
    ],
)
def test_clocks(after: Tempo, step: float | None, suspended: float | None) -> None:
    delta = tempo_between(BEFORE, after)
    assert (delta.clock_step_s, delta.suspended_s) == (pytest.approx(step), pytest.approx(suspended))


def test_this_machines_clocks_run_evenly() -> None:
    delta = Watch().delta(0.0)
    assert delta.tempo.clock_step_s == pytest.approx(0.0, abs=0.05)
    assert delta.setting.clocksource


def test_total() -> None:
    one = TempoDelta((1000.0, 900.0), 50.0, 90.0, 3, 0.5, 0.0)
    both = tempo_total([one, replace(one, frequencies_mhz=(800.0,), temperature_c=70.0, suspended_s=None)])
    assert both == TempoDelta((1000.0, 900.0, 800.0), 70.0, 90.0, 6, 1.0, None)
    assert tempo_total([]) == TempoDelta()

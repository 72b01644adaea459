"""Counters of recorded machines, their differences, and the machine at hand."""

from __future__ import annotations

import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest

from harness.environment.pressure import Pressure, PressureDelta, between, snapshot, total
from harness.environment.setting import Setting
from harness.environment.tempo import Tempo
from tests.environment.recorded import MACHINES, lay_out

BEFORE = Pressure(
    time_ns=10_000_000_000,
    cores=2,
    user_s=100.0,
    system_s=50.0,
    idle_s=1000.0,
    steal_s=5.0,
    load_1m=0.1,
    throttled_count=3,
    throttled_s=0.5,
    swapped_in=10,
    swapped_out=20,
    memory_available=4000,
    waiting_s=1.0,
    thermal_events=7,
)
AFTER = replace(
    BEFORE,
    time_ns=20_000_000_000,
    user_s=107.0,
    system_s=51.0,
    idle_s=1010.5,
    steal_s=5.4,
    load_1m=0.9,
    throttled_count=8,
    throttled_s=1.75,
    swapped_in=15,
    swapped_out=27,
    memory_available=3000,
    waiting_s=1.5,
    thermal_events=9,
)


def test_bare_metal(tmp_path: Path) -> None:
    found = snapshot(lay_out(MACHINES["bare_metal_intel"], tmp_path))
    assert found.cores == 8
    # Ticks are hundredths of a second; the file holds the same for each of eight CPUs.
    assert found.user_s == pytest.approx(8 * 11.0)
    assert found.system_s == pytest.approx(8 * 5.5)
    assert found.idle_s == pytest.approx(8 * 203.0)
    assert found.steal_s == 0.0
    assert found.load_1m == 0.52
    assert (found.swapped_in, found.swapped_out) == (100, 20)
    assert found.memory_available == 60000000 * 1024
    assert found.waiting_s == 2.5
    assert found.tempo.frequency_mhz == 1900.0
    assert found.setting.boost is None
    assert found.thermal_events == 7
    assert found.throttled_count is None
    assert found.throttled_s is None


def test_only_usable_cpus_count(tmp_path: Path) -> None:
    files = MACHINES["bare_metal_intel"] | {"proc/self/status": "Cpus_allowed_list:\t2-3\n"}
    found = snapshot(lay_out(files, tmp_path))
    assert found.cores == 2
    assert found.user_s == pytest.approx(2 * 11.0)


def test_throttling_v2(tmp_path: Path) -> None:
    found = snapshot(lay_out(MACHINES["container_v2"], tmp_path))
    assert (found.throttled_count, found.throttled_s) == (7, 1.5)


def test_throttling_v1(tmp_path: Path) -> None:
    found = snapshot(lay_out(MACHINES["container_v1"], tmp_path))
    assert (found.throttled_count, found.throttled_s) == (2, pytest.approx(0.3))


@pytest.mark.parametrize(
    ("machine", "files", "expected"),
    [
        # Of 4 GiB 3 are used, of which half a GiB are pages of files that may be dropped.
        (
            "container_v2",
            {
                "sys/fs/cgroup/memory.current": str(3 * 2**30),
                "sys/fs/cgroup/memory.stat": f"inactive_file {2**29}\n",
            },
            2**30 + 2**29,
        ),
        ("container_v2", {"sys/fs/cgroup/memory.current": str(5 * 2**30)}, 0),
        ("container_v2", {}, 60000000 * 1024),
        (
            "container_v1",
            {
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(2**30),
                "sys/fs/cgroup/memory/memory.stat": f"inactive_file 5\ntotal_inactive_file {2**20}\n",
            },
            2**30 + 2**20,
        ),
        ("unlimited_v1", {"sys/fs/cgroup/memory/memory.usage_in_bytes": "5"}, 60000000 * 1024),
    ],
)
def test_memory_is_that_of_the_container(
    machine: str, files: dict[str, str], expected: int, tmp_path: Path
) -> None:
    assert snapshot(lay_out(MACHINES[machine] | files, tmp_path)).memory_available == expected


def test_throttling_adds_up_over_the_hierarchy(tmp_path: Path) -> None:
    stat = "nr_periods 9\nnr_throttled {}\nthrottled_usec {}\n"
    folder = "sys/fs/cgroup/user.slice"
    files = MACHINES["bare_metal_intel"] | {
        f"{folder}/cpu.stat": stat.format(2, 1_000_000),
        f"{folder}/user-1000.slice/cpu.stat": stat.format(3, 250_000),
    }
    found = snapshot(lay_out(files, tmp_path))
    assert (found.throttled_count, found.throttled_s) == (5, 1.25)


def test_nothing_readable(tmp_path: Path) -> None:
    found = snapshot(tmp_path)
    parts = {"time_ns", "tempo", "setting"}
    assert {getattr(found, field.name) for field in fields(found) if field.name not in parts} == {None}
    assert (found.tempo, found.setting) == (Tempo(), Setting())


def test_counters_are_read_afresh(tmp_path: Path) -> None:
    root = lay_out(MACHINES["amd_vm"], tmp_path)
    before = snapshot(root)
    lay_out({"proc/stat": "cpu0 100 0 50 2000 10 0 5 60 0 0\ncpu1 100 0 50 2000 10 0 5 40 0 0\n"}, root)
    assert between(before, snapshot(root), 0.0).steal_s == pytest.approx(0.4)


def test_between() -> None:
    delta = between(BEFORE, AFTER, 6.0)
    assert delta.wall_s == 10.0
    assert delta.busy_s == pytest.approx(8.0)
    assert delta.steal_share == pytest.approx(0.02)
    assert delta.competing_share == pytest.approx(0.1)
    assert delta.throttled_count == 5
    assert delta.throttled_s == 1.25
    assert delta.swap_pages == 12
    assert delta.waiting_s == 0.5
    assert delta.thermal_events == 2
    assert delta.memory_available == 3000
    assert delta.load_1m == 0.9
    assert delta.steal_ever_s == 5.4


def test_coarse_ticks_never_give_a_negative_share() -> None:
    assert between(BEFORE, AFTER, 8.1).competing_share == 0.0


def test_what_is_missing_on_one_side_is_missing_in_the_difference() -> None:
    nothing = Pressure(time_ns=BEFORE.time_ns)
    delta = between(nothing, AFTER, 6.0)
    unknown = (
        "busy_s",
        "steal_s",
        "throttled_count",
        "throttled_s",
        "swap_pages",
        "waiting_s",
        "thermal_events",
    )
    assert [getattr(delta, name) for name in unknown] == [None] * len(unknown)
    assert delta.steal_share is None
    assert delta.competing_share is None
    assert between(BEFORE, AFTER, None).competing_share is None


def test_shares_are_unknown_when_cpus_came_or_went() -> None:
    assert between(BEFORE, replace(AFTER, cores=4), 6.0).steal_share is None


def test_wrong_order_is_an_error() -> None:
    with pytest.raises(ValueError, match="before"):
        between(AFTER, BEFORE, 0.0)


def test_shares_of_no_time_are_unknown() -> None:
    assert between(BEFORE, BEFORE, 0.0).steal_share is None


def test_total() -> None:
    one = between(BEFORE, AFTER, 6.0)
    other = PressureDelta(
        wall_s=30.0,
        cores=2,
        busy_s=10.0,
        own_cpu_s=10.0,
        steal_s=0.0,
        throttled_count=0,
        throttled_s=0.0,
        swap_pages=3,
    )
    both = total([one, other])
    assert both is not None
    assert both.wall_s == 40.0
    assert both.steal_share == pytest.approx(0.4 / 80)
    assert both.competing_share == pytest.approx(2.0 / 80)
    assert both.throttled_count == 5
    assert both.swap_pages == 15
    assert both.thermal_events is None
    assert total([]) is None


def test_work_of_this_process_is_not_competing_work() -> None:
    before, cpu_before = snapshot(), time.process_time()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
    own = time.process_time() - cpu_before
    after = snapshot()
    ours, theirs = between(before, after, own), between(before, after, 0.0)
    assert ours.competing_share is not None
    assert theirs.competing_share is not None
    assert theirs.competing_share > ours.competing_share


def test_light_imports() -> None:
    """Workers and --help may use threads and pressure: they pull in nothing heavy."""
    import subprocess

    script = (
        "import sys, harness.environment.pressure, harness.environment.threads; "
        "print([name for name in ('numpy', 'pydantic', 'psutil', 'rich') if name in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", script), check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"

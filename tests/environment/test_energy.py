"""Energy: counters that wrap, counters that are closed, GPUs with and without a counter."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.environment.energy import EnergyMeter, grown_j, integrate, rapl_domains
from harness.environment.reading import Reading
from harness.environment.sources import Sources
from tests.environment.recorded import lay_out

CAP = "sys/class/powercap"


def zone(name: str, label: str, energy: int, largest: int = 262_143_328_850) -> dict[str, str]:
    folder = f"{CAP}/{name}"
    return {
        f"{folder}/name": f"{label}\n",
        f"{folder}/energy_uj": f"{energy}\n",
        f"{folder}/max_energy_range_uj": f"{largest}\n",
    }


RAPL = {
    f"{CAP}/intel-rapl/enabled": "1\n",
    **zone("intel-rapl:0", "package-0", 1_000_000),
    **zone("intel-rapl:0:0", "core", 400_000),
    **zone("intel-rapl:0:1", "dram", 200_000),
    **zone("intel-rapl:1", "package-1", 5_000_000),
    # The same package once more, by another register: it must not count twice.
    **zone("intel-rapl-mmio:0", "package-0", 1_000_000),
}


class RecordedGpus:
    """A driver's answers, one after the other."""

    def __init__(self, energies: list[Reading[float]], watts: float | None = None) -> None:
        self.energies, self.watts = energies, watts

    def names(self) -> tuple[str, ...]:
        return ("0 Some GPU",)

    def energy_j(self, gpu: int) -> Reading[float]:
        return self.energies.pop(0)

    def power_w(self, gpu: int) -> Reading[float]:
        return Reading(self.watts) if self.watts is not None else Reading(None, "no power either")

    def memory_by_process(self, gpu: int) -> Reading[dict[int, int | None]]:
        return Reading({})


@pytest.mark.parametrize(
    ("before", "after", "largest", "seconds", "joules"),
    [
        (1_000_000, 3_500_000, 10_000_000_000, 1.0, 2.5),
        (5, 5, 10_000_000_000, 1.0, 0.0),
        (9_999_000_000, 1_000_000, 10_000_000_000, 1.0, 2.0),  # once around
        (1_000_000, 3_500_000, 0, 1e6, 2.5),  # a range nobody tells, but it grew
    ],
)
def test_a_counter_grows_and_wraps(
    before: int, after: int, largest: int, seconds: float, joules: float
) -> None:
    assert grown_j(before, after, largest, seconds).value == pytest.approx(joules)


@pytest.mark.parametrize(
    ("before", "after", "largest", "seconds", "words"),
    [
        (None, 5, 100, 1.0, "could not be read"),
        (5, None, 100, 1.0, "could not be read"),
        (9, 5, 0, 1.0, "backwards"),
        (5, 9, 10_000_000_000, 11.0, "more than once"),  # 10 kJ at 1000 W are 10 s
    ],
)
def test_what_a_counter_cannot_tell_is_a_reason(
    before: int | None, after: int | None, largest: int, seconds: float, words: str
) -> None:
    found = grown_j(before, after, largest, seconds)
    assert found.value is None
    assert words in found.reason


def test_packages_add_up_and_their_parts_do_not(tmp_path: Path) -> None:
    root = lay_out(RAPL, tmp_path)
    meter = EnergyMeter(root)
    meter.start()
    lay_out(
        {f"{CAP}/intel-rapl:0/energy_uj": "4000000\n", f"{CAP}/intel-rapl:0:0/energy_uj": "900000\n"}, root
    )
    lay_out({f"{CAP}/intel-rapl:1/energy_uj": "5250000\n"}, root)
    found = meter.stop()
    assert found.joules == pytest.approx(
        {"package-0": 3.0, "package-0/core": 0.5, "package-0/dram": 0.0, "package-1": 0.25}
    )
    assert found.cpu_j.value == pytest.approx(3.25)
    assert found.gpu_j.value is None
    assert set(found.methods.values()) == {"RAPL counter"}


def test_a_counter_that_vanishes_is_a_reason(tmp_path: Path) -> None:
    root = lay_out(RAPL, tmp_path)
    meter = EnergyMeter(root)
    meter.start()
    (root / CAP / "intel-rapl:0/energy_uj").unlink()
    found = meter.stop()
    assert found.cpu_j.value is None
    assert "package-0" in found.cpu_j.reason


def test_no_counter_says_so(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    meter.start()
    reason = meter.stop().cpu_j.reason
    assert "intel-rapl" in reason
    assert "hypervisor" in reason


def test_a_closed_counter_names_its_file_and_how_to_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lay_out(RAPL, tmp_path)
    own = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return own(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    domains, reason = rapl_domains(Sources(root))
    assert domains == []
    assert f"/{CAP}/intel-rapl:0/energy_uj" in reason
    assert "sudo chmod a+r" in reason
    meter = EnergyMeter(root)
    meter.start()
    assert meter.stop().cpu_j.reason == reason


def test_a_gpu_with_a_counter(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path, RecordedGpus([Reading(100.0), Reading(112.5)]))
    meter.start()
    found = meter.stop()
    assert found.joules == {"gpu 0 Some GPU": 12.5}
    assert found.gpu_j == Reading(12.5, "NVML energy counter")


def test_a_gpu_without_a_counter_is_integrated_and_says_so(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path, RecordedGpus([Reading(None, "Not Supported")], watts=200.0))
    meter.start()
    time.sleep(0.2)
    found = meter.stop()
    # Watts are constant, so joules over seconds are exactly those, whenever the samples were taken.
    assert found.gpu_j.value == pytest.approx(200.0 * found.seconds, rel=0.2)
    assert "integrated" in found.gpu_j.reason
    assert "Not Supported" in found.gpu_j.reason


def test_a_gpu_that_tells_nothing_is_a_reason(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path, RecordedGpus([Reading(None, "Not Supported")]))
    meter.start()
    found = meter.stop()
    assert found.gpu_j.value is None
    assert "Not Supported" in found.gpu_j.reason


@pytest.mark.parametrize(
    ("curve", "joules"),
    [
        ([(0.0, 100.0), (2.0, 100.0)], 200.0),
        ([(0.0, 0.0), (1.0, 100.0), (3.0, 50.0)], 50.0 + 150.0),
        ([(0.0, 100.0)], None),
        ([], None),
    ],
)
def test_integrate(curve: list[tuple[float, float]], joules: float | None) -> None:
    found = integrate(curve)
    assert found.value == (None if joules is None else pytest.approx(joules))


def test_stop_without_start_is_an_error(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    with pytest.raises(ValueError, match="start"):
        meter.stop()
    meter.start()
    meter.stop()
    with pytest.raises(ValueError, match="start"):
        meter.stop()


def test_this_machine_has_a_figure_or_a_reason() -> None:
    meter = EnergyMeter()
    meter.start()
    found = meter.stop()
    for reading in (found.cpu_j, found.gpu_j):
        assert reading.value is not None or reading.reason

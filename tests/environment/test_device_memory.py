"""GPU memory of a process: what NVML or the driver's command list, and why there is no figure."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from harness.environment.device_memory import device_memory_of, parse
from harness.environment.reading import Reading

ME = os.getpid()
MIB = 2**20


class RecordedGpus:
    def __init__(self, *listed: Reading[dict[int, int | None]]) -> None:
        self.listed = listed

    def names(self) -> tuple[str, ...]:
        return tuple(f"{number} Some GPU" for number in range(len(self.listed)))

    def energy_j(self, gpu: int) -> Reading[float]:
        return Reading(None, "not asked")

    power_w = energy_j

    def memory_by_process(self, gpu: int) -> Reading[dict[int, int | None]]:
        return self.listed[gpu]


def test_all_gpus_add_up_and_others_do_not() -> None:
    gpus = RecordedGpus(Reading({ME: 300 * MIB, 1: 999 * MIB}), Reading({ME: 20 * MIB}), Reading({1: MIB}))
    found = device_memory_of(ME, gpus).value
    assert found is not None
    assert (found.total, found.source) == (320 * MIB, "nvml")
    assert found.by_gpu == {"0 Some GPU": 300 * MIB, "1 Some GPU": 20 * MIB}


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (Reading({1: MIB}), "--pid=host"),
        (Reading({}), "--pid=host"),
        (Reading({ME: None}), "without its memory"),
        (Reading(None, "Insufficient Permissions"), "Insufficient Permissions"),
    ],
)
def test_no_figure_is_a_reason_and_not_zero(listed: Reading[dict[int, int | None]], words: str) -> None:
    found = device_memory_of(ME, RecordedGpus(listed))
    assert found.value is None
    assert words in found.reason


@pytest.mark.parametrize(
    ("listing", "total", "words"),
    [
        ("10, 512\n11, 3\n12, 100\n", 515 * MIB, ""),
        ("10, 512\n10, 256\n", 768 * MIB, ""),  # one process on two GPUs
        ("10, [N/A]\n", None, "N/A"),
        ("12, 100\n", None, "no GPU memory of process 10"),
        ("No running processes found\n", None, "no GPU memory of process 10"),
        ("", None, "no GPU memory of process 10"),
    ],
)
def test_listing_of_the_command(listing: str, total: int | None, words: str) -> None:
    found = parse(listing, {10, 11})
    assert (found.value.total if found.value else None) == total
    assert words in found.reason


def script(folder: Path, text: str) -> str:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo 'NVIDIA-SMI has failed'; exit 9", "NVIDIA-SMI has failed"),
        ("echo 1, 5", "--pid=host"),
    ],
)
def test_the_command_is_asked_where_the_library_is_closed(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.environment.device_memory.open_nvml", lambda: Reading(None, "no NVML here"))
    found = device_memory_of(ME, command=script(tmp_path, text))
    assert found.value is None
    assert words in found.reason
    assert "no NVML here" in found.reason
    found = device_memory_of(ME, command=script(tmp_path, f"echo {ME}, 7"))
    assert found.value is not None
    assert (found.value.total, found.value.source) == (7 * MIB, "nvidia-smi")


def test_neither_library_nor_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.environment.device_memory.open_nvml", lambda: Reading(None, "no NVML here"))
    found = device_memory_of(ME, command=str(tmp_path / "missing"))
    assert found.value is None
    assert "no NVML here" in found.reason and "missing" in found.reason

"""How much memory does the parent process take during a real comparison? Workers are not counted."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import peers
from tests.benchmarks.side_by_side import Table, verdict_on_aim

AIM_MB = 150.0
POLL_S = 0.005
COMPARE = ("compare", "ort", "openvino", "--model", "resnet50", "--budget", "10s", "--quiet", "--fresh")

COLD = "first comparison, model not in the cache"
WARM = "model in the cache"
HTML = "model in the cache, with --html"


def peak_mb(arguments: tuple[str, ...], folder: Path) -> float:
    """Largest resident size, in 10⁶ bytes, of `harness` alone: the kernel's own high-water mark, read until the end."""
    environment = dict(os.environ, HARNESS_CACHE=str(folder / "cache"), HARNESS_DB=str(folder / "harness.db"))
    command = [str(peers.script("harness")), *arguments]
    output = folder / "output.txt"
    # The usage that wait() gives counts the workers, too, so the mark is read while the process lives.
    with (
        output.open("wb") as sink,
        subprocess.Popen(command, stdout=sink, stderr=sink, env=environment) as process,
    ):
        peak = 0
        while process.poll() is None:
            peak = max(peak, high_water_mark(process.pid))
            time.sleep(POLL_S)
    if process.returncode != 0 or peak == 0:
        tail = output.read_text(errors="replace")[-2000:]
        pytest.fail(f"{' '.join(command)} ended with exit code {process.returncode}:\n{tail}", pytrace=False)
    return peak / 1e6


def high_water_mark(pid: int) -> int:
    """VmHWM in bytes; 0 for a process that has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    sizes = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(sizes[0]) * 1024 if sizes else 0


def test_parent_memory(benchmark: Any, publish: Any, tmp_path: Path) -> None:
    cold = peak_mb(COMPARE, tmp_path)
    warm = benchmark.pedantic(peak_mb, args=(COMPARE, tmp_path), rounds=1, iterations=1)
    html = peak_mb((*COMPARE, "--html", str(tmp_path / "report.html")), tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 0
    table = Table("Peak memory of the parent process", "MB", {COLD: [cold], WARM: [warm], HTML: [html]})
    table.notes = [verdict_on_aim(row, table.median(row), AIM_MB, "MB") for row in (COLD, WARM)]
    table.notes.append(f"{HTML}: {html:.4g} MB, reported apart, without an aim")
    publish(table, WARM)

"""How long does `--help` take, as a whole process? Beside Polygraphy, asv and an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from tests.benchmarks import peers
from tests.benchmarks.side_by_side import Measure, Table, run_side_by_side, verdict_on_aim

ROUNDS = 20
AIM_S = 0.15

BARE = "python -c pass"
OURS = "harness --help"
COMPARE = "harness compare --help"
PEERS = {"polygraphy --help": "polygraphy", "asv --help": "asv"}


def process(*command: str) -> Measure:
    """Seconds from starting a process to its end."""

    def measure() -> float:
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    return measure


def test_help(benchmark: Any, publish: Any) -> None:
    harness = str(peers.script("harness"))
    rows = {
        BARE: process(sys.executable, "-c", "pass"),
        OURS: process(harness, "--help"),
        COMPARE: process(harness, "compare", "--help"),
    }
    missing = {}
    for row, name in PEERS.items():
        if peers.script(name).exists():
            rows[row] = process(str(peers.script(name)), "--help")
        else:
            missing[row] = peers.how_to_install(name)
    values = run_side_by_side(benchmark, rows, ours=OURS, rounds=ROUNDS)
    table = Table("Time to print help", "s", values, missing)
    table.notes = [verdict_on_aim(row, table.median(row), AIM_S, "s") for row in (OURS, COMPARE)]
    table.notes.append(", ".join(f"{name} {peers.version(name) or 'missing'}" for name in PEERS.values()))
    publish(table, OURS)

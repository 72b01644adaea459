"""Rows are measured in the same rounds, paired rightly, and a missing one is seen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.side_by_side import Table, run_side_by_side, verdict_on_aim


class Rounds:
    """What `run_side_by_side` needs of pytest-benchmark: set up, call, tear down, round after round."""

    def pedantic(
        self,
        target: Callable[[], Any],
        *,
        setup: Callable[[], None],
        teardown: Callable[[], None],
        rounds: int,
        iterations: int,
    ) -> None:
        for _ in range(rounds):
            setup()
            target()
            teardown()


def test_every_row_is_measured_once_a_round_in_changing_order() -> None:
    seen: list[str] = []

    def row(name: str) -> Callable[[], float]:
        def measure() -> float:
            seen.append(name)
            return float(len(seen))

        return measure

    rows = {name: row(name) for name in "abc"}
    values = run_side_by_side(Rounds(), rows, ours="b", rounds=12)
    rounds = ["".join(seen[start : start + 3]) for start in range(3, len(seen), 3)]
    assert len(rounds) == 12
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len({each.index("b") for each in rounds}) == 3
    assert [len(each) for each in values.values()] == [12, 12, 12]


def test_ratios_pair_what_was_measured_together() -> None:
    # The second round was ten times slower for both: the ratio does not see it.
    table = Table("t", "s", {"ours": [1.0, 10.0, 1.0], "peer": [2.0, 20.0, 2.0]})
    assert table.ratios("peer", "ours") == [2.0, 2.0, 2.0]
    assert table.differences("peer", "ours") == [1.0, 10.0, 1.0]


def test_a_missing_row_stands_in_the_table() -> None:
    table = Table("t", "s", {"ours": [1.0, 2.0]}, missing={"peer": "not installed"})
    assert "NOT MEASURED: not installed" in table.text("ours")


def test_aims_are_said_to_be_met_or_missed() -> None:
    assert verdict_on_aim("help", 0.15, 0.15, "s").endswith("met")
    assert verdict_on_aim("help", 0.16, 0.15, "s").endswith("MISSED")


def test_a_missing_peer_fails_its_benchmark(tmp_path: Path) -> None:
    file = tmp_path / "test_one.py"
    file.write_text(
        """
from tests.benchmarks.side_by_side import Table

def test_one(benchmark, publish):
    benchmark.pedantic(lambda: None, rounds=1)
    publish(Table("a table", "s", {"ours": [1.0]}, {"peer": "not installed"}), "ours")
"""
    )
    root = Path(__file__).parents[2]
    plugins = ("-p", "tests.benchmarks.conftest", "-p", "no:cacheprovider")
    # A benchmark may not run where the tests run in several processes, and this one starts a process of its own.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"--rootdir={tmp_path}", *plugins, "--benchmark-only", str(file)],
        cwd=root,
        env=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "peer could not be measured: not installed" in done.stdout
    assert "NOT MEASURED: not installed" in done.stdout

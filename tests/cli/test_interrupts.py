"""Ctrl-C, a polite end and a rude one: what was measured stays, nothing else does, and the same command goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from results.store import open_store
from tests.cli.command import QUICK, Harness, Running, alive, shared_memory, wait_until

SUITE = """\
schema: 1
name: two-groups
models: [tiny-cnn]
contenders: [ort, honest]
variants: {batch: [1, 2], threads: [1]}
settings: {budget: 1s, trials: {min: 1, max: 1}, inputs: ["normal:0"], warmup_max: 300ms}
"""


def in_the_second_group(harness: Harness) -> tuple[Running, list[psutil.Process]]:
    """A suite of two groups, the first of which is finished, and all the processes of the second."""
    (harness.folder / "suite.yaml").write_text(SUITE)
    running = harness.start("run", "suite.yaml")
    running.wait_for("[2/2]")
    wait_until(lambda: len(running.children()) >= 3)
    return running, running.children()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_suite_keeps_what_is_finished_and_goes_on(name: str, harness: Harness) -> None:
    before = shared_memory()
    running, workers = in_the_second_group(harness)
    running.signal(signal.Signals[name])
    stopped = running.end(30)
    assert stopped.code == (-9 if name == "SIGKILL" else 130)
    if name != "SIGKILL":
        assert "the same command goes on from there" in stopped
        assert "latency p50" in stopped.out
        assert harness.builds() == []
    wait_until(lambda: not alive(workers))
    assert shared_memory() <= before

    (run,) = harness.runs()
    finished = harness.results()
    assert {result.case.variant.batch for result in finished.values()} == {1}
    assert set(finished) == {"ort", "honest"}

    again = harness("run", "suite.yaml", "--json", "record.json")
    assert again.code == 0, again.text
    assert f"Resuming run {run.id[:8]}" in again.err
    assert "batch 1 | threads 1 | single_stream: measured before the run was stopped; kept." in again.err
    document = harness.document()
    assert [r for r in document.results if r.case.variant.batch == 1] == list(finished.values())
    assert {(r.case.variant.batch, r.status) for r in document.results} == {(1, "measured"), (2, "measured")}
    assert [run.status for run in harness.runs()] == ["finished"]
    assert harness.builds() == []


def test_ctrl_c_in_the_middle_of_a_block_keeps_the_rounds_before_it(harness: Harness) -> None:
    pid_file = harness.folder / "pid"
    harness.variables["PID_FILE"] = str(pid_file)
    measuring = ("--model", "tiny-cnn", "--threads", "1", "--input-set", "normal:0", "--warmup-max", "100ms")
    running = harness.start("compare", "slow-and-tells", *measuring, "--budget", "20s", "--max-trials", "2")
    # The 55th call of 50 ms each lies in one of the later rounds of the first trial.
    wait_until(pid_file.exists, 60)
    running.signal(signal.SIGINT)
    stopped = running.end(30)
    assert stopped.code == 130
    assert "Only slow-and-tells could be measured" in stopped
    assert "latency p50" in stopped.out
    assert not harness.results() and harness.runs()[0].status == "interrupted"


@pytest.mark.slow
def test_trials_of_an_interrupted_comparison_are_kept(harness: Harness) -> None:
    measuring = ("--model", "tiny-cnn", "--threads", "1", "--input-set", "normal:0", "--warmup-max", "100ms")
    flags = (*measuring, "--budget", "8s", "--max-trials", "3", "--target-ci", "0.01%")
    running = harness.start("compare", "ort", "honest", *flags)

    def trials_kept() -> bool:
        try:
            with closing(sqlite3.connect(f"file:{harness.db}?mode=ro", uri=True)) as connection:
                return bool(connection.execute("SELECT count(*) FROM checkpoints").fetchone()[0])
        except sqlite3.OperationalError:  # it is being made
            return False

    wait_until(trials_kept, 60)
    running.signal(signal.SIGINT)
    stopped = running.end()
    assert stopped.code == 130
    (run,) = harness.runs()
    assert run.status == "interrupted"
    with open_store(str(harness.db)) as store:
        kept = store.checkpoints(run.id, "tiny-cnn | batch 1 | threads 1 | single_stream")
    assert kept

    again = harness("compare", "ort", "honest", *flags)
    assert again.code == 0, again.text
    assert "Resuming run" in again.err and f"{len(kept)} trials are kept from before" in again.err
    for number, name in enumerate(("ort", "honest")):
        trials = [trial.model_dump(mode="json") for trial in harness.results()[name].trials]
        assert len(trials) > len(kept)
        assert trials[: len(kept)] == [checkpoint["contenders"][number]["trial"] for checkpoint in kept]


def test_fresh_starts_over_and_a_finished_run_is_not_resumed(harness: Harness) -> None:
    running = harness.start("compare", "honest", *QUICK)
    running.wait_for("starting honest")
    running.signal(signal.SIGINT)
    assert running.end().code == 130
    for flags, resumed in (("--fresh",), False), ((), True), ((), False):
        again = harness("compare", "honest", *QUICK, *flags)
        assert again.code == 0
        assert ("Resuming" in again.err) == resumed
    assert [run.status for run in harness.runs()] == ["finished"] * 3


def test_ctrl_c_before_anything_is_measured(harness: Harness) -> None:
    running = harness.start("compare", "hangs", *QUICK)
    running.wait_for("starting hangs")
    wait_until(lambda: len(running.children()) >= 2)
    workers = running.children()
    running.signal(signal.SIGINT)
    assert running.end(30).code == 130
    wait_until(lambda: not alive(workers))
    assert harness.results() == {}


def test_a_worker_that_is_killed_leaves_the_other_its_figures(harness: Harness) -> None:
    pid_file = harness.folder / "pid"
    harness.variables["PID_FILE"] = str(pid_file)
    running = harness.start("compare", "ort", "tells-pid", *QUICK)
    wait_until(pid_file.exists, 60)
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    done = running.end()
    assert done.code == 1
    assert "Only ort could be measured; it computes the right thing" in done
    results = harness.results()
    assert results["ort"].status == "measured" and results["ort"].trials[0].rounds
    failure = results["tells-pid"].failure
    assert failure is not None and failure.exit_signal == "SIGKILL"
    assert results["tells-pid"].status == "crashed"


def test_the_loss_of_the_canary_does_not_stop_the_measurement(harness: Harness) -> None:
    pid_file = harness.folder / "pid"
    harness.variables["PID_FILE"] = str(pid_file)
    running = harness.start("compare", "tells-pid", *QUICK)
    wait_until(pid_file.exists, 60)
    engine = int(pid_file.read_text())
    for process in running.children():
        if process.pid != engine:
            process.kill()
    done = running.end()
    assert done.code == 0, done.text
    assert "The canary is lost" in done.err
    result = harness.results()["tells-pid"]
    assert result.status == "measured"
    assert {each.canary_ns for each in result.trials[0].rounds} == {None}
    assert "canary_missing" in {warning.code for warning in result.warnings}


def test_builds_of_a_killed_run_are_swept_by_the_next(harness: Harness) -> None:
    running = harness.start("compare", "hangs", *QUICK)
    running.wait_for("starting hangs")
    wait_until(lambda: bool(harness.builds()))
    left: list[Path] = harness.builds()
    running.signal(signal.SIGKILL)
    running.end()
    assert [path for path in harness.builds() if path in left] == left
    assert harness("compare", "honest", *QUICK).code == 0
    assert harness.builds() == []

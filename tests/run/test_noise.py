"""Measuring noise for real: what comes back is complete, and a slower process would be seen."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.noise import judge_noise
from harness.run import noise
from harness.run.noise import MIN_ROUNDS, MIN_TRIALS, measure_noise
from harness.worker.noise import Work, block, warm, watch_clock
from tests.run.recording import Recording


def test_a_short_measurement_is_whole() -> None:
    observer = Recording()
    samples = measure_noise(5.0, observer)
    assert len(samples.trials) >= MIN_TRIALS
    for trial in samples.trials:
        assert trial.startup_s > 0
        rounds = {item.round for item in trial.blocks}
        assert len(rounds) >= MIN_ROUNDS
        assert {(item.round, item.side) for item in trial.blocks} == {(r, s) for r in rounds for s in (0, 1)}
        assert all(min(item.samples_ns) > 0 for item in trial.blocks)
    times = [item.at_s for trial in samples.trials for item in trial.blocks]
    assert times == sorted(times)
    orders = {item.side for trial in samples.trials for item in trial.blocks if item.position == 0}
    assert orders == {0, 1}
    assert samples.pressure.wall_s == pytest.approx(samples.seconds, rel=0.1)
    assert samples.pressure.own_cpu_s is not None and samples.pressure.own_cpu_s > 0.5
    assert samples.clock.read_ns > 0
    assert judge_noise(samples).usual.share > 0
    assert observer.texts[0] == "watching the clock"
    assert any("round 2" in text for text in observer.texts)


def test_the_clock_is_watched_and_gaps_add_up() -> None:
    facts, _ = watch_clock({"seconds": 0.2}, {})
    assert facts["watched_ns"] >= 200_000_000
    assert facts["gap_total_ns"] <= facts["watched_ns"]
    assert facts["longest_ns"] == sorted(facts["longest_ns"], reverse=True)
    assert sum(facts["longest_ns"]) <= facts["gap_total_ns"]
    assert facts["gaps"] >= len(facts["longest_ns"])
    assert facts["resolution_ns"] > 0


@pytest.mark.parametrize("threads", [1, 3])
def test_the_work_is_done_on_every_thread(threads: int) -> None:
    work = Work(threads)
    work()
    assert len(work._parts) == threads
    for part in work._parts:
        np.testing.assert_allclose(part._product, part._a @ part._a, rtol=1e-4)
        assert (part._target == 2.0).all()


def test_blocks_end_by_number_or_by_time() -> None:
    many, _ = block({"threads": 1, "samples": 5, "discard": 1, "ns": 10**10}, {})
    assert len(many["samples_ns"]) == 5
    few, _ = block({"threads": 1, "samples": 5, "discard": 0, "ns": 1}, {})
    assert len(few["samples_ns"]) == 1
    assert len(warm({"threads": 1, "calls": 4, "ns": 10**10}, {})[0]["samples_ns"]) == 4


def test_the_measurement_uses_no_more_threads_than_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "usable_cores", lambda: 1)
    assert measure_noise(5.0, Recording()).threads == 1

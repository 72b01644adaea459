"""The script that counts verdicts counts rightly, and its slowed engine is slower by the share it says."""

from __future__ import annotations

import importlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.comparison_rates import (
    PLUGIN,
    Comparison,
    as_text,
    busy_cores,
    compare_once,
    is_met,
    questions,
    summary,
    tally,
)
from tests.benchmarks.identity_model import identity_source

SAME = questions("ort", 0.05)["same"]
SLOWER = questions("ort", 0.05)["slower"]


def comparison(verdict: str, ratio: float) -> Comparison:
    return Comparison(0, 1.0, verdict, ratio, ratio * 0.98, ratio * 1.02, trials=4, rounds=16)


def test_nineteen_of_twenty_are_enough_and_eighteen_are_not() -> None:
    good, bad = comparison("unsettled", 1.01), comparison("slower", 1.04)
    assert is_met(SAME, tally(SAME, [good] * 19 + [bad]))
    assert not is_met(SAME, tally(SAME, [good] * 18 + [bad] * 2))


def test_an_estimate_far_off_is_not_forgiven() -> None:
    good, far = comparison("same", 1.0), comparison("unsettled", 1.06)
    counted = tally(SAME, [good] * 19 + [far])
    assert counted.largest_error == pytest.approx(0.06)
    assert counted.covered == 19
    assert not is_met(SAME, counted)


def test_slower_counts_only_when_called_slower() -> None:
    found, missed = comparison("slower", 1.05), comparison("unsettled", 1.05)
    assert is_met(SLOWER, tally(SLOWER, [found] * 15 + [missed] * 5))
    assert not is_met(SLOWER, tally(SLOWER, [found] * 14 + [missed] * 6))
    assert tally(SLOWER, [found] * 3 + [missed]).verdicts == {"slower": 3, "unsettled": 1}


def test_a_comparison_that_failed_is_never_right() -> None:
    failed = Comparison(0, 1.0, problem="exit code 3: nothing")
    for question in (SAME, SLOWER):
        counted = tally(question, [failed] * 20)
        assert (counted.right, counted.failed) == (0, 20)
        assert not is_met(question, counted)
        assert "MISSED" in summary(question, counted)
    assert not is_met(SAME, tally(SAME, []))
    assert "exit code 3" in as_text(1, failed)


def test_a_busy_process_that_ends_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.comparison_rates.BUSY", ("raise SystemExit(0)",))
    with pytest.raises(RuntimeError, match="busy"), busy_cores(1):
        time.sleep(2.0)


def test_a_comparison_that_cannot_run_says_why(tmp_path: Path) -> None:
    found = compare_once(("ort", "no-such-engine"), "no-such-model", "1s", 0)
    assert found.ratio is None
    assert "no-such-model" in found.problem


@pytest.mark.engine("ort")
def test_the_slowed_engine_is_found_by_its_entry_point_and_measured() -> None:
    found = compare_once(("slowed?share=0.5", "ort"), "tiny-cnn", "2s", 0, extra=("--max-trials", "2"))
    assert found.problem == ""
    assert found.trials == 2
    assert found.ratio is not None and found.low is not None
    assert found.verdict in ("faster", "slower", "same", "unsettled")


def test_the_slowed_call_takes_the_share_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    slowed_engine: Any = importlib.import_module("slowed_engine")

    now = 0

    def read_clock() -> int:
        nonlocal now
        now += 1
        return now

    class Inner:
        inputs = outputs = ()

        def prepare(self, feeds: object) -> None:
            pass

        def infer(self) -> None:
            nonlocal now
            now += 10_000

        def timed_call(self) -> object:
            return self.infer

    monkeypatch.setattr(slowed_engine.time, "perf_counter_ns", read_clock)
    session = slowed_engine.SlowedSession(Inner(), 0.05)
    session.prepare({})
    session.timed_call()()
    assert now == pytest.approx(10_500, abs=5)


@pytest.mark.engine("ort")
def test_the_slowed_engine_computes_what_ort_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    from backends.catalogue import load_adapter
    from backends.contract import Variant

    source = identity_source(tmp_path)
    outputs = []
    for name, options in (("slowed", {"share": "50%"}), ("ort", {})):
        backend, variant = load_adapter(name), replace(Variant(), options=options)
        session = backend.load(source, backend.build(source, variant, tmp_path), variant)
        session.prepare({"x": np.ones(1, dtype=np.float32)})
        session.timed_call()()
        outputs.append(session.download()["y"])
        if name == "slowed":
            assert session.effective()["slowed_by"] == 0.5
        session.close()
    assert np.array_equal(outputs[0], outputs[1])

"""How many calls a profile takes, and what is timed around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.catalogue import load_adapter
from backends.conformance.models import MODELS
from backends.contract import Variant
from harness.worker.profiling import calls_for, time_profile


@pytest.mark.parametrize(
    ("call_ns", "calls"), [(0, 100), (1e3, 100), (2e7, 100), (4e7, 50), (1e8, 20), (1e9, 10), (1e12, 10)]
)
def test_calls_of_about_two_seconds(call_ns: float, calls: int) -> None:
    assert calls_for(call_ns) == calls


def test_the_same_calls_are_timed_without_the_profiler_before_and_after(tmp_path: Path) -> None:
    model, backend = MODELS["mlp"], load_adapter("fake")
    source, variant = model.source(tmp_path), Variant(options={"time_us": "50"})
    artefact = backend.build(source, variant, tmp_path)
    counted = []
    told = time_profile(
        backend, source, artefact, variant, model.feeds(0, 1), lambda: counted.append(1), 4, tmp_path
    )
    assert len(counted) == 9  # one to come back from the profiler is not timed
    assert len(told["unprofiled_ns"]) == 8
    assert len(told["profiled_ns"]) == 4
    assert min(told["profiled_ns"]) >= 50_000
    assert told["profile"]["calls"] == 4
    assert told["profile"]["traces"] == [str(tmp_path / "fake.json")]

"""Requests that go from encoded items to answers: each with a pipeline of its own, and checked like the others."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.conformance.models import MODELS
from backends.contract import Variant
from backends.fake_engine import FakeBackend
from harness.worker.contender import relative_difference
from harness.worker.processing import Item, Processing
from harness.worker.requests import Requests
from harness.worker.stages import StagedCall
from tests.worker.test_stages import Pipeline

MODEL = MODELS["mlp"]
FEEDS = {"one": MODEL.feeds(0, batch=1)}
WINDOW_NS = 200_000_000


class Slow(Pipeline):
    """Decoding and answering that take 10 ms each and leave the interpreter to others meanwhile."""

    def preprocess(self, items: Any) -> Any:
        time.sleep(0.01)
        return super().preprocess(items)

    def postprocess(self, outputs: Mapping[str, Any]) -> object:
        time.sleep(0.01)
        return super().postprocess(outputs)


def difference(loaded: Mapping[str, Any], alone: Mapping[str, Any]) -> float:
    return max(relative_difference(np.asarray(loaded[name]), np.asarray(alone[name])) for name in alone)


@pytest.fixture
def requests(tmp_path: Path):
    backend = FakeBackend()
    source = MODEL.source(tmp_path)
    session = backend.load(source, backend.build(source, Variant(), tmp_path), Variant())
    made = Requests(session)
    yield made
    made.close()
    session.close()


def run(requests: Requests, count: int, pipelines: list[Pipeline]) -> int:
    def stager(session: Any, feeds: Any) -> StagedCall:
        pipelines.append(Slow())
        call = StagedCall(session, feeds, Processing(pipelines[-1], [Item("a", b"1"), Item("b", b"2")]))
        call.check()
        return call

    requests.set_up(count, queue=False, sets=["one"], feeds=FEEDS, stager=stager)
    begin = time.perf_counter_ns() + 30_000_000
    return len(requests.run(begin, begin + WINDOW_NS).ends_ns)


def test_stages_of_different_requests_overlap(requests: Requests) -> None:
    """A call sleeps for 20 ms, so one request makes at most 10 calls in the window, and four many more."""
    pipelines: list[Pipeline] = []
    alone = run(requests, 1, pipelines)
    together = run(requests, 4, pipelines)
    assert 0 < alone <= 10
    assert together > 1.5 * alone
    assert len(pipelines) == 5
    assert all(set(pipeline.seen) == {b"1", b"2"} for pipeline in pipelines)


def test_outputs_under_load_are_those_of_the_same_inputs_alone(requests: Requests) -> None:
    run(requests, 2, [])
    assert requests.drift({}, difference) == 0.0


def test_outputs_that_differ_are_found(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    run(requests, 2, [])
    session = requests._staged[0].session
    download = session.download
    answers = iter([{name: value + 1 for name, value in download().items()}])
    monkeypatch.setattr(session, "download", lambda: next(answers, None) or download())
    drift = requests.drift({}, difference)
    assert drift is not None and drift > 0.1

"""Requests under load whose inputs are exchanged: one that keeps old outputs gives itself away."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.conformance.models import MODELS
from backends.contract import Variant
from backends.fake_engine import FakeBackend
from harness.worker.contender import _difference
from harness.worker.requests import Requests

MODEL = MODELS["mlp"]
FEEDS = {f"set {seed}": MODEL.feeds(seed, batch=2) for seed in range(3)}


def exchanged(folder: Path, fault: str, *, queue: bool, sets: int = 3, count: int = 4) -> float | None:
    source, backend = MODEL.source(folder), FakeBackend()
    honest = backend.load(source, backend.build(source, Variant(), folder), Variant())
    expected = {}
    for name, feeds in FEEDS.items():
        honest.prepare(feeds)
        honest.infer()
        expected[name] = honest.download()
    variant = Variant(batch=2, options={"fault": fault, "servers": "2"})
    session = backend.load(source, backend.build(source, variant, folder), variant)
    requests = Requests(session)
    try:
        requests.set_up(count, queue=queue, sets=list(FEEDS)[:sets], feeds=FEEDS)
        assert (
            requests.drift(expected, _difference) == 0.0
        )  # all were asked for nothing but their first inputs
        return requests.exchanged(FEEDS, expected, _difference)
    finally:
        requests.close()
        session.close()
        honest.close()


@pytest.mark.parametrize("queue", [False, True], ids=["threads", "queue"])
def test_honest_requests_give_the_outputs_of_their_new_inputs(tmp_path: Path, queue: bool) -> None:
    assert exchanged(tmp_path, "none", queue=queue) == 0.0


@pytest.mark.parametrize("queue", [False, True], ids=["threads", "queue"])
@pytest.mark.parametrize("fault", ["off_by_one", "stale"])
def test_requests_that_keep_old_outputs_are_found(tmp_path: Path, fault: str, queue: bool) -> None:
    found = exchanged(tmp_path, fault, queue=queue)
    assert found is not None and found > 1e-3


def test_with_a_single_input_set_there_is_nothing_to_exchange(tmp_path: Path) -> None:
    assert exchanged(tmp_path, "none", queue=False, sets=1) is None

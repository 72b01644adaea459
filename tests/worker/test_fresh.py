"""Calls on fresh inputs: what each fault of the fake engine shows in them, and what turned inputs are."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from backends.base import Session
from backends.conformance.models import MODELS
from backends.contract import Array, Feeds, Variant
from backends.fake_engine import FakeBackend
from harness.worker.contender import _difference
from harness.worker.fresh import MOST, FreshCalls
from harness.worker.turning import HELD_BACK, differs, held_back, turned

MLP = MODELS["mlp"]
WORK_US = 3000
BATCH = 3


def open_session(folder: Path, fault: str = "none", **options: str) -> Session:
    source = MLP.source(folder)
    variant = Variant(batch=BATCH, options={"time_us": str(WORK_US), "fault": fault, **options})
    backend = FakeBackend()
    session = backend.load(source, backend.build(source, variant, folder), variant)
    session.prepare(MLP.feeds(0, batch=BATCH))
    return session


def run(session: Session, pairs: int = 4) -> tuple[dict[str, Any], dict[str, Array]]:
    fresh = FreshCalls(session, MLP.feeds(0, batch=BATCH), _difference)
    return fresh.run(2, pairs, 0), fresh.held_back()


def right(folder: Path) -> dict[str, Array]:
    """Outputs of the held-back inputs by an honest session that never saw others."""
    session = open_session(folder)
    session.prepare(turned(MLP.feeds(0, batch=BATCH), HELD_BACK))
    session.infer()
    return session.download()


def test_an_honest_engine_works_in_every_call(tmp_path: Path) -> None:
    found, held = run(open_session(tmp_path))
    assert (found["reason"], found["by"], found["drift"]) == ("", "upload", 0.0)
    assert [len(found[key]) for key in ("fresh", "repeated", "download", "download_again")] == [4] * 4
    # The fake engine spins on the clock: no call can be shorter than what it was told to take.
    assert min(found["fresh"] + found["repeated"]) >= WORK_US * 1000
    assert max(found["download"]) < WORK_US * 1000 or min(found["download"]) < WORK_US * 1000
    assert _difference(held, right(tmp_path)) == 0.0


@pytest.mark.parametrize("fault", ["cache", "cache_binding"])
def test_an_engine_that_leaves_work_out_is_fast_on_repeated_inputs_alone(tmp_path: Path, fault: str) -> None:
    found, held = run(open_session(tmp_path, fault))
    assert min(found["fresh"]) >= WORK_US * 1000
    assert min(found["repeated"]) < WORK_US * 1000 / 2
    assert found["drift"] == 0.0
    assert _difference(held, right(tmp_path)) == 0.0


def test_an_engine_that_works_late_lets_the_reader_wait(tmp_path: Path) -> None:
    found, _ = run(open_session(tmp_path, "late"))
    assert min(found["fresh"]) < WORK_US * 1000 / 2
    # Medians: a worker that is held up before it reads finds the work done.
    assert median(found["download"]) > WORK_US * 1000 / 2
    assert median(found["download_again"]) < WORK_US * 1000 / 2


@pytest.mark.parametrize("fault", ["off_by_one", "wrong_at_times"])
def test_two_calls_on_the_same_inputs_that_differ_are_drift(tmp_path: Path, fault: str) -> None:
    found, _ = run(open_session(tmp_path, fault), pairs=8)
    assert found["drift"] > 1e-3


@pytest.mark.parametrize("fault", ["cache_address", "stale", "off_by_one"])
def test_stale_outputs_are_not_those_of_the_held_back_inputs(tmp_path: Path, fault: str) -> None:
    _, held = run(open_session(tmp_path, fault))
    assert _difference(held, right(tmp_path)) > 1e-3


def test_an_engine_without_uploads_is_prepared_again_for_both_calls(tmp_path: Path) -> None:
    session = open_session(tmp_path)
    session.upload_paths = ()
    prepared: list[Feeds] = []
    prepare = session.prepare
    session.prepare = lambda feeds: (prepared.append(feeds), prepare(feeds))[1]  # type: ignore[method-assign]
    found, held = run(session, pairs=3)
    assert found["by"] == "prepare"
    assert len(prepared) == 2 * (3 + 1) + 1
    assert _difference(held, right(tmp_path)) == 0.0


def test_inputs_of_one_value_cannot_be_fresh(tmp_path: Path) -> None:
    session = open_session(tmp_path)
    zeros = {name: np.zeros_like(array) for name, array in MLP.feeds(0, batch=BATCH).items()}
    found = FreshCalls(session, zeros, _difference).run(2, 3, 0)
    assert "one value only" in found["reason"]
    assert held_back({"zeros": zeros}) == {}


def test_turned_inputs_are_all_different_and_hold_what_the_others_hold() -> None:
    random = np.random.default_rng(0)
    feeds = {
        "pictures": random.standard_normal((2, 3, 4, 4)).astype(np.float32),
        "tokens": random.integers(3, 99, (2, 8)),
        "attention_mask": np.tril(np.ones((2, 8), dtype=np.int64)),
        "scale": np.float32(2.0).reshape(()),
    }
    before = {name: array.copy() for name, array in feeds.items()}
    made = [turned(feeds, number) for number in range(1, MOST + 2)]
    assert all(differs(a, b) for i, a in enumerate(made) for b in [feeds, *made[:i]])
    for arrays in made:
        for name, array in arrays.items():
            assert (array.shape, array.dtype) == (feeds[name].shape, feeds[name].dtype)
            assert array.flags.c_contiguous
        assert np.array_equal(np.sort(arrays["tokens"], axis=1), np.sort(feeds["tokens"], axis=1))
        assert np.array_equal(arrays["attention_mask"], feeds["attention_mask"])
        assert np.abs(arrays["pictures"]).max() <= np.abs(feeds["pictures"]).max()
    assert not differs(feeds, before)


def test_the_held_back_set_has_a_name_of_its_own() -> None:
    feeds = {"normal:0": MLP.feeds(0, batch=2), "normal:1": MLP.feeds(1, batch=2)}
    ((name, arrays),) = held_back(feeds).items()
    assert name == "normal:0 turned"
    assert differs(arrays, feeds["normal:0"])

"""The kit: every way of bringing inputs in and outputs out carries the right bytes."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from backends.conformance.models import MODELS, KitModel
from backends.conformance.plugin import Kit
from backends.conformance.test_outputs import assert_equal
from backends.contract import PATHS, PINNED, ZERO_COPY, UnsupportedError


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_upload_brings_other_inputs_in(kit: Kit, model: KitModel) -> None:
    """After `prepare` with one input set, `upload` of another makes its outputs, by every path, back and forth."""
    source = kit.source(model)
    session = kit.open(source, kit.target.variant(model))
    if not session.upload_paths:
        pytest.skip(f"unsupported: {model.name} fp32: no upload of its own")
    assert set(session.upload_paths) <= set(PATHS)
    first, second = model.feeds(0, batch=1), model.feeds(1, batch=1)
    session.prepare(first)
    for path in (*session.upload_paths, *session.upload_paths):
        for feeds in (second, first):
            kept = {name: array.copy() for name, array in feeds.items()}
            session.upload(feeds, path)
            session.timed_call()()
            assert_equal(source, session.download(), feeds, "fp32")
            for name, array in kept.items():
                assert np.array_equal(array, feeds[name]), f"upload by {path!r} changed input {name!r}"


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_download_by_every_path(kit: Kit, model: KitModel) -> None:
    """Every path gives the same outputs; those into the caller's memory outlive the next inference."""
    source = kit.source(model)
    session = kit.open(source, kit.target.variant(model))
    if not session.download_paths:
        pytest.skip(f"unsupported: {model.name} fp32: no download of its own")
    assert set(session.download_paths) <= set(PATHS)
    first, second = model.feeds(0, batch=1), model.feeds(1, batch=1)
    for path in session.download_paths:
        session.prepare(first)
        session.timed_call()()
        got = session.download(path)
        assert_equal(source, got, first, "fp32")
        if path in (ZERO_COPY, PINNED):
            continue
        session.prepare(second)
        session.timed_call()()
        assert_equal(source, got, first, "fp32")


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_uploaded_memory_is_kept_until_the_outputs_are_there(kit: Kit, model: KitModel) -> None:
    """The caller lets go of its arrays at once, and other arrays take their place in memory."""
    source = kit.source(model)
    session = kit.open(source, kit.target.variant(model))
    if not session.upload_paths:
        pytest.skip(f"unsupported: {model.name} fp32: no upload of its own")
    first, second = model.feeds(0, batch=1), model.feeds(1, batch=1)
    session.prepare(first)
    for path in session.upload_paths:
        session.upload({name: array.copy() for name, array in second.items()}, path)
        gc.collect()
        others = [{name: np.zeros_like(array) for name, array in second.items()} for _ in range(50)]
        session.timed_call()()
        assert_equal(source, session.download(), second, "fp32")
        del others


def test_unknown_paths_are_refused(kit: Kit) -> None:
    """A path that the session does not have is an UnsupportedError that names it."""
    model = next(iter(MODELS.values()))
    session = kit.open(kit.source(model), kit.target.variant(model))
    session.prepare(model.feeds(0, batch=1))
    session.timed_call()()
    with pytest.raises(UnsupportedError, match="carrier pigeon"):
        session.upload(None, "carrier pigeon")
    with pytest.raises(UnsupportedError, match="carrier pigeon"):
        session.download("carrier pigeon")


def test_device_events_where_declared(kit: Kit) -> None:
    """Marks around an inference give a time of at least zero; without them `events` is None."""
    model = next(iter(MODELS.values()))
    session = kit.open(kit.source(model), kit.target.variant(model))
    session.prepare(model.feeds(0, batch=1))
    events = session.events()
    assert (events is not None) == kit.backend.capabilities(kit.target.flavour).device_events
    if events is None:
        return
    start = events.mark()
    session.timed_call()()
    assert events.elapsed_ns(start, events.mark()) >= 0

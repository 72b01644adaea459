"""The kit: several requests on one loaded model, at the same time and in the engine's own queue."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from backends.base import Session
from backends.conformance.models import MODELS, KitModel
from backends.conformance.plugin import Kit
from backends.conformance.test_outputs import assert_equal
from backends.contract import StateError, UnsupportedError

REQUESTS = 4
CALLS = 8
WAIT_S = 60.0
SMALL = ("mlp", "cnn")


def _declared(kit: Kit, what: str) -> bool:
    """Whether the adapter says that it can; one that says no must say why (the last test has it refuse, too)."""
    can = kit.backend.capabilities(kit.target.flavour)
    there: bool = getattr(can, what)
    assert there or can.reasons[what]
    return there


def _sources(kit: Kit, model: KitModel) -> tuple[Session, list[Session]]:
    """A session of the model, and it with its forks."""
    first = kit.open(kit.source(model), kit.target.variant(model))
    return first, [first, *(first.fork() for _ in range(REQUESTS - 1))]


@pytest.mark.parametrize("name", SMALL)
def test_requests_at_the_same_time_keep_their_own_outputs(kit: Kit, name: str) -> None:
    """Every request computes its own inputs' outputs while the others compute theirs."""
    if not _declared(kit, "streams"):
        return
    model = MODELS[name]
    _, requests = _sources(kit, model)
    gate = threading.Barrier(REQUESTS)
    problems: list[BaseException] = []
    source = kit.source(model)

    def run(number: int, request: Session) -> None:
        feeds = model.feeds(number, batch=1)
        try:
            with request.in_thread():
                request.prepare(feeds)
                call = request.timed_call()
                gate.wait(WAIT_S)
                for _ in range(CALLS):
                    call()
                assert_equal(source, request.download(), feeds, "fp32")
        except BaseException as problem:  # noqa: BLE001 - raised again below, in the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for request in requests[1:]:
        request.close()
    if problems:
        raise problems[0]


def test_a_fork_has_a_life_of_its_own(kit: Kit) -> None:
    """It has the model's signature, is prepared and closed by itself, and outlives the session it came from."""
    if not _declared(kit, "streams"):
        return
    model = MODELS["mlp"]
    source = kit.source(model)
    first, (_, fork, *others) = _sources(kit, model)
    for other in others:
        other.close()
    assert (fork.inputs, fork.outputs) == (first.inputs, first.outputs)
    with pytest.raises(StateError):
        fork.infer()
    ours, theirs = model.feeds(0, batch=1), model.feeds(1, batch=1)
    first.prepare(ours)
    fork.prepare(theirs)
    first.timed_call()()
    fork.timed_call()()
    assert_equal(source, first.download(), ours, "fp32")
    first.close()
    fork.timed_call()()
    assert_equal(source, fork.download(), theirs, "fp32")
    assert fork.effective()["threads"] in (kit.target.variant(model).threads, None)
    fork.close()
    with pytest.raises(StateError):
        first.fork()


@pytest.mark.parametrize("name", SMALL)
def test_the_queue_runs_every_request(kit: Kit, name: str) -> None:
    """Requests in the engine's queue tell their end once each, may be started again, and keep their own outputs."""
    if not _declared(kit, "asynchronous"):
        return
    model = MODELS[name]
    source = kit.source(model)
    _, requests = _sources(kit, model)
    ended = [threading.Semaphore(0) for _ in requests]
    tell: list[Callable[[], None]] = [semaphore.release for semaphore in ended]
    for number, request in enumerate(requests):
        request.prepare(model.feeds(number, batch=1))
    for _ in range(CALLS):
        for request, done in zip(requests, tell, strict=True):
            request.start(done)
        for request, semaphore in zip(requests, ended, strict=True):
            assert semaphore.acquire(timeout=WAIT_S), "the end of a request was never told"
            request.synchronize()
    for number, (request, semaphore) in enumerate(zip(requests, ended, strict=True)):
        assert not semaphore.acquire(blocking=False), "the end of a request was told twice"
        assert_equal(source, request.download(), model.feeds(number, batch=1), "fp32")
    for request in requests[1:]:
        request.close()


def test_what_is_not_there_is_refused_with_a_reason(kit: Kit) -> None:
    """`fork` and `start` raise UnsupportedError exactly where the capabilities say so, and those say why."""
    can = kit.backend.capabilities(kit.target.flavour)
    session = kit.open(kit.source(MODELS["mlp"]), kit.target.variant(MODELS["mlp"]))
    session.prepare(MODELS["mlp"].feeds(0, batch=1))
    if not can.streams:
        assert can.reasons["streams"]
        with pytest.raises(UnsupportedError):
            session.fork()
    if not can.asynchronous:
        assert can.reasons["asynchronous"]
        with pytest.raises(UnsupportedError):
            session.start(lambda: None)

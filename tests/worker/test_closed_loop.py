"""The closed loop against closed-form queueing, on servers whose truth is known."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

from backends.fake_queue import FakeQueue
from harness.worker.closed_loop import Caller, Loop, ceiling, run_queue, run_threads

SERVICE_NS = 10_000_000
SECONDS = 0.4


class Request:
    """A request of the queue, as an adapter hands it out."""

    def __init__(self, queue: FakeQueue, fails_at: int = -1) -> None:
        self.queue, self.calls, self.fails_at = queue, 0, fails_at

    def call(self) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise RuntimeError("the engine said no")
        self.queue.serve(SERVICE_NS)

    def start(self, done) -> None:
        self.calls += 1
        self.queue.start(SERVICE_NS, done)

    def synchronize(self) -> None:
        if self.calls == self.fails_at:
            raise RuntimeError("the engine said no")


def run(requests: list[Request], queue: bool, seconds: float = SECONDS) -> Loop:
    begin = time.perf_counter_ns() + 60_000_000
    end = begin + int(seconds * 1e9)
    if queue:
        return run_queue(requests, begin, end)
    return run_threads([Caller(request.call) for request in requests], begin, end)


@pytest.mark.parametrize("queue", [False, True])
@pytest.mark.parametrize(("clients", "servers"), [(1, 2), (2, 2), (5, 2), (3, 1)])
def test_throughput_and_latency_follow_queueing(clients: int, servers: int, queue: bool) -> None:
    """N clients, c servers, service S: throughput at most min(N, c)/S, latency at least max(S, N S/c)."""
    shared = FakeQueue(servers)
    loop = run([Request(shared) for _ in range(clients)], queue)
    shared.close()
    throughput = len(loop.ends_ns) / SECONDS
    truth = min(clients, servers) / (SERVICE_NS * 1e-9)
    # A server ends one request more or less at either edge; nothing can be faster, and a busy machine slower.
    assert truth * 0.5 < throughput <= truth + servers / SECONDS
    waits = sorted(loop.latencies_ns)
    least = max(SERVICE_NS, clients * SERVICE_NS // servers)
    # All but the first ones, which found the queue empty; callers that a busy machine wakes late wait for less.
    assert waits[len(waits) // 2] > 0.8 * least
    assert list(loop.ends_ns) == sorted(loop.ends_ns)
    assert loop.ends_ns[0] > 0 and loop.ends_ns[-1] <= SECONDS * 1e9


@pytest.mark.parametrize("queue", [False, True])
def test_ramp_up_and_drain_are_left_out_by_time(queue: bool) -> None:
    shared = FakeQueue(1)
    requests = [Request(shared), Request(shared)]
    loop = run(requests, queue, seconds=0.1)
    shared.close()
    assert len(loop.ends_ns) == len(loop.latencies_ns) <= 11
    # 60 ms before the window and the last ones after it were run, and do not count.
    assert sum(request.calls for request in requests) > len(loop.ends_ns) + 3


@pytest.mark.parametrize("queue", [False, True])
def test_an_error_of_one_request_ends_the_loop(queue: bool) -> None:
    shared = FakeQueue(2)
    requests = [Request(shared), Request(shared, fails_at=3)]
    with pytest.raises(RuntimeError, match="the engine said no"):
        run(requests, queue, seconds=30)
    shared.close()


def test_a_thread_holds_what_its_request_asks_for() -> None:
    held: list[str] = []

    @contextmanager
    def guard():
        held.append("in")
        yield
        held.append("out")

    begin = time.perf_counter_ns()
    run_threads([Caller(lambda: time.sleep(0.001), guard)], begin, begin + 20_000_000)
    assert held == ["in", "out"]


@pytest.mark.parametrize("queue", [False, True])
def test_the_loops_own_ceiling_is_far_above_an_engine(queue: bool) -> None:
    assert ceiling(2, queue=queue) > 1000

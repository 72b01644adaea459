"""The timing loop counts what it should, and batches calls that are too short."""

from __future__ import annotations

import gc
import time

import pytest

from harness.worker.clock import (
    CLOCK_SHARE,
    calls_per_sample,
    clock_cost_ns,
    elapsed_ns,
    timed_samples,
    timed_until,
)


def test_every_sample_makes_the_calls_it_should() -> None:
    calls = []
    times = timed_samples(lambda: calls.append(1), samples=7, calls=3)
    assert len(times) == 7
    assert len(calls) == 21
    assert all(value > 0 for value in times)


def test_the_time_of_a_sleeping_call_is_its_sleep() -> None:
    times = timed_samples(lambda: time.sleep(0.01), samples=3)
    assert all(value >= 10_000_000 for value in times)
    nanoseconds, value = elapsed_ns(lambda: time.sleep(0.01) or "value")
    assert nanoseconds >= 10_000_000
    assert value == "value"


def test_no_garbage_is_collected_inside_and_the_collector_comes_back() -> None:
    seen = []
    timed_samples(lambda: seen.append(gc.isenabled()), samples=2)
    assert seen == [False, False]
    assert gc.isenabled()


def test_the_collector_comes_back_after_an_error() -> None:
    def fail() -> None:
        raise RuntimeError("engine")

    with pytest.raises(RuntimeError):
        timed_samples(fail, samples=1)
    assert gc.isenabled()


def test_timed_until_stops_at_either_limit_and_makes_one_call_at_least() -> None:
    assert len(timed_until(lambda: None, max_samples=5, max_ns=10**12)) == 5
    assert len(timed_until(lambda: time.sleep(0.002), max_samples=1000, max_ns=1)) == 1


@pytest.mark.parametrize(
    ("call_ns", "clock_ns", "calls"),
    [(30e6, 60, 1), (60_000, 60, 1), (59_000, 60, 2), (100, 60, 600), (0, 60, 60_000)],
)
def test_short_calls_are_batched_until_the_clock_is_negligible(
    call_ns: float, clock_ns: float, calls: int
) -> None:
    assert calls_per_sample(call_ns, clock_ns) == calls
    if call_ns:
        assert clock_ns / (calls * call_ns) <= CLOCK_SHARE


def test_the_clock_costs_something() -> None:
    assert 0 < clock_cost_ns() < 100_000

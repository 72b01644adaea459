"""What does the timing loop itself cost a call? Beside a bare loop and Polygraphy's runner."""

from __future__ import annotations

import importlib
import time
from array import array
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
import pytest

from backends.base import Session
from backends.contract import Variant
from harness.worker.clock import timed_samples
from tests.benchmarks import peers
from tests.benchmarks.identity_model import identity_source
from tests.benchmarks.side_by_side import Measure, Table, run_side_by_side, verdict_on_aim

CALLS = 20_000
PEER_CALLS = 1_000
ROUNDS = 30
AIM_NS = 500.0

PLAIN = "plain loop over a no-op, no clock"
BARE = "bare loop: two clock reads and a store"
OURS = "harness timed_samples, no-op"
PLAIN_SESSION = "plain loop over the fake session's call"
OURS_SESSION = "harness timed_samples, fake session's call"
UNCHECKED = "Polygraphy infer(check_inputs=False)"
CHECKED = "Polygraphy infer()"


def no_op() -> None:
    """The call whose cost is nothing but a call's."""


def plain(call: Callable[[], object]) -> float:
    """Nanoseconds a call without any timing."""
    start = time.perf_counter_ns()
    for _ in range(CALLS):
        call()
    return (time.perf_counter_ns() - start) / CALLS


def bare(call: Callable[[], object]) -> float:
    """Nanoseconds a call with the least that timing single calls needs."""
    clock = time.perf_counter_ns
    start = clock()
    times = array("q", bytes(8 * CALLS))
    for index in range(CALLS):
        before = clock()
        call()
        times[index] = clock() - before
    return (clock() - start) / CALLS


def timed(call: Callable[[], object]) -> float:
    """Nanoseconds a call in the harness's loop."""
    start = time.perf_counter_ns()
    timed_samples(call, CALLS)
    return (time.perf_counter_ns() - start) / CALLS


def polygraphy_rows() -> dict[str, Measure]:
    """Polygraphy's runner around a no-op of one input, with and without its checks of inputs."""
    # Polygraphy has no type information, and need not be here.
    runners: Any = importlib.import_module("polygraphy.backend.base")
    common: Any = importlib.import_module("polygraphy.common")

    class NoOpRunner(runners.BaseRunner):  # type: ignore[misc]
        def activate_impl(self) -> None:
            pass

        def deactivate_impl(self) -> None:
            pass

        def get_input_metadata_impl(self) -> Any:
            return common.TensorMetadata().add("x", np.float32, (1,))

        def infer_impl(self, feed_dict: Any) -> dict[str, Any]:
            self.inference_time = 0.0
            return {}

    runner = NoOpRunner("no-op")
    runner.activate()
    feeds = {"x": np.ones(1, dtype=np.float32)}

    def infer(**options: bool) -> float:
        start = time.perf_counter_ns()
        for _ in range(PEER_CALLS):
            runner.infer(feeds, **options)
        return (time.perf_counter_ns() - start) / PEER_CALLS

    return {UNCHECKED: lambda: infer(check_inputs=False), CHECKED: infer}


@pytest.fixture
def session(tmp_path: Any) -> Iterator[Session]:
    """The fake engine, taking no time, on a model that hands its input through."""
    from backends.fake_engine import FakeBackend

    source = identity_source(tmp_path)
    backend, variant = FakeBackend(), Variant(options={"time_us": "0"})
    opened = backend.load(source, backend.build(source, variant, tmp_path), variant)
    opened.prepare({"x": np.ones(1, dtype=np.float32)})
    yield opened
    opened.close()


def test_timing_loop(benchmark: Any, publish: Any, session: Session) -> None:
    call = session.timed_call()
    rows: dict[str, Measure] = {
        PLAIN: lambda: plain(no_op),
        BARE: lambda: bare(no_op),
        OURS: lambda: timed(no_op),
        PLAIN_SESSION: lambda: plain(call),
        OURS_SESSION: lambda: timed(call),
    }
    missing = {}
    if peers.version("polygraphy"):
        rows |= polygraphy_rows()
    else:
        missing = dict.fromkeys((UNCHECKED, CHECKED), peers.how_to_install("polygraphy"))
    values = run_side_by_side(benchmark, rows, ours=OURS, rounds=ROUNDS)
    table = Table("Cost of the timing loop", "ns a call", values, missing)
    added = median(table.differences(OURS, PLAIN))
    table.notes = [
        f"added to a plain loop over the same call, medians of the differences within rounds: bare loop "
        f"{median(table.differences(BARE, PLAIN)):.1f} ns, harness {added:.1f} ns, harness on the fake session "
        f"{median(table.differences(OURS_SESSION, PLAIN_SESSION)):.1f} ns",
        f"what a sample of a no-op records, clock included: {median(timed_samples(no_op, CALLS)):.0f} ns",
        verdict_on_aim("added by the harness", added, AIM_NS, "ns"),
    ]
    if not missing:
        table.notes.append(
            f"polygraphy {peers.version('polygraphy')} adds {median(table.differences(UNCHECKED, PLAIN)):.1f} ns "
            f"without checks, {median(table.differences(CHECKED, PLAIN)):.1f} ns as it comes"
        )
    publish(table, BARE)

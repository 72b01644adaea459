"""`harness throughput` as a user runs it, on the fake engine's servers, on real engines, and on engines that break."""

from __future__ import annotations

import signal

import pytest

from harness.judge.load.curve import ThroughputDocument
from tests.cli.command import Harness

SHORT = (
    *("--model", "tiny-cnn", "--threads", "1", "--budget", "2s", "--min-trials", "1", "--max-trials", "1"),
    *("--warmup-max", "100ms", "--input-set", "normal:0", "--input-set", "normal:1"),
)
SERVERS = "fake?servers=2&time_us=20000"


def document(harness: Harness) -> ThroughputDocument:
    return ThroughputDocument.model_validate_json((harness.folder / "record.json").read_bytes())


def test_a_search_finds_the_servers_and_stores_every_point(harness: Harness) -> None:
    done = harness("throughput", SERVERS, *SHORT, "--budget", "20s", "--json", "record.json")
    assert done.code == 0, done.text
    found = document(harness)
    (curve,) = found.curves
    by_load = {point.concurrency: point for point in curve.points}
    assert {1, 2, 4} <= set(by_load)
    # Nothing is faster than two servers of 20 ms, and a machine that is busy is slower.
    assert all(50 < p.throughput.value <= 110 for n, p in by_load.items() if n > 1)
    assert by_load[1].throughput.value <= 51
    assert by_load[4].p50.value >= 0.0395
    assert all(point.parity == "pass" for point in curve.points)
    assert harness.runs()[0].kind == "throughput"
    shown = harness("history", "--model", "tiny-cnn", "--metric", "throughput")
    assert shown.code == 0, shown.text
    assert "concurrency 4" in shown
    stored = harness("report", "--json", "again.json")
    assert stored.code == 0 and "in flight" in stored, stored.text
    told = ThroughputDocument.model_validate_json((harness.folder / "again.json").read_bytes())
    assert told.headline == found.headline
    assert harness("report", "record.json", "--quiet").code == 0
    again = harness("compare", "ort", "--model", "tiny-cnn", "--from-history")
    assert again.code == 2


def test_the_queue_and_instances(harness: Harness) -> None:
    flags = ("--concurrency", "2", "--json", "record.json")
    queued = harness("throughput", SERVERS, *SHORT, *flags, "--way", "queue")
    assert queued.code == 0, queued.text
    (point,) = document(harness).curves[0].points
    assert (point.way, point.in_flight) == ("queue", 2)
    # Two loads of two servers each, two requests in flight in each.
    twice = harness("throughput", SERVERS, *SHORT, *flags, "--instances", "2")
    assert twice.code == 0, twice.text
    (point,) = document(harness).curves[0].points
    assert (point.instances, point.in_flight) == (2, 4)
    assert 105 < point.throughput.value <= 220
    assert point.memory.value > 50e6


@pytest.mark.engine("ort")
def test_real_engines_side_by_side(harness: Harness) -> None:
    done = harness(
        *("throughput", "ort", "openvino", "torch", *SHORT, "--concurrency", "1,2"),
        *("--json", "record.json", "--html", "curve.html"),
    )
    assert done.code in (0, 1), done.text
    found = document(harness)
    assert [curve.contender for curve in found.curves] == ["ort", "openvino", "torch"]
    for curve in found.curves:
        assert [point.concurrency for point in curve.points] == [1, 2]
        assert all(point.parity == "pass" and point.throughput.value for point in curve.points)
    assert {pair.at for pair in found.pairs} >= {"1 in flight, batch 1, 1 thread"}
    page = (harness.folder / "curve.html").read_text()
    assert "Latency over throughput" in page and "https://" not in page.split("<script")[0]


@pytest.mark.parametrize(
    ("fault", "status", "more"),
    [
        ("segfault", "crashed", ()),
        ("raise_infer", "failed", ()),
        ("hang", "timeout", ("--deadline", "3s")),
        ("allocate", "out_of_memory", ("--memory-limit", "600MiB")),
    ],
)
def test_an_engine_that_breaks_at_four_keeps_the_points_before(
    harness: Harness, fault: str, status: str, more: tuple[str, ...]
) -> None:
    engine = f"{SERVERS}&fault={fault}&fault_from=4"
    flags = ("--concurrency", "1,2,4,8", "--json", "record.json")
    done = harness("throughput", engine, *SHORT, *flags, *more)
    assert done.code == 0, done.text
    found = document(harness)
    points = {point.concurrency: point for point in found.curves[0].points}
    assert set(points) == {1, 2, 4}
    assert points[4].status == status and points[4].kept == "no"
    assert points[1].throughput.value and points[2].throughput.value
    assert f"4 in flight: {status}" in done
    assert harness.builds() == []


def test_no_point_under_the_bounds_is_exit_code_three(harness: Harness) -> None:
    done = harness("throughput", SERVERS, *SHORT, "--max-latency", "p50=5ms")
    assert done.code == 3
    assert "No point keeps the bounds (p50 ≤ 5 ms)." in done
    assert "p50 2" in done


def test_nothing_measured_is_exit_code_three(harness: Harness) -> None:
    done = harness("throughput", "fake?fault=raise_load", *SHORT)
    assert done.code == 3
    assert "told to fail in load" in done


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--concurrency", "0"), "--concurrency 0: not a list of whole numbers from 1"),
        (("--concurrency", "1,x"), "--concurrency 1,x: not a list"),
        (("--max-latency", "p75=5ms"), "--max-latency p75=5ms: unknown metric 'p75'"),
        (("--max-latency", "p99=soon"), "--max-latency p99=soon: expected"),
        (("--instances", "64", "--pin"), "--pin: 64 instances of 1 threads need 64 cores"),
        (("--inputs", "a.npz"), "exclude each other"),
    ],
)
def test_bad_flags_are_named(harness: Harness, flags: tuple[str, ...], words: str) -> None:
    done = harness("throughput", "fake", *SHORT, *flags)
    assert done.code == 2
    assert words in done


def test_ctrl_c_keeps_the_points_that_were_measured(harness: Harness) -> None:
    flags = ("--model", "tiny-cnn", "--threads", "1", "--concurrency", "1,2", "--warmup-max", "100ms")
    running = harness.start("throughput", SERVERS, *flags, "--budget", "60s", "--min-trials", "3")
    running.wait_for("trial 3", 120)
    running.signal(signal.SIGINT)
    stopped = running.end(30)
    assert stopped.code == 130, stopped.text
    assert "Interrupted: what was measured is stored as run" in stopped
    assert [run.status for run in harness.runs()] == ["interrupted"]
    results = harness.stored()
    assert {result.status for result in results} == {"interrupted"}
    assert {result.case.load.concurrency for result in results} == {1, 2}
    shown = harness("report")
    assert "in flight" in shown, shown.text

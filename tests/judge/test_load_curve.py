"""Points, curves, knees, verdicts and exit codes of closed loops whose truth is known."""

from __future__ import annotations

import pytest

from harness.judge.load.curve import judge_run
from harness.judge.load.point import judge_point
from harness.records import Bounds, Run
from tests.factories import make_failure, make_parity, make_run
from tests.loads import make_loaded


def run_with(**bounds: object) -> Run:
    return make_run(kind="throughput", bounds=Bounds(**bounds))


def curve(name: str = "ort", **truth):
    return [make_loaded(name, level, **truth) for level in (1, 2, 4, 8)]


def test_figures_of_a_point_are_those_of_the_servers() -> None:
    point = judge_point(make_loaded("ort", 4, servers=2, service_ns=1_000_000, batch=8, rounds=4), Bounds())
    assert point.throughput.value == pytest.approx(2 * 8 / 1e-3, rel=0.02)
    assert point.throughput.low < 16_000 < point.throughput.high or point.throughput.low == pytest.approx(
        16_000, rel=0.02
    )
    assert point.p50.value == pytest.approx(2e-3, rel=0.02)
    assert point.p99.value is not None and point.p99.low is not None
    assert point.little == pytest.approx(1, abs=0.01)
    assert point.memory.value == 140_000_000
    assert point.cpu_cores == pytest.approx(0.8)
    assert (point.kept, point.doubts) == ("yes", ())


def test_time_lost_between_requests_is_doubted() -> None:
    point = judge_point(make_loaded("ort", 2, think_ns=100_000), Bounds())
    assert point.little == pytest.approx(1 / 1.1, abs=0.01)
    assert "Little's law" in point.doubts[0]


def test_a_point_near_the_loops_own_ceiling_is_invalid() -> None:
    point = judge_point(make_loaded("ort", 2, servers=2, ceiling_per_s=3_000, noise=0), Bounds())
    assert point.kept == "no" and point.rejected.startswith("invalid: 67%")
    assert judge_point(make_loaded("ort", 2, servers=2, ceiling_per_s=4_500), Bounds()).kept == "yes"


def test_the_search_s_own_trial_is_left_out_of_figures_but_not_of_memory() -> None:
    result = make_loaded("ort", 2, servers=2, trials=4)
    slow = make_loaded("ort", 2, servers=0.5, trials=1, memory=50_000_000).trials[0]
    mixed = result.model_copy(update={"trials": (slow, *result.trials[1:])})
    point = judge_point(mixed, Bounds())
    assert point.throughput.value == pytest.approx(2000, rel=0.02)
    assert point.throughput.trials == 3
    assert point.memory.value == 70_000_000
    alone = judge_point(result.model_copy(update={"trials": (slow,)}), Bounds())
    assert alone.throughput.value == pytest.approx(500, rel=0.03)
    assert alone.throughput.low is None


def test_best_and_knee_without_bounds() -> None:
    document = judge_run(run_with(), curve(servers=2))
    (found,) = document.curves
    knee = found.point(found.knee)
    assert knee is not None and knee.concurrency == 2
    assert found.point(found.best).throughput.value == pytest.approx(2000, rel=0.02)
    assert document.exit_code == 0


@pytest.mark.parametrize(
    ("bounds", "best", "exit_code"),
    [
        ({"max_latency_s": 1.5e-3}, 2, 0),
        ({"max_latency_s": 2.5e-3, "latency_metric": "p50"}, 4, 0),
        ({"max_latency_s": 0.5e-3}, None, 3),
        ({"max_memory": 125_000_000}, 2, 0),
        ({"max_memory": 1}, None, 3),
    ],
)
def test_bounds_choose_the_best_point(bounds: dict, best: int | None, exit_code: int) -> None:
    # Throughput still grows a little from level to level: without a bound the highest would be best.
    results = [
        make_loaded("ort", level, servers=servers, rounds=5)
        for level, servers in ((1, 1), (2, 1.9), (4, 2.0), (8, 2.1))
    ]
    document = judge_run(run_with(**bounds), results)
    point = document.curves[0].point(document.curves[0].best)
    assert (point.concurrency if point else None) == best
    assert document.exit_code == exit_code
    if best is None:
        assert "No point keeps the bounds" in document.headline


def test_a_latency_that_is_not_known_never_keeps_a_bound() -> None:
    few = make_loaded("ort", 1, service_ns=100_000_000)
    document = judge_run(run_with(max_latency_s=10.0), [few])
    (point,) = document.curves[0].points
    assert (point.kept, document.curves[0].best, document.exit_code) == ("unsure", None, 3)
    assert "raise --budget" in point.rejected


def test_verdicts_at_the_best_points_and_at_equal_load() -> None:
    results = [*curve("ort", servers=2, trials=4), *curve("torch", servers=1, trials=4)]
    document = judge_run(run_with(), results)
    at_best = next(pair for pair in document.pairs if pair.at == "best points")
    assert at_best.verdict == "faster" and at_best.ratio.value == pytest.approx(2, rel=0.05)
    equal = {pair.at: pair.verdict for pair in document.pairs}
    assert equal["1 in flight, batch 1, 1 thread"] in ("same", "unsettled")
    assert equal["4 in flight, batch 1, 1 thread"] == "faster"
    assert document.headline.startswith("ort:") and "the most of all" in document.headline


def test_a_verdict_needs_trials() -> None:
    results = [*curve("ort", servers=2, trials=1), *curve("torch", servers=1, trials=1)]
    assert {pair.verdict for pair in judge_run(run_with(), results).pairs} == {"unsettled"}


def test_a_wrong_engine_is_never_best() -> None:
    wrong = [r.model_copy(update={"parity": make_parity("fail")}) for r in curve("torch", servers=8)]
    document = judge_run(run_with(), [*curve("ort"), *wrong])
    assert [bool(c.best) for c in document.curves] == [True, False]
    assert document.exit_code == 1
    assert judge_run(run_with(), wrong).exit_code == 3


def test_points_before_a_crash_count_and_the_crash_is_kept() -> None:
    ort = curve("ort")[:2]
    broken = make_failure("ort", case=curve("ort")[2].case)
    document = judge_run(run_with(), [*ort, broken])
    point = document.curves[0].points[-1]
    assert (point.status, point.kept, point.rejected) == ("crashed", "no", "the worker died of SIGSEGV")
    assert document.curves[0].best is not None
    assert document.exit_code == 0


def test_interrupted_and_empty_runs() -> None:
    assert judge_run(run_with(), curve(), interrupted=True).exit_code == 130
    assert judge_run(run_with(), []).exit_code == 3

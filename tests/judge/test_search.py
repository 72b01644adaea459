"""The search on simulated engines whose best point is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.judge.load.search import Limits, Point, Seen, next_points

S = 0.01


def servers(count: int, collapse: float = 0.0) -> Callable[[Point], tuple[float, float]]:
    """Throughput and latency of `count` servers; behind them each request takes `collapse` of the throughput."""

    def truth(point: Point) -> tuple[float, float]:
        rate = min(point.concurrency, count) / S
        rate *= max(0.05, 1 - collapse * max(0, point.concurrency - count))
        return rate, point.concurrency / rate

    return truth


def search(
    truth: Callable[[Point], tuple[float, float]],
    limits: Limits,
    *,
    noise: float = 0.0,
    seed: int = 0,
    max_latency: float = float("inf"),
    breaks_at: int = 1000,
) -> dict[Point, Seen]:
    random = np.random.default_rng(seed)
    seen: dict[Point, Seen] = {}
    for _ in range(100):
        points = next_points(list(seen.values()), limits)
        if not points:
            return seen
        for point in points:
            assert point not in seen, "the search asks twice"
            rate, latency = truth(point)
            rate *= float(np.exp(random.normal(0, noise)))
            if point.concurrency >= breaks_at:
                seen[point] = Seen(point, None, "crashed", broke=True)
            else:
                seen[point] = Seen(point, rate, "latency" if latency > max_latency else "")
    raise AssertionError("the search does not end")


def best(seen: dict[Point, Seen]) -> Point:
    return max((s for s in seen.values() if not s.rejected), key=lambda s: s.throughput or 0).point


WIDE = Limits((1,), (1,), cores=64)


@pytest.mark.parametrize("count", [1, 2, 5, 11, 24, 60])
def test_a_plateau_is_found_and_not_walked_along(count: int) -> None:
    seen = search(servers(count), WIDE)
    assert seen[best(seen)].throughput == pytest.approx(count / S, rel=0.05)
    assert max(point.concurrency for point in seen) <= min(128, 8 * count)
    assert len(seen) <= 9


@pytest.mark.parametrize("count", [3, 5, 6, 11, 13, 27])
def test_a_peak_before_a_collapse_is_narrowed_down(count: int) -> None:
    seen = search(servers(count, collapse=0.1), WIDE)
    assert seen[best(seen)].throughput == pytest.approx(count / S, rel=0.13)
    assert len(seen) <= 16


@pytest.mark.parametrize("seed", range(40))
def test_noise_neither_stops_the_search_early_nor_sends_it_astray(seed: int) -> None:
    truth = servers(12, collapse=0.05)
    seen = search(truth, WIDE, noise=0.03, seed=seed)
    assert truth(best(seen))[0] > 0.85 * 12 / S
    assert len(seen) <= 20


@pytest.mark.parametrize("bound", [0.012, 0.025, 0.035, 0.052, 0.1, 0.3])
def test_a_latency_bound_that_excludes_the_top(bound: float) -> None:
    """Two servers: latency is N S / 2 beyond two requests; the largest N within the bound has to be found."""

    def truth(point: Point) -> tuple[float, float]:
        rate = point.concurrency / S / (1 + 0.2 * point.concurrency)  # grows for ever, ever more slowly
        return rate, point.concurrency / rate

    seen = search(truth, WIDE, max_latency=bound)
    allowed = max(n for n in range(1, 129) if truth(Point(1, 1, n))[1] <= bound)
    assert truth(best(seen))[0] > 0.95 * truth(Point(1, 1, allowed))[0]
    assert truth(best(seen))[1] <= bound


def test_nothing_meets_a_bound_that_cannot_be_met() -> None:
    seen = search(servers(2), WIDE, max_latency=0.001)
    assert list(seen) == [Point(1, 1, 1)]
    assert all(each.rejected for each in seen.values())


def test_points_before_a_crash_are_kept_and_none_behind_it_is_tried() -> None:
    seen = search(servers(16), WIDE, breaks_at=4)
    assert {point.concurrency for point in seen} == {1, 2, 3, 4}
    assert best(seen) == Point(1, 1, 3)
    asked = search(servers(16), Limits((1,), (1,), 64, levels=(1, 4, 8)), breaks_at=4)
    assert {point.concurrency for point in asked} == {1, 4}


def test_asked_levels_are_all_looked_at_even_beyond_a_latency_bound() -> None:
    seen = search(servers(2), Limits((1, 2), (1,), 2, levels=(4, 1, 8)), max_latency=0.015)
    assert {(p.batch, p.concurrency) for p in seen} == {(b, n) for b in (1, 2) for n in (1, 4, 8)}


def test_threads_times_concurrency_keep_to_the_cores() -> None:
    limits = Limits((1,), (1, 2, 4), cores=4)
    seen = search(lambda point: (100.0 * point.concurrency * point.threads, 0.01), limits)
    assert max(point.threads * point.concurrency for point in seen) == 8
    assert Limits((1,), (1,), cores=4, instances=4).most(1) == 2
    assert Limits((1,), (1,), cores=4, on_device=True).most(4) == 64


def test_only_promising_settings_are_narrowed_down() -> None:
    def truth(point: Point) -> tuple[float, float]:
        rate, latency = servers(5, collapse=0.1)(point)
        return (rate, latency) if point.batch == 8 else (rate / 10, latency)

    seen = search(truth, Limits((1, 8), (1,), 64))
    assert best(seen) == Point(8, 1, 5)
    assert all(p.concurrency in (1, 2, 4, 8, 16) for p in seen if p.batch == 1)

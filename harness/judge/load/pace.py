"""How long a window of a closed loop is, which points are measured again, and in how many rounds. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.judge.load.search import Point, Seen

SHORTEST_S = 0.3
LONGEST_S = 3.0
CALLS_IN_WINDOW = 25
"""Latencies that a window holds for each request: the one cut off at either edge weighs little then."""

WARM_CALLS = 3
SHORTEST_WARM_S = 0.05

SEARCH_SHARE = 0.4
"""Share of the budget that the search may take before what was found is measured."""

MIN_ROUNDS = 2
MOST_ROUNDS = 20
MOST_POINTS = 8
"""Points of one contender that are measured again."""


def window_s(latency_s: float) -> float:
    """Length of a window whose requests take `latency_s`."""
    return min(LONGEST_S, max(SHORTEST_S, CALLS_IN_WINDOW * latency_s))


def warm_s(latency_s: float) -> float:
    """Ramp-up before a window: every request has been started again some times."""
    return min(LONGEST_S, max(SHORTEST_WARM_S, WARM_CALLS * latency_s))


def rounds_that_fit(left_s: float, trials: int, startup_s: float, round_s: float) -> int:
    """Rounds of each of `trials` more trials, at least `MIN_ROUNDS` whether they fit or not."""
    fitting = int((left_s / max(1, trials) - startup_s) / max(round_s, 1e-9))
    return max(MIN_ROUNDS, min(MOST_ROUNDS, fitting))


def points_to_measure(
    seen: Sequence[Seen], others: Sequence[Sequence[Seen]], asked: bool
) -> tuple[Point, ...]:
    """The points of one contender that get trials: the curve of its best setting, and the best of `others`' settings.

    Points that broke the engine are left out; all others are in when they were `asked` for one by one. Where a curve
    is longer than `MOST_POINTS`, those furthest from its best point go first, never the single request.
    """
    runs = [each for each in seen if not each.broke and each.throughput]
    if asked:
        return tuple(sorted(each.point for each in runs))
    settings = {found for group in (seen, *others) if (found := best_setting(group)) is not None}
    chosen: list[Point] = []
    for setting in sorted(settings):
        curve = [each for each in runs if (each.point.batch, each.point.threads) == setting]
        if not curve:
            continue
        top = _best(curve).point.concurrency
        curve.sort(key=lambda each: (each.point.concurrency != 1, abs(each.point.concurrency - top)))
        chosen += [each.point for each in curve[:MOST_POINTS]]
    return tuple(sorted(set(chosen)))


def best_setting(seen: Sequence[Seen]) -> tuple[int, int] | None:
    """Batch and threads of the best point under the bounds; of the best at all when none keeps them."""
    runs = [each for each in seen if not each.broke and each.throughput]
    if not runs:
        return None
    best = _best(runs).point
    return best.batch, best.threads


def _best(runs: Sequence[Seen]) -> Seen:
    good = [each for each in runs if not each.rejected] or list(runs)
    return max(good, key=lambda each: each.throughput or 0.0)


def search_time_left(spent_s: float, budget_s: float) -> bool:
    """Whether the search may go on."""
    return spent_s < SEARCH_SHARE * budget_s


def round_seconds(latencies_s: Mapping[object, float]) -> float:
    """Length of one round over points with these latencies, with what lies between windows."""
    return sum(window_s(value) + warm_s(value) + 0.1 for value in latencies_s.values())

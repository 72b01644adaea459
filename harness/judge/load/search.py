"""Where to look for the best throughput: batch × threads × concurrency, by doubling and then narrowing down.

Pure functions of what was seen. More requests never need less memory or wait less, so that a level that broke a bound
or the engine closes all higher ones of its setting. Throughput rises to a plateau and may collapse behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GAIN = 0.05
"""A higher level is worth having when its throughput is larger by this share."""

COLLAPSE = 0.15
"""A level whose throughput lies this share below the best is behind the peak, whatever the noise."""

CLOSE = 8
"""Levels that differ by less than one part in this are not told apart."""

PROMISING = 0.15
"""Settings whose best lies this share below the best of all are not narrowed down."""

OVERSUBSCRIBED = 2
"""Threads × concurrency reach up to this many times the cores: the plateau must be seen to be called one."""

MOST_ON_DEVICE = 64


@dataclass(frozen=True, order=True)
class Point:
    """One load on one setting."""

    batch: int
    threads: int
    concurrency: int


@dataclass(frozen=True)
class Seen:
    """What a point gave: items per second, or why it does not count."""

    point: Point
    throughput: float | None
    rejected: str = ""
    """Why it cannot be the best; empty when it can."""
    broke: bool = False
    """It could not be run at all: the engine crashed, hung, ran out of memory."""


@dataclass(frozen=True)
class Limits:
    """Where to look. `levels` empty: the search chooses them."""

    batches: tuple[int, ...]
    threads: tuple[int, ...]
    cores: int
    levels: tuple[int, ...] = ()
    instances: int = 1
    on_device: bool = False
    """The work is not done by the cores, which then do not limit it."""

    def most(self, threads: int) -> int:
        """Highest concurrency of a search with so many threads."""
        if self.on_device:
            return MOST_ON_DEVICE
        return max(1, OVERSUBSCRIBED * self.cores // (threads * self.instances))


def next_points(seen: Sequence[Seen], limits: Limits) -> tuple[Point, ...]:
    """The points to look at next, lowest concurrency first in each setting; empty when the search is over."""
    by_setting: dict[tuple[int, int], dict[int, Seen]] = {
        (batch, threads): {} for batch in limits.batches for threads in limits.threads
    }
    for each in seen:
        by_setting.setdefault((each.point.batch, each.point.threads), {})[each.point.concurrency] = each
    if limits.levels:
        return _asked(by_setting, limits.levels)
    rising = [
        Point(batch, threads, level)
        for (batch, threads), levels in by_setting.items()
        if (level := _doubled(levels, limits.most(threads))) is not None
    ]
    if rising:
        return tuple(rising)
    top = max((_best(levels) for levels in by_setting.values()), default=0.0)
    return tuple(
        Point(batch, threads, level)
        for (batch, threads), levels in by_setting.items()
        if _best(levels) > 0 and _best(levels) >= (1 - PROMISING) * top
        for level in _between(levels)
    )


def _asked(
    by_setting: Mapping[tuple[int, int], Mapping[int, Seen]], wanted: Sequence[int]
) -> tuple[Point, ...]:
    """The lowest level that is missing in each setting, unless a lower one broke the engine."""
    points = []
    for (batch, threads), levels in by_setting.items():
        broken = min((level for level, each in levels.items() if each.broke), default=None)
        left = sorted(set(wanted) - set(levels))
        if left and (broken is None or left[0] < broken):
            points.append(Point(batch, threads, left[0]))
    return tuple(points)


def _doubled(levels: Mapping[int, Seen], most: int) -> int | None:
    """The next level of doubling; None when it is of no use."""
    if not levels:
        return 1
    top = max(levels)
    if top >= most or any(each.rejected for each in levels.values()) or _over_the_top(levels):
        return None
    return min(2 * top, most)


def _over_the_top(levels: Mapping[int, Seen]) -> bool:
    """Whether two levels in a row brought nothing, or the last one is far below the best."""
    ordered = [levels[level].throughput or 0.0 for level in sorted(levels)]
    if len(ordered) > 1 and ordered[-1] < (1 - COLLAPSE) * max(ordered):
        return True
    return len(ordered) > 2 and max(ordered[-2:]) <= (1 + GAIN) * max(ordered[:-2])


def _best(levels: Mapping[int, Seen]) -> float:
    return max((each.throughput or 0.0 for each in levels.values() if not each.rejected), default=0.0)


def _between(levels: Mapping[int, Seen]) -> tuple[int, ...]:
    """Levels half-way to the neighbours of the best one, where something better may lie."""
    good = {level: each.throughput or 0.0 for level, each in levels.items() if not each.rejected}
    if not good:
        return ()
    best = max(good, key=lambda level: (good[level], -level))
    above = min((level for level in levels if level > best), default=None)
    below = max((level for level in levels if level < best), default=None)
    found = []
    falls = above is not None and (bool(levels[above].rejected) or good[above] < good[best] / (1 + GAIN))
    # On a plateau nothing better lies between; at a peak or below a bound it may, on either side.
    if above is not None and falls and above - best > max(1, best // CLOSE):
        found.append((best + above) // 2)
    peak = above is not None and not levels[above].rejected and falls
    if below is not None and peak and best - below > max(1, best // CLOSE):
        found.append((below + best) // 2)
    return tuple(sorted(found))

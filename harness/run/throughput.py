"""Measures closed loops: a search in one trial, then the points found in trials of random rounds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.judge.load.pace import (
    points_to_measure,
    round_seconds,
    rounds_that_fit,
    search_time_left,
    warm_s,
    window_s,
)
from harness.judge.load.search import Point, Seen, next_points
from harness.plan.throughput import ThroughputPlan
from harness.records import ContenderRef, Round, VariantRef
from harness.run.canary import CanaryBird
from harness.run.group import build_folder
from harness.run.loaded import LoadedContender
from harness.run.models import ReadyModel
from harness.run.observer import Observer

Setting = tuple[int, int]
"""Batch and threads."""

SWEEPS = 2
"""Sweeps of the search that are made however late it is."""

AGAIN = 1.5
"""A latency that breaks its bound by less than this factor in a single window is looked at once more."""


@dataclass
class Searched:
    """One contender: its workers by setting, and what was seen of it."""

    ref: ContenderRef
    loaded: dict[Setting, LoadedContender]
    seen: dict[Point, Seen] = field(default_factory=dict)
    latency_s: dict[Point, float] = field(default_factory=dict)
    chosen: tuple[Point, ...] = ()

    def worker_of(self, point: Point) -> LoadedContender:
        """The worker that runs this point."""
        return self.loaded[point.batch, point.threads]


class ThroughputRunner:
    """Runs one plan. `contenders` holds what was measured, at any time; leaves no process behind."""

    def __init__(
        self,
        plan: ThroughputPlan,
        models: Mapping[int, ReadyModel],
        memory_limit: int | None,
        observer: Observer,
    ) -> None:
        self.plan = plan
        self.stop_reason = ""
        self._observer = observer
        self._random = np.random.default_rng(plan.settings.seed)
        self._folder = build_folder()
        self._rounds = 0
        self._begin = 0.0
        self.contenders = [
            Searched(ref, self._workers(ref, number, models, memory_limit))
            for number, ref in enumerate(plan.contenders)
        ]

    def _workers(
        self, ref: ContenderRef, number: int, models: Mapping[int, ReadyModel], memory_limit: int | None
    ) -> dict[Setting, LoadedContender]:
        limits, workers = self.plan.limits, {}
        for batch in limits.batches:
            for threads in limits.threads:
                variant = VariantRef(batch=batch, threads=threads, dims=dict(self.plan.dims))
                folder = self._folder / f"{number}-{batch}-{threads}"
                one = LoadedContender(ref, variant, models[batch], self.plan.settings, folder, memory_limit)
                one.instances, one.pinned = limits.instances, self.plan.pinned
                workers[batch, threads] = one
        return workers

    def measure(self) -> None:
        """Search, then measure what was found."""
        self._begin = time.monotonic()
        try:
            with CanaryBird(self._observer) as canary:
                startup_s = self._start(0, [w for c in self.contenders for w in c.loaded.values()])
                self._search(canary)
                self._end()
                self._measure(canary, startup_s)
        finally:
            for contender in self.contenders:
                for worker in contender.loaded.values():
                    worker.abandon()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, trial: int, workers: list[LoadedContender]) -> float:
        """Start the workers of a trial; returns the seconds it took."""
        begin = time.monotonic()
        for place in self._random.permutation(len(workers)):
            worker = workers[place]
            if worker.failure is None:
                self._tell(f"trial {trial + 1}: starting {worker.ref.text}")
                worker.start_trial(trial)
        return time.monotonic() - begin

    def _end(self) -> None:
        for contender in self.contenders:
            for worker in contender.loaded.values():
                if worker.alive:
                    worker.end_trial()

    def _search(self, canary: CanaryBird) -> None:
        """Look at points until none is left to look at, or the search's share of the time is spent.

        The first sweeps are made in any case: without them there is nothing to measure.
        """
        begin, sweeps = time.monotonic(), 0
        while True:
            wanted = [(c, point) for c in self.contenders for point in self._next(c)]
            if not wanted:
                return
            spent_s = time.monotonic() - begin
            late = sweeps >= SWEEPS and not search_time_left(spent_s, self.plan.settings.budget_s)
            if late and not self.plan.limits.levels:
                self._observer.say(
                    "The search ended with its share of the time: higher loads may be better (--budget)."
                )
                return
            song = canary.sing()
            for place in self._random.permutation(len(wanted)):
                contender, point = wanted[place]
                self._look(contender, point, song)
            self._rounds += 1
            sweeps += 1

    def _next(self, contender: Searched) -> tuple[Point, ...]:
        limits = self.plan.limits_of(contender.ref)
        return tuple(
            point
            for point in next_points(list(contender.seen.values()), limits)
            if contender.worker_of(point).alive
        )

    def _look(self, contender: Searched, point: Point, song: int | None) -> None:
        """One window at a point, in the search."""
        worker = contender.worker_of(point)
        if not worker.alive:
            return
        lower = [n for p, n in contender.latency_s.items() if (p.batch, p.threads) == point_setting(point)]
        latency_s = max(lower, default=worker.sample_s)
        done = self._window(contender, point, 0, song, latency_s)
        if done is None:
            contender.seen[point] = Seen(point, None, "it broke the engine", broke=True)
            failure = worker.broken[point.concurrency]
            self._observer.say(f"{contender.ref.text}, {_words(point)}: {failure.status}: {failure.message}")
            return
        found = self._seen(contender, point, [done])
        if found.rejected and self._nearly(done) and worker.alive:
            self._rounds += 1  # two windows of one point are two rounds
            again = self._window(contender, point, 0, song, contender.latency_s[point])
            found = self._seen(contender, point, [done, again]) if again else found
        contender.seen[point] = found
        rate = (
            f"{found.throughput:.4g} inferences/s" if found.throughput else "no request ended in the window"
        )
        rejected = f" ({found.rejected})" if found.rejected else ""
        self._tell(f"{contender.ref.text}, {_words(point)}: {rate}{rejected}")

    def _seen(self, contender: Searched, point: Point, rounds: list[Round]) -> Seen:
        """What the windows of a point say, the best of them: a single disturbed one must not close a level."""
        bounds = self.plan.bounds
        counts = [len(one.samples_ns) for one in rounds]
        if not max(counts):
            contender.latency_s[point] = 4 * window_s(contender.latency_s.get(point, 1.0))
            return Seen(point, None, "no request ended in the window")
        contender.latency_s[point] = (
            min(float(np.median(one.samples_ns)) for one in rounds if one.samples_ns) * 1e-9
        )
        throughput = max(
            point.batch * len(one.samples_ns) / (one.window.window_ns * 1e-9) for one in rounds if one.window
        )
        rejected = ""
        tail = min(self._tail(one) for one in rounds if one.samples_ns)
        sizes = [one.window.memory for one in rounds if one.window and one.window.memory is not None]
        if bounds.max_latency_s is not None and tail > bounds.max_latency_s:
            rejected = f"{bounds.latency_metric} {tail * 1e3:.4g} ms"
        if bounds.max_memory is not None and sizes and min(sizes) > bounds.max_memory:
            rejected = f"memory {min(sizes) / 2**20:.4g} MiB"
        return Seen(point, throughput, rejected)

    def _tail(self, one: Round) -> float:
        share = {"p50": 0.5, "p90": 0.9, "p99": 0.99}[self.plan.bounds.latency_metric]
        return float(np.quantile(one.samples_ns, share)) * 1e-9

    def _nearly(self, one: Round) -> bool:
        bound = self.plan.bounds.max_latency_s
        return bound is not None and bool(one.samples_ns) and self._tail(one) < AGAIN * bound

    def _measure(self, canary: CanaryBird, startup_s: float) -> None:
        """Trials of rounds over all chosen points, in random order, one running while all others stand still."""
        settings = self.plan.settings
        for contender in self.contenders:
            others = [list(c.seen.values()) for c in self.contenders if c is not contender]
            seen = list(contender.seen.values())
            contender.chosen = points_to_measure(seen, others, bool(self.plan.limits.levels))
        points = [(c, point) for c in self.contenders for point in c.chosen]
        if not points:
            self.stop_reason = "there was nothing to measure"
            return
        used = {id(c.worker_of(p)): c.worker_of(p) for c, p in points}
        share = len(used) / max(1, sum(len(c.loaded) for c in self.contenders))
        round_s = round_seconds({(c.ref.text, p): c.latency_s[p] for c, p in points})
        for trial in range(1, settings.max_trials + 1):
            left_s = settings.budget_s - self._spent()
            if trial > settings.min_trials and left_s < startup_s * share + 2 * round_s:
                self.stop_reason = "the time budget is used up"
                return
            startup_s = self._start(trial, list(used.values())) / share
            rounds = rounds_that_fit(
                settings.budget_s - self._spent(),
                max(1, settings.min_trials - trial + 1),
                startup_s * share if trial < settings.min_trials else 0.0,
                round_s,
            )
            for number in range(rounds):
                self._round(canary, points)
                self._tell(f"trial {trial}: round {number + 1} of {rounds}")
            self._end()
        self.stop_reason = f"{settings.max_trials} trials are done"

    def _round(self, canary: CanaryBird, points: list[tuple[Searched, Point]]) -> None:
        song = canary.sing()
        for position, place in enumerate(self._random.permutation(len(points))):
            contender, point = points[place]
            worker = contender.worker_of(point)
            if worker.alive and point.concurrency not in worker.broken:
                done = self._window(contender, point, position, song, contender.latency_s[point])
                if done is None:
                    failure = worker.broken[point.concurrency]
                    words = f"{contender.ref.text}, {_words(point)}: {failure.status}: {failure.message}"
                    self._observer.say(words)
        self._rounds += 1

    def _window(
        self, contender: Searched, point: Point, position: int, song: int | None, latency_s: float
    ) -> Round | None:
        load = self.plan.load(point.concurrency)
        warm_ns, window_ns = int(warm_s(latency_s) * 1e9), int(window_s(latency_s) * 1e9)
        return contender.worker_of(point).run_window(load, self._rounds, position, song, warm_ns, window_ns)

    def _spent(self) -> float:
        return time.monotonic() - self._begin

    def _tell(self, text: str) -> None:
        budget_s = self.plan.settings.budget_s
        self._observer.progress(min(self._spent(), budget_s), budget_s, text)


def point_setting(point: Point) -> Setting:
    """Batch and threads of a point."""
    return point.batch, point.threads


def _words(point: Point) -> str:
    return f"batch {point.batch}, threads {point.threads}, {point.concurrency} in flight"

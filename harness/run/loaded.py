"""One contender on one setting (batch × threads) under load: its worker, or several instances of it."""

from __future__ import annotations

import contextlib
import heapq
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from harness.environment.memory import memory_of
from harness.records import Load, Parity, Round, Trial, Window
from harness.run.contender import ContenderRun, steal_seconds
from harness.run.opening import give_feeds, open_engine
from harness.run.trial_state import TrialState
from harness.run.worker import Worker, WorkerFailure
from harness.worker.channel import Message

LEAD_NS = 20_000_000
"""Between telling several instances and the begin of their common ramp-up."""


class LoadedContender(ContenderRun):
    """A contender whose worker keeps requests in flight. A level that breaks it ends this trial, not the contender."""

    instances: int = 1
    pinned: bool = False
    """Every instance has cores of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.broken: dict[int, WorkerFailure] = {}
        """Concurrency -> what ended it."""
        self.points: dict[int, list[tuple[Trial, Parity]]] = {}
        """Concurrency -> its trials, with its own rounds alone."""
        self._more: list[Worker] = []
        self._windows: dict[int, list[Round]] = {}
        self._drifts: dict[int, float] = {}

    def _start(self, index: int) -> None:
        self._windows, self._drifts = {}, {}
        with self._on_own_cores(0):
            super()._start(index)
        for number in range(1, self.instances):
            with self._on_own_cores(number):
                self._start_another()

    def _start_another(self) -> None:
        limit = self.settings.deadline_s
        worker = Worker(self.ref.text, threads=self.variant.threads, memory_limit=self.memory_limit)
        self._more.append(worker)
        worker.request("hello", deadline_s=limit, phase="start")
        open_engine(worker, self.ref, self.variant, self.model.source, limit)
        worker.request("load", {"artefact": self.artefact}, deadline_s=limit)
        for name, feeds in self.model.feeds.items():
            give_feeds(worker, name, feeds, limit)
            reply = worker.request("outputs", {"set": name}, deadline_s=limit)
            for fd in reply.fds:
                os.close(fd)
        worker.freeze()

    @contextlib.contextmanager
    def _on_own_cores(self, number: int) -> Iterator[None]:
        """What is started inside inherits its share of the cores."""
        if not self.pinned:
            yield
            return
        cores = sorted(os.sched_getaffinity(0))
        share = len(cores) // self.instances
        os.sched_setaffinity(0, cores[number * share : (number + 1) * share])
        try:
            yield
        finally:
            os.sched_setaffinity(0, cores)

    def run_window(
        self, load: Load, index: int, position: int, canary_ns: int | None, warm_ns: int, window_ns: int
    ) -> Round | None:
        """Thaw, keep the load for `window_ns` after `warm_ns`, freeze, keep what was measured.

        None when it broke: the point is in `broken`, and the trial is over.
        """
        assert self._worker is not None and self._state is not None
        everyone = [self._worker, *self._more]
        stolen = steal_seconds()
        try:
            replies, ceiling_per_s = self._measure(everyone, load, warm_ns, window_ns)
            memory = _memory(everyone)
            for worker in everyone:
                worker.freeze()
        except WorkerFailure as failure:
            self.broken[load.concurrency] = failure
            self._close_broken()
            return None
        ends, latencies = _merged(replies)
        drifts = [reply.head["drift"] for reply in replies if reply.head["drift"] is not None]
        if drifts:
            self._drifts[load.concurrency] = max([*drifts, self._drifts.get(load.concurrency, 0.0)])
        after = steal_seconds()
        done = Round(
            index=index,
            position=position,
            input_set="all in turn",
            samples_ns=latencies,
            canary_ns=canary_ns,
            cpu_s=sum(reply.head["cpu_ns"] for reply in replies) * 1e-9,
            steal_s=None if stolen is None or after is None else after - stolen,
            window=Window(window_ns=window_ns, ends_ns=ends, ceiling_per_s=ceiling_per_s, memory=memory),
        )
        self._windows.setdefault(load.concurrency, []).append(done)
        return done

    def _measure(
        self, everyone: Sequence[Worker], load: Load, warm_ns: int, window_ns: int
    ) -> tuple[list[Message], float]:
        deadline_s = self.settings.deadline_s + (warm_ns + window_ns) * 1e-9
        asked = {
            "count": load.concurrency,
            "queue": load.way == "queue",
            "sets": list(self.model.feeds),
            "processing": self.model.processing.request()
            if load.pipeline and self.model.processing
            else None,
        }
        for worker in everyone:
            worker.thaw()
        phase = f"{load.concurrency} in flight"
        ceiling_per_s = sum(
            float(worker.request("requests", asked, deadline_s=deadline_s, phase=phase).head["ceiling_per_s"])
            for worker in everyone
        )
        begin = time.perf_counter_ns() + LEAD_NS + warm_ns if len(everyone) > 1 else None
        head = {"begin_ns": begin, "warm_ns": warm_ns, "window_ns": window_ns}

        def ask(worker: Worker) -> Message:
            return worker.request("window", head, deadline_s=deadline_s, phase=phase)

        if len(everyone) == 1:
            return [ask(everyone[0])], ceiling_per_s
        with ThreadPoolExecutor(len(everyone)) as together:
            return list(together.map(ask, everyone)), ceiling_per_s

    def end_trial(self, *, whole: bool = True, fresh: bool | None = None) -> None:
        """End the workers and keep the trial of every point with its parity."""
        state, before = self._state, len(self.trials)
        super().end_trial(whole=False, fresh=whole)
        self._end_more()
        if state is not None and len(self.trials) > before:
            self._keep(self.trials[-1], state)

    def abandon(self) -> None:
        """Kill the workers without keeping the trial that is running."""
        for worker in self._more:
            worker.kill()
        self._end_more()
        super().abandon()

    def _close_broken(self) -> None:
        """The workers are in no known state: kill them, keep what the other points of this trial gave."""
        state = self._state
        self.abandon()
        if state is not None:
            self._keep(state.finish(None), state)

    def _keep(self, trial: Trial, state: TrialState) -> None:
        for concurrency, rounds in self._windows.items():
            seen = [value for value in (self._drifts.get(concurrency), state.drift) if value is not None]
            drift = max(seen, default=None)
            own = trial.model_copy(update={"rounds": tuple(rounds), "timed_drift": drift})
            parity = self._judge_parity(replace(state, drift=drift))
            self.points.setdefault(concurrency, []).append((own, parity))
        self._windows, self._drifts = {}, {}

    def _end_more(self) -> None:
        for worker in self._more:
            worker.end()
        self._more = []


def _memory(everyone: Sequence[Worker]) -> int | None:
    uses = [memory_of(worker.pid).value for worker in everyone]
    return sum(use.total for use in uses if use) if all(uses) else None


def _merged(replies: Sequence[Message]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ends and latencies of all instances, in order of completion."""
    lists = []
    for reply in replies:
        both = array("q", reply.payload)
        count = reply.head["count"]
        lists.append(list(zip(both[count:], both[:count], strict=True)))
    pairs = list(heapq.merge(*lists))
    return tuple(end for end, _ in pairs), tuple(latency for _, latency in pairs)

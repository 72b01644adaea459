"""Measures one ceiling: every way of reaching it is tried once, and the best few again in interleaved rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from backends.ceilings import Size
from harness.environment.own_time import own_cpu_s
from harness.environment.pressure import between, snapshot
from harness.judge.ceiling import block_rate, doubts, finalists, is_settled
from harness.records import Machine
from harness.records.work import Ceiling, Tried
from harness.run.canary import CanaryBird
from harness.run.jobs import ask_job
from harness.run.observer import Observer
from harness.run.worker import Worker, WorkerFailure

DEADLINE_S = 60.0
TRY_S = 0.1
BLOCK_S = 0.08
MAX_ROUNDS = 30
BUDGET_S = 6.0
"""Seconds of rounds, after which a rate that was not confirmed is called unsettled."""
_HOPELESS = 0.3
"""A library below this share of the best on one size is not tried on the next, which is larger."""


@dataclass(frozen=True)
class Way:
    """One way of reaching a ceiling: a stream over arrays of `array_bytes`, or a product of `size`."""

    implementation: str
    precision: str = "fp32"
    size: Size | None = None
    stream: str = ""
    array_bytes: int = 0

    @property
    def kernel(self) -> str:
        """What is computed, in words."""
        if self.size is None:
            return f"{self.stream} of {self.array_bytes // 2**20} MiB arrays"
        if self.size[0] == 1:
            return f"{self.precision} vector times a {self.size[2]}×{self.size[1]} matrix"
        return f"{self.precision} product {'×'.join(map(str, self.size))}"

    @property
    def key(self) -> str:
        """Unique among all ways."""
        return f"{self.implementation} {self.kernel}"


class NoCeilingError(Exception):
    """No way of reaching it works here; the message says why."""


class Bench:
    """Workers with one library each, all frozen but the one at work. Use as a context manager."""

    def __init__(self, threads: int, device: str) -> None:
        self._threads = threads
        self._device = device
        self._workers: dict[str, Worker] = {}
        self._amounts: dict[str, int] = {}
        self._versions: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()

    def prepare(self, way: Way, measured: Literal["operations", "moved"]) -> None:
        """Make the kernel ready. Raises WorkerFailure where this library has none."""
        answer = self._ask(way, "prepare", precision=way.precision, size=way.size, stream=way.stream)
        self._amounts[way.key] = answer[measured]
        self._versions[way.implementation] = answer["version"]

    def rate(self, way: Way, seconds: float) -> float:
        """Operations or bytes a second of one block."""
        answer = self._ask(way, "block", seconds=seconds, calls=3)
        return block_rate(self._amounts[way.key], answer["ns"])

    def drop(self, way: Way) -> None:
        """Free the kernel's arrays."""
        self._ask(way, "drop")

    def version(self, way: Way) -> str:
        """Name and version of the library."""
        return f"{way.implementation} {self._versions[way.implementation]}"

    def _ask(self, way: Way, job: str, **more: Any) -> dict[str, Any]:
        worker = self._workers.get(way.implementation)
        if worker is None:
            worker = Worker(f"ceiling by {way.implementation}", threads=self._threads)
            self._workers[way.implementation] = worker
        worker.thaw()
        arguments = {
            "key": way.key,
            "implementation": way.implementation,
            "array_bytes": way.array_bytes,
            "threads": self._threads,
            "device": self._device,
            **more,
        }
        try:
            answer, _ = ask_job(
                worker,
                f"harness.worker.ceiling:{job}",
                arguments,
                deadline_s=DEADLINE_S,
                phase=f"{job} {way.key}",
            )
        except WorkerFailure as failure:
            # One that answered with an error lives on; one that died is replaced by the next request.
            if failure.status in ("crashed", "timeout", "out_of_memory"):
                self._workers.pop(way.implementation).end()
            raise
        worker.freeze()
        return answer


def measure(
    ways: Sequence[Way],
    *,
    kind: Literal["compute", "memory"],
    precision: str,
    threads: int,
    device: str,
    machine: Machine,
    observer: Observer,
    clock: Callable[[], float] = time.monotonic,
) -> Ceiling:
    """The best rate of all `ways`, which are ordered by size. Raises NoCeilingError when none of them works."""
    measured: Literal["operations", "moved"] = "operations" if kind == "compute" else "moved"
    before, own_before = snapshot(), own_cpu_s()
    with CanaryBird(observer) as canary, Bench(threads, device) as bench:
        tried = _try_all(bench, ways, measured)
        rates = {way.key: found.rate for way, found in tried.items() if found.rate is not None}
        if not rates:
            raise NoCeilingError("; ".join(dict.fromkeys(t.reason for t in tried.values())))
        best = {name: way for way in tried for name in finalists(rates) if name == way.key}
        rounds: dict[str, list[float]] = {name: [] for name in best}
        songs: list[int] = []
        for way in best.values():
            bench.prepare(way, measured)
        order, end = np.random.default_rng(0), clock() + BUDGET_S
        while not is_settled(_by_round(rounds)) and clock() < end and len(_by_round(rounds)) < MAX_ROUNDS:
            for name in order.permutation(list(best)):
                rounds[name].append(bench.rate(best[name], BLOCK_S))
            songs += [song for song in (canary.sing(),) if song]
        # What was reached once can be reached: the first try counts too.
        reached = {name: max([*rates_of, rates[name]]) for name, rates_of in rounds.items()}
        winner = max(reached, key=lambda name: reached[name])
        implementation = bench.version(best[winner])
    pressure = between(before, snapshot(), own_cpu_s() - own_before)
    settled, rate, typical = is_settled(_by_round(rounds)), reached[winner], median(rounds[winner])
    canary_spread = max(songs) / min(songs) - 1 if songs else None
    return Ceiling(
        kind=kind,
        precision=precision,
        rate=rate,
        typical=typical,
        rounds=len(rounds[winner]),
        implementation=implementation,
        kernel=best[winner].kernel,
        threads=threads,
        device=device,
        settled=settled,
        tried=tuple(_with_rounds(found, rounds.get(way.key)) for way, found in tried.items()),
        canary_spread=canary_spread,
        warnings=doubts(
            settled=settled,
            spread=1 - typical / rate,
            canary_spread=canary_spread,
            pressure=pressure,
            machine=machine,
        ),
    )


def _try_all(bench: Bench, ways: Sequence[Way], measured: Literal["operations", "moved"]) -> dict[Way, Tried]:
    tried: dict[Way, Tried] = {}
    hopeless: set[tuple[str, str]] = set()
    for way in ways:
        told = {"implementation": way.implementation, "kernel": way.kernel}
        if (way.implementation, way.precision) in hopeless:
            tried[way] = Tried(**told, reason="far below the best on a smaller size")
            continue
        try:
            bench.prepare(way, measured)
            rate = bench.rate(way, TRY_S)
            bench.drop(way)
        except WorkerFailure as failure:
            tried[way] = Tried(**told, reason=f"{way.implementation}: {failure.message}")
            continue
        tried[way] = Tried(**told, rate=rate)
        known = [found.rate for found in tried.values() if found.rate is not None]
        if way.size is not None and rate < _HOPELESS * max(known):
            hopeless.add((way.implementation, way.precision))
    return tried


def _by_round(rounds: dict[str, list[float]]) -> list[float]:
    """The best rate of every whole round."""
    return [max(rates) for rates in zip(*rounds.values(), strict=False)]


def _with_rounds(found: Tried, rates: list[float] | None) -> Tried:
    return found.model_copy(update={"rate": max([*rates, found.rate or 0.0])}) if rates else found

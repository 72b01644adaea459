"""Measures the machine's noise: the same work in two identical processes, in rounds, several times anew."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from harness.environment.own_time import own_cpu_s
from harness.environment.threads import usable_cores
from harness.environment.watch import Watch
from harness.records.noise import ClockFacts, NoiseBlock, NoiseSamples, NoiseTrial
from harness.run.jobs import ask_job
from harness.run.observer import Observer
from harness.run.worker import Worker

BLOCK_S = 0.06
LONGEST_BLOCK_NS = 200_000_000
"""A block that a busy machine stretches ends here, so that the measurement ends in time."""
ROUNDS = 6
MIN_ROUNDS = 2
MIN_TRIALS = 3
WARM_CALLS = 50
WARM_NS = 150_000_000
CLOCK_SHARE = 0.1
"""Share of the time in which the clock is watched."""
DISCARD = 1
DEADLINE_S = 60.0


def measure_noise(seconds: float, observer: Observer, *, seed: int = 0) -> NoiseSamples:
    """Measure for about `seconds`, at least `MIN_TRIALS` trials. Raises WorkerFailure when no process can run."""
    begin = time.monotonic()
    watch, cpu_before = Watch(), own_cpu_s()
    threads = usable_cores()
    observer.progress(0.0, seconds, "watching the clock")
    with Worker("clock") as worker:
        facts = _ask(worker, "watch_clock", {"seconds": seconds * CLOCK_SHARE})
    clock = ClockFacts(**{**facts, "longest_ns": tuple(facts["longest_ns"])})
    random = np.random.default_rng(seed)
    trials: list[NoiseTrial] = []
    lasted: list[float] = []
    while len(trials) < MIN_TRIALS or time.monotonic() - begin + statistics.fmean(lasted) <= seconds:
        start = time.monotonic()
        left_s = seconds - (start - begin)
        until = start + left_s / max(1, MIN_TRIALS - len(trials))
        trials.append(_trial(random, threads, begin, until, observer, seconds, len(trials) + 1))
        lasted.append(time.monotonic() - start)
        watch.look()
    pressure = watch.delta(own_cpu_s() - cpu_before)
    return NoiseSamples(time.monotonic() - begin, threads, clock, tuple(trials), pressure)


def _trial(
    random: np.random.Generator,
    threads: int,
    begin: float,
    until: float,
    observer: Observer,
    seconds: float,
    number: int,
) -> NoiseTrial:
    """Two fresh processes; one stands still while the other works, as in a comparison. No new round after `until`."""
    start = time.monotonic()
    with Worker("noise 0") as first, Worker("noise 1") as second:
        workers = (first, second)
        samples = []
        for worker in workers:
            warm = _ask(worker, "warm", {"threads": threads, "calls": WARM_CALLS, "ns": WARM_NS})[
                "samples_ns"
            ]
            worker.freeze()
            samples.append(max(7, round(BLOCK_S * 1e9 / max(1.0, statistics.median(warm[len(warm) // 2 :])))))
        # The same number for both: medians of different numbers of samples differ a little by themselves.
        block = {"threads": threads, "samples": min(samples), "discard": DISCARD, "ns": LONGEST_BLOCK_NS}
        startup_s = time.monotonic() - start
        blocks: list[NoiseBlock] = []
        for index in range(ROUNDS):
            if index >= MIN_ROUNDS and time.monotonic() > until:
                break
            for position, side in enumerate(random.permutation(2).tolist()):
                at_s = time.monotonic() - begin
                workers[side].thaw()
                answer = _ask(workers[side], "block", block)
                workers[side].freeze()
                blocks.append(NoiseBlock(index, side, position, at_s, tuple(answer["samples_ns"])))
            spent = time.monotonic() - begin
            observer.progress(min(spent, seconds), seconds, f"noise: processes {number}, round {index + 1}")
    return NoiseTrial(startup_s, tuple(blocks))


def _ask(worker: Worker, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    answer, _ = ask_job(
        worker, f"harness.worker.noise:{function}", arguments, deadline_s=DEADLINE_S, phase="noise"
    )
    return answer

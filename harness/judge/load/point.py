"""One point of a closed loop: its figures, whether it keeps the bounds, and what makes it doubtful. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from harness.judge.comparison import Estimate
from harness.judge.intervals import NO_INTERVAL, of_values
from harness.judge.pooling import pool
from harness.judge.summary import summarise
from harness.judge.work_done import WorkStatus
from harness.records import Bounds, ParityStatus, Record, Result, Round, Status

NS = 1e-9

LITTLE_TOLERANCE = 0.02
"""How far throughput × mean latency may lie from the requests in flight before the point is doubted."""

CEILING_SHARE = 0.5
"""Share of its own ceiling from which the loop, and not the engine, may be what is measured."""

Kept = Literal["yes", "no", "unsure"]
"""Whether a point keeps a bound: its whole interval does, does not, or lies across it (or is not known)."""


class LoadPoint(Record):
    """One point of a curve: a contender with so many requests in flight."""

    result_id: str
    contender: str
    batch: int
    threads: int
    concurrency: int
    instances: int
    way: Literal["threads", "queue"]
    status: Status
    throughput: Estimate
    """Items (not requests) per second."""
    p50: Estimate
    p90: Estimate
    p99: Estimate
    memory: Estimate
    """Bytes of all instances: the least that was seen after a window of this point."""
    cpu_cores: float | None
    """Cores that the worker's process kept busy."""
    little: float | None
    """Throughput × mean latency / requests in flight (Little's law): 1, unless the loop lost time between requests."""
    ceiling_share: float | None
    """Throughput as a share of what the loop itself could turn over."""
    parity: ParityStatus
    work: WorkStatus = "unknown"
    kept: Kept
    rejected: str = ""
    """Why it is not called best; empty when it may be."""
    doubts: tuple[str, ...] = ()

    @property
    def in_flight(self) -> int:
        """Requests in flight in all instances."""
        return self.concurrency * self.instances

    @property
    def words(self) -> str:
        """The point as people write it."""
        parts = [f"{self.concurrency} in flight", f"batch {self.batch}"]
        parts.append(f"{self.threads} thread{'s' if self.threads != 1 else ''}")
        if self.instances > 1:
            parts.insert(1, f"{self.instances} instances")
        return ", ".join(parts)


def windows(result: Result) -> list[list[Round]]:
    """Rounds of a closed loop with requests in them, by trial."""
    found = [[r for r in trial.rounds if r.window is not None and r.samples_ns] for trial in result.trials]
    return [rounds for rounds in found if rounds]


def without_search(result: Result) -> Result:
    """The result without its first trial, in which the search chose by what it saw, where there are others."""
    later = tuple(trial for trial in result.trials if trial.index > 0)
    return result.model_copy(update={"trials": later}) if later else result


def rate(one: Round) -> float:
    """Requests per second of one window."""
    assert one.window is not None
    return len(one.samples_ns) / (one.window.window_ns * NS)


def judge_point(result: Result, bounds: Bounds) -> LoadPoint:
    """All figures of one point. Raises ValueError for a result that is not of a closed loop."""
    load = result.case.load
    if load is None:
        raise ValueError(f"result {result.id} is not of a closed loop")
    all_rounds = [one for trial in windows(result) for one in trial]
    result = without_search(result)
    summary = summarise(result)
    trials = windows(result)
    rounds = [one for trial in trials for one in trial]
    in_flight = load.concurrency * load.instances
    nothing = summary.reason or "no request ended in any window"
    throughput = _throughput(trials, result, nothing)
    memory = _memory(all_rounds, nothing)
    little = _little(rounds, in_flight)
    share = _ceiling_share(rounds)
    latency = {"p50": summary.p50, "p90": summary.p90, "p99": summary.p99}
    kept, why = keeps(bounds, latency[bounds.latency_metric], memory)
    if not trials:
        kept, why = "no", nothing
    elif summary.work == "fail":
        kept, why = "no", f"its calls do not do the work: {summary.work_words}"
    elif summary.parity == "fail":
        kept, why = "no", f"it computes the wrong thing: {summary.parity_where}"
    elif share is not None and share > CEILING_SHARE:
        kept, why = "no", f"invalid: {share:.0%} of what the loop itself can turn over"
    doubts = [summary.work_words] if summary.work == "doubt" else []
    if little is not None and abs(little - 1) > LITTLE_TOLERANCE:
        doubts.append(
            f"throughput × mean latency is {little:.3f} of the requests in flight (Little's law says 1): "
            "the windows are short for such latencies, or the loop lost time between requests; raise --budget"
        )
    busy = [
        r.cpu_s / (r.window.window_ns * NS) for r in rounds if r.cpu_s is not None and r.window is not None
    ]
    return LoadPoint(
        result_id=result.id,
        contender=result.case.contender.text,
        batch=result.case.variant.batch,
        threads=result.case.variant.threads,
        concurrency=load.concurrency,
        instances=load.instances,
        way=load.way,
        status=result.status,
        throughput=throughput,
        p50=summary.p50,
        p90=summary.p90,
        p99=summary.p99,
        memory=memory,
        cpu_cores=float(np.mean(busy)) if busy else None,
        little=little,
        ceiling_share=share,
        parity=summary.parity,
        work=summary.work,
        kept=kept,
        rejected=why,
        doubts=tuple(doubts),
    )


def keeps(bounds: Bounds, latency: Estimate, memory: Estimate) -> tuple[Kept, str]:
    """Whether a point keeps the bounds, and why not or why that is not known."""
    answers: list[tuple[Kept, str]] = []
    if bounds.max_latency_s is not None:
        answers.append(_keeps(latency, bounds.max_latency_s, bounds.latency_metric, 1e3, "ms"))
    if bounds.max_memory is not None:
        answers.append(_keeps(memory, float(bounds.max_memory), "memory", 1 / 2**20, "MiB"))
    for wanted in ("no", "unsure"):
        reasons = [why for kept, why in answers if kept == wanted]
        if reasons:
            return ("no" if wanted == "no" else "unsure"), "; ".join(reasons)
    return "yes", ""


def _keeps(estimate: Estimate, bound: float, name: str, scale: float, unit: str) -> tuple[Kept, str]:
    if estimate.value is None:
        return "unsure", f"{name} is not known: {estimate.reason}"
    low = estimate.low if estimate.low is not None else estimate.value
    high = estimate.high if estimate.high is not None else estimate.value
    figures = f"{name} {estimate.value * scale:.4g} {unit}, bound {bound * scale:.4g} {unit}"
    if low > bound:
        return "no", f"{figures}"
    if high > bound:
        return "unsure", f"{figures}, interval up to {high * scale:.4g} {unit}"
    return "yes", ""


def _throughput(trials: Sequence[Sequence[Round]], result: Result, nothing: str) -> Estimate:
    """Items per second: pooled over trials on a logarithmic scale, like every ratio."""
    confidence, batch = result.settings.confidence, result.case.variant.batch
    if not trials:
        return Estimate(value=None, unit="inferences/s", confidence=confidence, reason=nothing)
    pooled = pool([[float(np.log(rate(one) * batch)) for one in trial] for trial in trials])
    interval = of_values(pooled.interval(confidence))
    return Estimate(
        value=float(np.exp(pooled.value)),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        unit="inferences/s",
        confidence=confidence,
        samples=sum(len(one.samples_ns) for trial in trials for one in trial),
        trials=len(trials),
        reason="" if interval else "one trial gives no interval" if len(trials) < 2 else NO_INTERVAL,
    )


def _memory(rounds: Sequence[Round], nothing: str) -> Estimate:
    sizes = [r.window.memory for r in rounds if r.window is not None and r.window.memory is not None]
    if not sizes:
        return Estimate(value=None, unit="B", reason="the system does not tell" if rounds else nothing)
    return Estimate(
        value=float(min(sizes)),
        unit="B",
        samples=len(sizes),
        reason="the least seen after a window: what a higher load took and did not give back is not this one's",
    )


def _little(rounds: Sequence[Round], in_flight: int) -> float | None:
    """Throughput × mean latency / requests in flight, over all windows."""
    waited = sum(sum(one.samples_ns) for one in rounds)
    length = sum(one.window.window_ns for one in rounds if one.window is not None)
    return waited / length / in_flight if length else None


def _ceiling_share(rounds: Sequence[Round]) -> float | None:
    shares = [
        rate(one) / one.window.ceiling_per_s for one in rounds if one.window and one.window.ceiling_per_s
    ]
    return float(np.median(np.asarray(shares, dtype=np.float64))) if shares else None

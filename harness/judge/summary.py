"""One contender's figures from its raw samples: every estimate with its interval, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.judge.comparison import ContenderSummary, Estimate
from harness.judge.intervals import (
    NO_INTERVAL,
    Floats,
    Interval,
    fewest_samples,
    mean_interval,
    of_values,
    quantile_interval,
    trial_interval,
)
from harness.judge.parity import worst_ratio
from harness.records import Result, Trial

NS = 1e-9


def call_seconds(trial: Trial) -> Floats:
    """Seconds a call of every sample of a trial, in order."""
    parts = [np.asarray(r.samples_ns, dtype=np.float64) * (NS / r.calls_per_sample) for r in trial.rounds]
    return np.concatenate(parts) if parts else np.empty(0)


def summarise(result: Result) -> ContenderSummary:
    """All figures of a result, ready to be shown."""
    trials = [values for trial in result.trials if (values := call_seconds(trial)).size]
    batched = any(r.calls_per_sample > 1 for trial in result.trials for r in trial.rounds)
    confidence = result.settings.confidence
    batch = result.case.variant.batch
    nothing = "" if trials else _why_nothing(result)

    def percentile(p: float) -> Estimate:
        return _percentile(trials, p, confidence, nothing, batched)

    def per_trial(pick: Callable[[Trial], float | None]) -> Estimate:
        return _per_trial([pick(trial) for trial in result.trials], confidence, nothing)

    parity = result.parity
    return ContenderSummary(
        result_id=result.id,
        contender=result.case.contender.text,
        status=result.status,
        reason=_why_nothing(result) if result.status != "measured" else "",
        engine_version=result.engine_version,
        p50=percentile(0.50),
        p90=percentile(0.90),
        p99=percentile(0.99),
        throughput=_throughput(trials, batch, confidence, nothing),
        first_inference=per_trial(lambda t: t.first_inference_ns * NS),
        load=per_trial(lambda t: (t.import_ns + t.load_ns) * NS),
        build=_build(result),
        warmup=per_trial(_warmup_s),
        memory_peak=_memory_peak(result),
        artefact=_artefact(result),
        parity=parity.status if parity else "unknown",
        parity_ratio=worst_ratio(parity) if parity else None,
        parity_where=parity.reason if parity else (nothing or "parity was not checked"),
        warnings=result.warnings,
    )


def _why_nothing(result: Result) -> str:
    if result.failure is not None:
        return result.failure.message
    return f"status is {result.status}" if result.status != "measured" else "no samples"


def _throughput(trials: Sequence[Floats], batch: int, confidence: float, nothing: str) -> Estimate:
    if not trials:
        return Estimate(value=None, unit="inferences/s", confidence=confidence, reason=nothing)
    samples = np.concatenate(list(trials))
    mean = mean_interval(trials, confidence)
    interval = Interval(batch / mean.high, batch / mean.low) if mean else None
    rate = batch / float(samples.mean())
    return _estimate(rate, interval, "inferences/s", confidence, samples.size, len(trials))


def _percentile(
    trials: Sequence[Floats], p: float, confidence: float, nothing: str, batched: bool
) -> Estimate:
    samples = sum(t.size for t in trials)
    needed = fewest_samples(p, confidence)
    reason = nothing
    if trials and samples < needed:
        reason = f"fewer than the {needed} samples that its interval needs; raise --budget"
    elif trials and batched and p != 0.5:
        reason = "calls are too short to be timed one by one; a mean over several hides the tail"
    if reason or not trials:
        return Estimate(
            value=None, unit="s", confidence=confidence, samples=samples, trials=len(trials), reason=reason
        )
    value = float(np.quantile(np.concatenate(list(trials)), p))
    return _estimate(value, quantile_interval(trials, p, confidence), "s", confidence, samples, len(trials))


def _per_trial(values: Sequence[float | None], confidence: float, nothing: str) -> Estimate:
    there = [value for value in values if value is not None and value > 0]
    if not there:
        return Estimate(value=None, unit="s", confidence=confidence, reason=nothing or "never became steady")
    logs = np.log(there)
    interval = of_values(trial_interval(logs, confidence))
    return _estimate(float(np.exp(logs.mean())), interval, "s", confidence, len(there), len(there))


def _estimate(
    value: float, interval: Interval | None, unit: str, confidence: float, samples: int, trials: int
) -> Estimate:
    return Estimate(
        value=value,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        unit=unit,
        confidence=confidence,
        samples=samples,
        trials=trials,
        reason="" if interval else "one trial gives no interval" if trials < 2 else NO_INTERVAL,
    )


def _warmup_s(trial: Trial) -> float | None:
    if trial.steady_from is None:
        return None
    # A curve that is steady from its first call needs no warm-up, but the first call is made in any case.
    return sum(trial.warmup_ns[: max(1, trial.steady_from)]) * NS


def _build(result: Result) -> Estimate:
    artefact = result.artefact
    if artefact is None:
        return Estimate(value=None, unit="s", reason=_why_nothing(result))
    if artefact.build_ns is None:
        return Estimate(value=None, unit="s", reason=artefact.note or "the engine has no build step")
    return Estimate(value=artefact.build_ns * NS, unit="s", samples=1, trials=1, reason="built once")


def _memory_peak(result: Result) -> Estimate:
    peaks = [float(t.memory_peak) for t in result.trials if t.memory_peak is not None]
    if not peaks:
        reason = _why_nothing(result) if not result.trials else "the system does not tell"
        return Estimate(value=None, unit="B", reason=reason)
    return Estimate(
        value=max(peaks),
        low=min(peaks),
        high=max(peaks),
        unit="B",
        samples=len(peaks),
        trials=len(peaks),
        confidence=1.0,
        reason="largest over the trials; the interval is their range",
    )


def _artefact(result: Result) -> Estimate:
    artefact = result.artefact
    if artefact is None or artefact.bytes is None:
        reason = artefact.note if artefact else _why_nothing(result)
        return Estimate(value=None, unit="B", reason=reason or "the adapter does not say")
    return Estimate(value=float(artefact.bytes), unit="B", samples=1, reason=artefact.note)

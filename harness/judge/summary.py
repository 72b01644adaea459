"""One contender's figures from its raw samples: every estimate with its interval, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.judge.comparison import ContenderSummary, Estimate
from harness.judge.estimating import NS, largest_over_trials, mean_by_trial, with_interval
from harness.judge.intervals import Floats, Interval, fewest_samples, mean_interval, quantile_interval
from harness.judge.parity import worst_ratio
from harness.judge.resources import resource_estimates
from harness.judge.roofline import ceiling_share
from harness.judge.stage_times import stage_estimates
from harness.judge.work_done import judge_work
from harness.records import Result, Trial


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

    def per_trial(pick: Callable[[Trial], float | None], otherwise: str = "never became steady") -> Estimate:
        values = [pick(trial) for trial in result.trials]
        return mean_by_trial(values, "s", confidence, nothing or otherwise)

    parity, work = result.parity, judge_work(result.trials)
    median = percentile(0.50)
    return ContenderSummary(
        result_id=result.id,
        contender=result.case.contender.text,
        status=result.status,
        reason=_why_nothing(result) if result.status != "measured" else "",
        engine_version=result.engine_version,
        p50=median,
        p90=percentile(0.90),
        p99=percentile(0.99),
        throughput=_throughput(trials, batch, confidence, nothing),
        first_inference=per_trial(lambda t: t.first_inference_ns * NS),
        load=per_trial(lambda t: None if t.file_cache == "cold" and len(result.trials) > 1 else _load_s(t)),
        load_cold=per_trial(
            lambda t: _load_s(t) if t.file_cache == "cold" else None,
            "the model's files could not be put out of memory",
        ),
        build=_build(result),
        build_warm=_build_again(result),
        warmup=per_trial(_warmup_s),
        memory_peak=largest_over_trials(
            [t.memory_peak for t in result.trials],
            "B",
            "the system does not tell" if result.trials else _why_nothing(result),
        ),
        artefact=_artefact(result),
        ceiling_share=ceiling_share(result, median),
        **stage_estimates(result),
        **resource_estimates(result),
        parity=parity.status if parity else "unknown",
        parity_ratio=worst_ratio(parity) if parity else None,
        parity_where=parity.reason if parity else (nothing or "parity was not checked"),
        fresh_ratio=work.ratio,
        work=work.status,
        work_words=work.words,
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
    return with_interval(rate, interval, "inferences/s", confidence, samples.size, len(trials))


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
    return with_interval(
        value, quantile_interval(trials, p, confidence), "s", confidence, samples, len(trials)
    )


def _load_s(trial: Trial) -> float:
    return (trial.import_ns + trial.load_ns) * NS


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


def _build_again(result: Result) -> Estimate:
    """A second build; the first is of the trial that has the result's own `build_ns`."""
    if result.artefact is None or result.artefact.build_ns is None:
        return _build(result)
    again = [
        trial.build_ns for trial in result.trials if trial.build_ns is not None and trial.file_cache == "warm"
    ]
    if not again:
        return Estimate(
            value=None, unit="s", reason="not built again: that would take too much of the budget"
        )
    return Estimate(value=again[0] * NS, unit="s", samples=1, trials=1, reason="built once")


def _artefact(result: Result) -> Estimate:
    artefact = result.artefact
    if artefact is None or artefact.bytes is None:
        reason = artefact.note if artefact else _why_nothing(result)
        return Estimate(value=None, unit="B", reason=reason or "the adapter does not say")
    return Estimate(value=float(artefact.bytes), unit="B", samples=1, reason=artefact.note)

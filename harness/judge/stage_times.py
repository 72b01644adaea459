"""What the stages of a call take, and whether they add up to the call. Pure functions of stage passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.judge.comparison import Estimate
from harness.judge.estimating import NS, median_over_trials, with_interval
from harness.judge.intervals import Floats
from harness.records import Result, StagePass, StageTimes, TransferTimes

STAGES = ("preprocess", "upload", "infer", "download", "postprocess")

TOLERANCE = 0.02
"""Share of the whole call by which the sum of its stages may differ, on the median."""

FEW_PAIRS = 8
"""Pairs of a whole and a split call below which a difference cannot be told from noise."""

NOT_TIMED = "its stages were not timed"


@dataclass(frozen=True)
class Additivity:
    """Whole calls against the sum of their stages, medians in seconds, over `pairs` neighbouring calls.

    `gap` is (whole - sum) / whole, the median over pairs; `error` is its standard error.
    """

    whole_s: float
    sum_s: float
    gap: float
    error: float
    pairs: int

    @property
    def holds(self) -> bool:
        """Whether the stages add up to the call within the tolerance."""
        return abs(self.gap) <= TOLERANCE


@dataclass(frozen=True)
class Carried:
    """One way of bringing inputs in or outputs out: how much, how long, how fast."""

    direction: str
    path: str
    bytes: int
    seconds: Estimate
    device_seconds: Estimate
    rate: Estimate
    """Bytes per second; none where nothing is moved."""


def stage_estimates(result: Result) -> dict[str, Estimate]:
    """Median seconds a call of each stage and of the whole call ("end_to_end"), by name."""
    passes = stage_passes(result)
    confidence = result.settings.confidence
    nothing = "" if passes else _why_nothing(result)
    found = {
        "end_to_end": median_over_trials(
            [_seconds(each.end_to_end_ns) for each in passes], "s", confidence, nothing or NOT_TIMED
        )
    }
    for stage in STAGES:
        times = [entry for each in passes for entry in each.stages if entry.stage == stage]
        reason = next((entry.reason for entry in times if entry.reason), "")
        found[stage] = median_over_trials(
            [_seconds(entry.samples_ns) for entry in times if not entry.reason],
            "s",
            confidence,
            nothing or reason or NOT_TIMED,
        )
    return found


def stage_passes(result: Result) -> list[StagePass]:
    """The stage passes of a result's trials."""
    return [trial.stages for trial in result.trials if trial.stages is not None]


def additivity(passes: Sequence[StagePass]) -> Additivity | None:
    """Do the stages add up? None without pairs.

    Each whole call is compared with the split call beside it, so that a machine whose speed wanders disturbs both
    alike. The standard error of the median is 1.253 σ / √n (normal noise), with σ from the interquartile range.
    """
    wholes, sums = [], []
    for each in passes:
        columns = [_seconds(entry.samples_ns) for entry in each.stages if entry.samples_ns]
        whole = _seconds(each.end_to_end_ns)
        if not columns or any(column.size != whole.size for column in columns):
            continue
        wholes.append(whole)
        sums.append(np.sum(columns, axis=0))
    if not wholes:
        return None
    whole, total = np.concatenate(wholes), np.concatenate(sums)
    good = (whole > 0.0) & (total > 0.0)
    whole, total = whole[good], total[good]
    if not whole.size:
        return None
    gaps = 1.0 - total / whole
    low, high = np.quantile(gaps, (0.25, 0.75))
    error = 1.253 * float(high - low) / 1.349 / float(np.sqrt(gaps.size))
    return Additivity(
        float(np.median(whole)), float(np.median(total)), float(np.median(gaps)), error, int(gaps.size)
    )


def missing_part(passes: Sequence[StagePass], found: Additivity) -> str:
    """Where the difference between a whole call and its stages is, in words."""
    stages = {entry.stage: entry for each in passes for entry in each.stages}
    if found.gap < 0:
        if any(entry.device_ns for entry in stages.values()):
            return "upload and inference overlap when the host does not wait for the upload"
        return "a clock between the stages, or waiting for each of them, makes the call longer"
    hidden = [
        f"{name} ({entry.reason})"
        for name, entry in stages.items()
        if entry.reason and name in ("upload", "download")
    ]
    if hidden:
        return f"in {', '.join(hidden)}, which cannot be separated"
    return "between the stages: memory that is freed, or work that the engine puts off until the next call"


def carried(result: Result) -> list[Carried]:
    """Every way of bringing inputs in and outputs out that was timed, with size and rate, in the order timed."""
    entries: dict[tuple[str, str], list[TransferTimes]] = {}
    for each in stage_passes(result):
        for entry in each.transfers:
            entries.setdefault((entry.direction, entry.path), []).append(entry)
    return [_carried(group, result.settings.confidence) for group in entries.values()]


def _carried(group: Sequence[TransferTimes], confidence: float) -> Carried:
    first = group[0]
    reason = next((entry.reason for entry in group if entry.reason), NOT_TIMED)
    seconds = median_over_trials(
        [_seconds(entry.samples_ns) / entry.calls_per_sample for entry in group], "s", confidence, reason
    )
    on_device = median_over_trials(
        [_seconds(entry.device_ns) for entry in group],
        "s",
        confidence,
        "the engine has no events on its device",
    )
    rate = Estimate(value=None, unit="B/s", confidence=confidence, reason="nothing is moved")
    if seconds.value is None:
        rate = rate.model_copy(update={"reason": reason})
    elif first.path != "zero_copy":
        rate = with_interval(
            first.bytes / seconds.value, None, "B/s", confidence, seconds.samples, seconds.trials
        ).model_copy(
            update={
                "low": first.bytes / seconds.high if seconds.high else None,
                "high": first.bytes / seconds.low if seconds.low else None,
                "reason": seconds.reason,
            }
        )
    return Carried(first.direction, first.path, first.bytes, seconds, on_device, rate)


def implementations(result: Result) -> dict[str, str]:
    """What did the pre- and post-processing: stage -> library and version."""
    found: list[StageTimes] = [entry for each in stage_passes(result) for entry in each.stages]
    return {entry.stage: entry.implementation for entry in found if entry.implementation}


def _seconds(values: Sequence[int]) -> Floats:
    return np.asarray(values, dtype=np.float64) * NS


def _why_nothing(result: Result) -> str:
    return result.failure.message if result.failure else NOT_TIMED

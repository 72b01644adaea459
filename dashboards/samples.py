"""Raw samples of a result as arrays of seconds per call, and the summaries that the charts draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.records import Result, Round

Floats = npt.NDArray[np.float64]


def call_seconds(block: Round) -> Floats:
    """Seconds per call of every sample of one block, shape (samples,)."""
    return np.asarray(block.samples_ns, dtype=np.float64) / block.calls_per_sample / 1e9


def all_seconds(result: Result) -> Floats:
    """Seconds per call of every sample of every trial and round, in the order measured."""
    blocks = [call_seconds(block) for trial in result.trials for block in trial.rounds]
    return np.concatenate(blocks) if blocks else np.empty(0)


def sample_count(result: Result) -> int:
    """Number of timed samples of all trials."""
    return sum(len(block.samples_ns) for trial in result.trials for block in trial.rounds)


@dataclass(frozen=True)
class TrialSpread:
    """Where the samples of one trial lie, seconds per call."""

    trial: int
    samples: int
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float


def trial_spreads(result: Result) -> list[TrialSpread]:
    """One `TrialSpread` for each trial that has samples."""
    spreads = []
    for trial in result.trials:
        blocks = [call_seconds(block) for block in trial.rounds if block.samples_ns]
        if blocks:
            values = np.concatenate(blocks)
            quantiles = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
            spreads.append(TrialSpread(trial.index, len(values), *map(float, quantiles)))
    return spreads


@dataclass(frozen=True)
class BlockMedian:
    """Median of one block, and the canary beside it; seconds."""

    trial: int
    round: int
    median: float
    canary: float | None


def block_medians(result: Result) -> list[BlockMedian]:
    """One `BlockMedian` for each block that has samples, in the order measured."""
    return [
        BlockMedian(
            trial.index,
            block.index,
            float(np.median(call_seconds(block))),
            None if block.canary_ns is None else block.canary_ns / 1e9,
        )
        for trial in result.trials
        for block in trial.rounds
        if block.samples_ns
    ]


def round_places(results: Sequence[Result]) -> dict[tuple[int, int], int]:
    """Place, from 1, of every (trial, round) of a group in the order measured."""
    keys = {
        (trial.index, block.index) for result in results for trial in result.trials for block in trial.rounds
    }
    return {key: place for place, key in enumerate(sorted(keys), start=1)}


def thin_evenly_in_log(length: int, at_most: int) -> list[int]:
    """Indices into a series of `length` values: all of them, or `at_most`, dense at the beginning."""
    if length <= at_most:
        return list(range(length))
    places = np.unique(np.geomspace(1, length, at_most).round().astype(int)) - 1
    return [int(place) for place in places]


def rounded(value: float, digits: int = 5) -> float:
    """`value` with few significant digits, to keep the page small; far finer than a pixel."""
    return float(f"{value:.{digits - 1}e}")

"""What the raw samples of `harness doctor --noise` say: the machine's unevenness, an A/A verdict, its resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.judge.comparison import SpeedVerdict
from harness.judge.intervals import Floats, Interval, of_values
from harness.judge.pooling import pool
from harness.judge.resolution import Components, Resolution, components, plan_comparison, resolve
from harness.judge.verdict import decide
from harness.records import Settings
from harness.records.noise import NoiseSamples, NoiseTrial

STARTUP_S = 3.0
"""Seconds that starting, loading and warming up two usual engines takes, in every trial."""
CALL_S = 0.010
LONG = Settings(budget_s=300.0, target_ci=0.001, max_trials=40)
LONG_COMMAND = "--budget 5m --max-trials 40 --target-ci 0.1%"


@dataclass(frozen=True)
class NoiseFigures:
    """All figures. Shares unless a name says otherwise."""

    gaps_per_s: float
    """How often something else ran on the CPU of a loop that only reads the clock."""
    lost_share: float
    """Share of its time that the loop lost to gaps."""
    longest_gap_ns: int
    within: float
    """Standard deviation of block medians within one process."""
    between: float
    """Standard deviation that processes add to it."""
    drift: float
    """Change of the speed from the first to the last block, along a straight line; positive: slower."""
    wander: float
    """Range of trials' levels: slowest over fastest, less one."""
    ratio: float
    """One process over the other, which are identical."""
    interval: Interval | None
    verdict: SpeedVerdict
    components: Components
    usual: Resolution
    """Of `harness compare` as it is."""
    long: Resolution
    """Of `harness compare` with `LONG_COMMAND`."""


def judge_noise(samples: NoiseSamples, settings: Settings | None = None) -> NoiseFigures:
    """Judge by the functions that judge comparisons. Raises ValueError with fewer than two trials of two rounds."""
    settings = settings or Settings()
    ratios = [log_ratios(trial) for trial in samples.trials]
    ratios = [rounds for rounds in ratios if rounds]
    arrays = [
        np.asarray([ns for ns in block.samples_ns if ns > 0], dtype=np.float64)
        for trial in samples.trials
        for block in trial.blocks
    ]
    found = components(ratios, [array for array in arrays if array.size])
    pooled = pool(ratios)
    interval = of_values(pooled.interval(settings.confidence))
    within, between = spreads(samples.trials)
    clock = samples.clock
    return NoiseFigures(
        gaps_per_s=clock.gaps / max(1e-9, clock.watched_ns * 1e-9),
        lost_share=clock.gap_total_ns / max(1, clock.watched_ns),
        longest_gap_ns=max(clock.longest_ns, default=0),
        within=within,
        between=between,
        drift=drift(samples.trials),
        wander=_wander(samples.trials),
        ratio=math.exp(pooled.value),
        interval=interval,
        verdict=decide(interval, settings.margin),
        components=found,
        usual=_resolution(found, settings),
        long=_resolution(found, LONG),
    )


def _resolution(found: Components, settings: Settings) -> Resolution:
    return resolve(found, plan_comparison(found, settings, startup_s=STARTUP_S, call_s=CALL_S), settings)


def log_ratios(trial: NoiseTrial) -> list[float]:
    """Logarithm of process 0 over process 1 in every round, from the medians of their blocks."""
    medians = {
        (block.round, block.side): float(np.median(block.samples_ns))
        for block in trial.blocks
        if block.samples_ns
    }
    rounds = sorted({number for number, _ in medians})
    pairs = [(medians.get((number, 0), 0.0), medians.get((number, 1), 0.0)) for number in rounds]
    return [math.log(a / b) for a, b in pairs if a > 0.0 and b > 0.0]


def spreads(trials: Sequence[NoiseTrial]) -> tuple[float, float]:
    """Standard deviations of log block medians: within a process, and what processes add (0 at least)."""
    levels = [level for trial in trials for side in (0, 1) if (level := _levels(trial, side)).size > 1]
    if not levels:
        return 0.0, 0.0
    within = float(np.mean([level.var(ddof=1) for level in levels]))
    rounds = float(np.mean([level.size for level in levels]))
    means = float(np.var([level.mean() for level in levels], ddof=1)) if len(levels) > 1 else 0.0
    return math.sqrt(within), math.sqrt(max(0.0, means - within / rounds))


def drift(trials: Sequence[NoiseTrial]) -> float:
    """Change along a straight line through all log block medians (least squares), over the whole measurement."""
    points = [
        (block.at_s, math.log(float(np.median(block.samples_ns))))
        for trial in trials
        for block in trial.blocks
        if block.samples_ns and np.median(block.samples_ns) > 0
    ]
    if len(points) < 3:
        return 0.0
    at, level = np.array(points).T
    at = at - at.mean()
    if not at.any():
        return 0.0
    slope = float(at @ level) / float(at @ at)
    return math.expm1(slope * float(at.max() - at.min()))


def _wander(trials: Sequence[NoiseTrial]) -> float:
    levels = [
        float(np.mean(both))
        for trial in trials
        if (both := np.concatenate([_levels(trial, 0), _levels(trial, 1)])).size
    ]
    return math.expm1(max(levels) - min(levels)) if levels else 0.0


def _levels(trial: NoiseTrial, side: int) -> Floats:
    return np.array(
        [
            math.log(float(np.median(block.samples_ns)))
            for block in trial.blocks
            if block.side == side and block.samples_ns and np.median(block.samples_ns) > 0
        ]
    )

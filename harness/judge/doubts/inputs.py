"""Doubts that need no second contender: does latency depend on the input set, and did the clock run forwards?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import fdtrc

from harness.records import Result, Warning_

MIN_GAP = 0.02
"""Input sets closer than this share do not matter; the margin counts where it is larger."""
CHANCE = 0.001
"""Probability of a false doubt when the input sets are alike."""
MIN_BLOCKS = 3
"""Blocks of an input set that make a level."""


def doubts(result: Result) -> tuple[Warning_, ...]:
    """Doubts about inputs and clock of a measured result."""
    return (*_clock(result), *_input_dependent(result))


def _clock(result: Result) -> Iterator[Warning_]:
    samples = [ns for trial in result.trials for item in trial.rounds for ns in item.samples_ns]
    longest_ns = result.settings.deadline_s * 1e9
    backwards = sum(ns <= 0 for ns in samples)
    absurd = sum(ns > longest_ns for ns in samples)
    if backwards or absurd:
        parts = [f"{backwards} samples are zero or negative"] if backwards else []
        parts += [f"{absurd} are longer than the deadline of a whole block"] if absurd else []
        yield Warning_(
            code="clock_jumped",
            message=f"The clock jumped: {', '.join(parts)}, of {len(samples)}.",
            figure=(backwards + absurd) / len(samples),
            consequence="No engine can have taken these times, so that others may be wrong unnoticed.",
            advice="Look for `clocksource` in `dmesg`, update the hypervisor, and measure again.",
        )


def _input_dependent(result: Result) -> Iterator[Warning_]:
    levels = input_levels(result)
    if levels is None:
        return
    gap, chance = levels_gap(levels)
    if gap > max(MIN_GAP, result.settings.margin) and chance < CHANCE:
        middles = {name: float(np.exp(values.mean())) for name, values in levels.items()}
        slow, fast = max(middles, key=lambda n: middles[n]), min(middles, key=lambda n: middles[n])
        yield Warning_(
            code="input_dependent",
            message=f"Latency depends on the input: {slow} takes {gap:.1%} longer than {fast} "
            f"({middles[slow] / 1e6:.3g} against {middles[fast] / 1e6:.3g} ms).",
            figure=gap,
            consequence="The figures are a mixture that depends on which inputs were chosen.",
            advice="Measure with inputs like those in use (`--inputs`); very small numbers (subnormals), zeros and "
            "text of different length are the usual causes.",
        )


def input_levels(result: Result) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] | None:
    """Logarithms of the blocks' medians (ns a call) by input set, freed of what distinguishes trials.

    None without two input sets of `MIN_BLOCKS` blocks each.
    """
    found: dict[str, list[float]] = {}
    grand: list[float] = []
    for trial in result.trials:
        blocks = [
            (item.input_set, float(np.log(np.median(good) / item.calls_per_sample)))
            for item in trial.rounds
            if (good := [ns for ns in item.samples_ns if ns > 0])
        ]
        names = {name for name, _ in blocks}
        if len(names) < 2:
            continue
        # The mean of the sets' means, so that a trial with more blocks of one set is not pulled towards it.
        level = float(np.mean([np.mean([v for n, v in blocks if n == name]) for name in names]))
        grand.append(level)
        for name, value in blocks:
            found.setdefault(name, []).append(value - level)
    kept = {name: np.array(values) for name, values in found.items() if len(values) >= MIN_BLOCKS}
    if len(kept) < 2:
        return None
    return {name: values + float(np.mean(grand)) for name, values in kept.items()}


def levels_gap(levels: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]) -> tuple[float, float]:
    """Share by which the slowest set is slower than the fastest, and how likely chance alone differs as much.

    One-way analysis of variance over blocks. Values beyond three robust standard deviations of their set are drawn in,
    so that one disturbed block neither makes nor hides a difference.
    """
    groups = [_drawn_in(values) for values in levels.values()]
    means = [float(values.mean()) for values in groups]
    count = sum(values.size for values in groups)
    grand = sum(float(values.sum()) for values in groups) / count
    between = sum(v.size * (m - grand) ** 2 for v, m in zip(groups, means, strict=True)) / (len(groups) - 1)
    within = sum(float(((v - m) ** 2).sum()) for v, m in zip(groups, means, strict=True))
    within /= count - len(groups)
    gap = float(np.expm1(max(means) - min(means)))
    if within <= 0.0:
        return gap, 0.0 if gap > 0.0 else 1.0
    return gap, float(fdtrc(len(groups) - 1, count - len(groups), between / within))


def _drawn_in(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    middle = float(np.median(values))
    reach = 3.0 * 1.4826 * float(np.median(np.abs(values - middle)))
    return np.clip(values, middle - reach, middle + reach) if reach > 0.0 else values

"""Do latencies come in two modes? Two means, and a valley between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.judge.dependence import Floats, block_correlation, effective_count, lag1

MIN_EFFECTIVE = 60
"""Independent samples below which two modes cannot be told from chance."""

LONG_BLOCK = 20
"""Samples from which on a block's mean no longer depends much on which modes its samples happened to have."""

MIN_SHARE = 0.10
"""A smaller group of samples counts as outliers, not as a mode."""

MIN_GAP = 0.03
"""Modes closer than this share of the latency do not matter."""

VALLEY = 0.5
"""The valley must hold fewer than this share of the samples that the smaller mode has in a window as wide."""


@dataclass(frozen=True)
class Modes:
    """Two modes: the medians of both, in the unit of the samples, and the share of samples in the upper one."""

    low: float
    high: float
    share_high: float

    @property
    def gap(self) -> float:
        """By which share the upper mode is slower."""
        return self.high / self.low - 1.0


def two_modes(blocks: Sequence[Floats]) -> Modes | None:
    """The two modes of positive samples (grouped by block), or None when one mode explains them.

    The logarithms, clipped at the 5th and 95th percentile so that outliers have no say, are split where the sum of
    squares inside both parts is smallest (two means in one dimension, solved exactly). A density with a single mode
    is nowhere lower between two points than at the lower of them, so the window half-way between the parts' medians
    must hold as many samples as equally wide windows around the medians. Two modes are reported when it holds
    clearly fewer: count + 2 √(count + 1) < `VALLEY` × the smaller of both, counted in independent samples. Blocks
    that differ as a whole and neighbours that resemble each other lower the number of independent samples, so a
    machine whose speed wanders has no modes. Where that hides the samples' own distribution, long blocks are also
    looked at with their levels taken out. Modes that only ever change between blocks are not reported here.
    """
    logs = [np.log(block) for block in blocks if block.size]
    if not logs:
        return None
    found = _modes_of(logs)
    long = [block for block in logs if block.size >= LONG_BLOCK]
    if found is None and len(long) > 1:
        level = float(np.mean(np.concatenate(long)))
        found = _modes_of([block - block.mean() + level for block in long])
    return found


def _modes_of(logs: Sequence[Floats]) -> Modes | None:
    pooled = np.sort(np.concatenate(logs))
    bounds = np.percentile(pooled, (5.0, 95.0))
    independent = _independent([np.clip(block, *bounds) for block in logs])
    if independent < MIN_EFFECTIVE:
        return None
    scale = independent / pooled.size
    split = _best_split(np.clip(pooled, *bounds))
    low, high = float(np.median(pooled[:split])), float(np.median(pooled[split:]))
    share_high = 1.0 - split / pooled.size
    if min(share_high, 1.0 - share_high) < MIN_SHARE or np.expm1(high - low) < MIN_GAP:
        return None
    width = (high - low) / 3.0
    valley = scale * _count_around(pooled, (low + high) / 2.0, width)
    sides = scale * min(_count_around(pooled, low, width), _count_around(pooled, high, width))
    if valley + 2.0 * float(np.sqrt(valley + 1.0)) >= VALLEY * sides:
        return None
    return Modes(float(np.exp(low)), float(np.exp(high)), share_high)


def _independent(logs: Sequence[Floats]) -> float:
    """Number of independent samples: by the blocks' design effect or by the neighbours' likeness, the smaller.

    Not the product of both: neighbours that resemble each other make block means vary, too.
    """
    count = sum(block.size for block in logs)
    design = 1.0 + max(0.0, count / len(logs) - 1.0) * block_correlation(logs)
    return min(count / design, effective_count(count, lag1(logs)))


def _best_split(ordered: Floats) -> int:
    """Size of the lower part for which the parts' means differ most, weighted by size (least squares inside)."""
    count = ordered.size
    sums = np.cumsum(ordered)
    sizes = np.arange(1, count, dtype=np.float64)
    lower = sums[:-1] / sizes
    upper = (sums[-1] - sums[:-1]) / (count - sizes)
    explained = sizes * (count - sizes) * np.square(upper - lower)
    return int(np.argmax(explained)) + 1


def _count_around(ordered: Floats, centre: float, width: float) -> int:
    ends = np.searchsorted(ordered, (centre - width / 2.0, centre + width / 2.0), side="left")
    return int(ends[1] - ends[0])

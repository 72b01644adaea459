"""How much samples of one block depend on each other: figures for doubt, never for a verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_BLOCK = 8
"""Samples that a block needs before its own trend can be taken out."""

MIN_PAIRS = 50
"""Pairs of neighbours, over all blocks, below which nothing is said."""

# 1 / Φ⁻¹(3/4): makes the median absolute deviation comparable to a normal standard deviation.
MAD_TO_SIGMA = 1.4826


def lag1(blocks: Sequence[Floats]) -> float | None:
    """Correlation of neighbouring samples, pooled over blocks; None with too few samples.

    Every block (logarithms of per-call times) is freed of its linear trend and clipped at five robust standard
    deviations, because one outlier would otherwise hide the dependence of all others.
    """
    products, squares, pairs = 0.0, 0.0, 0
    for block in blocks:
        if block.size < MIN_BLOCK:
            continue
        rest = _without_trend(block)
        limit = 5.0 * MAD_TO_SIGMA * float(np.median(np.abs(rest)))
        if limit > 0.0:
            rest = np.clip(rest, -limit, limit)
        products += float(np.dot(rest[:-1], rest[1:]))
        squares += float(np.dot(rest, rest))
        pairs += rest.size - 1
    if pairs < MIN_PAIRS or squares <= 0.0:
        return None
    return max(-1.0, min(1.0, products / squares))


def effective_count(count: float, correlation: float | None) -> float:
    """Independent samples that say as much about a mean as `count` dependent ones: n (1 - r) / (1 + r).

    The formula is that of a first-order autoregressive series; a negative or unknown correlation counts as zero.
    """
    r = min(max(correlation or 0.0, 0.0), 0.999)
    return count * (1.0 - r) / (1.0 + r)


def block_correlation(blocks: Sequence[Floats]) -> float:
    """Share of the variance that lies between blocks (intraclass correlation of a one-way analysis of variance)."""
    kept = [block for block in blocks if block.size]
    count, groups = sum(block.size for block in kept), len(kept)
    if groups < 2 or count <= groups:
        return 0.0
    grand = float(np.mean(np.concatenate(kept)))
    between = sum(block.size * (float(block.mean()) - grand) ** 2 for block in kept) / (groups - 1)
    within = sum(float(((block - block.mean()) ** 2).sum()) for block in kept) / (count - groups)
    size = count / groups
    spread = between + (size - 1.0) * within
    return min(1.0, max(0.0, (between - within) / spread)) if spread > 0.0 else 0.0


def _without_trend(values: Floats) -> Floats:
    time = np.arange(values.size, dtype=np.float64)
    time -= time.mean()
    centred = values - values.mean()
    slope = float(np.dot(time, centred)) / float(np.dot(time, time))
    rest: Floats = centred - slope * time
    return rest

"""Does a series repeat itself? Its autocorrelation at a period against that at half of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.judge.dependence import MAD_TO_SIGMA, Floats
from harness.judge.warmup.segments import slope

MIN_PERIOD = 6
"""Calls. Faster alternation is in every block alike; it shows as two modes (`judge/modes.py`)."""

MIN_HEIGHT = 0.03
"""A smaller cycle moves the median of a block by less than a difference that matters (2 %)."""

MIN_CONTRAST = 0.25
ERRORS = 4.0
"""The contrast must exceed chance: so many standard errors of it in white noise."""


@dataclass(frozen=True)
class Cycle:
    """Period in calls; height: by which share the slow half is slower than the fast one; repeats seen."""

    period: int
    height: float
    repeats: float


def find_cycle(logs: Floats) -> Cycle | None:
    """The strongest cycle of at least `MIN_PERIOD` values that fits in twice, or None.

    Noise and slow wandering have a correlation that falls with distance; a cycle is more alike a period away than
    half a period away. For a square wave of height h in noise that contrast is h²/2 over the variance, which gives
    h (a sine wave's is about 0.7 of its peak-to-peak height).
    """
    count = logs.size
    if count < 2 * MIN_PERIOD:
        return None
    rest = logs - logs.mean()
    rest = rest - slope(rest) * (np.arange(count) - (count - 1) / 2.0)
    limit = 4.0 * MAD_TO_SIGMA * float(np.median(np.abs(rest)))
    rest = np.clip(rest, -limit, limit)
    variance = float(np.mean(rest**2))
    if variance < 1e-12:
        return None
    periods = np.arange(MIN_PERIOD, count // 2 + 1)
    correlation = _autocorrelation(rest)
    contrast = correlation[periods] - correlation[periods // 2]
    chosen = int(np.argmax(contrast))
    strength = float(contrast[chosen])
    # Each of the two correlations has a variance of 1/n; neighbours that resemble each other add about half of it.
    chance = float(np.sqrt(1.5 / count))
    if correlation[periods[chosen]] <= 0.0 or strength < max(MIN_CONTRAST, ERRORS * chance):
        return None
    height = float(np.expm1(np.sqrt(2.0 * strength * variance)))
    if height < MIN_HEIGHT:
        return None
    return Cycle(int(periods[chosen]), height, count / float(periods[chosen]))


def _autocorrelation(rest: Floats) -> Floats:
    """For all distances, by the Fourier transform of the series padded with as many zeros."""
    size = 1 << int(np.ceil(np.log2(2 * rest.size)))
    power = np.abs(np.fft.rfft(rest, size)) ** 2
    sums: Floats = np.fft.irfft(power, size)[: rest.size]
    correlation: Floats = sums / sums[0]
    return correlation

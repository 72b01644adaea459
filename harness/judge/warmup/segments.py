"""Cuts a noisy series into pieces that are level or straight: optimal partitioning with known noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.judge.dependence import MAD_TO_SIGMA, Floats

MAX_PHI = 0.5
"""A correlation above this is taken for a level that moves."""

PENALTY = 3.0
"""A cut must save this many log(n) · variance: 2 suits white noise (Schwarz), robustly estimated noise needs more."""


LEAST_NOISE = 1e-4
"""A clock that counts in coarse steps can show none at all."""


@dataclass(frozen=True)
class Noise:
    """Standard deviation of one value, and correlation of neighbours (first order)."""

    sigma: float
    phi: float

    @property
    def long_run(self) -> float:
        """Standard deviation that the mean of n values has, times √n."""
        return self.sigma * float(np.sqrt((1.0 + self.phi) / (1.0 - self.phi)))

    def error(self, count: float) -> float:
        """Standard error of a mean of `count` values."""
        return self.long_run / float(np.sqrt(max(1.0, count)))


@dataclass(frozen=True)
class Segment:
    """Values start … stop−1, described by a straight line from `first` to `last` (equal when level).

    error: sum of squared distances from that line.
    """

    start: int
    stop: int
    first: float
    last: float
    error: float

    @property
    def is_level(self) -> bool:
        """Whether it has no slope."""
        return self.first == self.last

    @property
    def size(self) -> int:
        """Number of values."""
        return self.stop - self.start

    @property
    def level(self) -> float:
        """Mean of the values."""
        return (self.first + self.last) / 2.0


def estimate_noise(values: Floats) -> Noise:
    """Noise from differences of values one and two apart, by their median size: steps and trends hardly count.

    The variance of differences at distance h is 2σ²(1 − φʰ) for a first-order autoregression, so the ratio of both
    is 1 + φ. At least 3 values.
    """
    near, far = _spread(np.diff(values)), _spread(values[2:] - values[:-2])
    if near == 0.0:
        return Noise(far, 0.0)
    # Few values make the ratio a bad guess; about its standard error is taken off.
    phi = (far / near) ** 2 - 1.0 - 1.0 / float(np.sqrt(values.size))
    phi = min(MAX_PHI, max(0.0, phi))
    return Noise(near / float(np.sqrt(1.0 - phi)), phi)


def _spread(differences: Floats) -> float:
    centre = float(np.median(differences))
    return MAD_TO_SIGMA * float(np.median(np.abs(differences - centre))) / float(np.sqrt(2.0))


def cut_penalty(count: int, noise: Noise) -> float:
    """What a cut in a series of `count` values must save of the sum of squared errors."""
    return PENALTY * float(np.log(count)) * max(noise.long_run, LEAST_NOISE) ** 2


def cut(values: Floats, noise: Noise) -> list[Segment]:
    """The partition of values into level or straight segments with the least squared error plus penalty.

    Exact, by dynamic programming over the last cut (Jackson et al. 2005); quadratic in the number of values.
    A level segment costs one penalty, a straight one (4 values at least) two. At least 2 values.
    """
    count = values.size
    penalty = cut_penalty(count, noise)
    place = np.arange(count, dtype=np.float64)
    centred = values - values.mean()
    sums = [np.r_[0.0, np.cumsum(v)] for v in (centred, centred**2, place * centred)]
    best = np.zeros(count + 1)
    cuts = np.zeros(count + 1, dtype=np.int64)
    straight = np.zeros(count + 1, dtype=bool)
    best[0] = -penalty
    for stop in range(1, count + 1):
        start = np.arange(stop)
        size = (stop - start).astype(np.float64)
        total, squares, products = (s[stop] - s[:stop] for s in sums)
        level = squares - total**2 / size
        middle = (start + stop - 1) / 2.0
        # Σ(i − middle)² over `size` neighbouring integers.
        width = np.maximum(size * (size**2 - 1.0) / 12.0, 1e-12)
        covariance = products - middle * total
        sloped = np.where(size >= 4, level - covariance**2 / width + penalty, np.inf)
        costs = best[:stop] + np.minimum(level, sloped) + penalty
        chosen = int(np.argmin(costs))
        best[stop], cuts[stop], straight[stop] = costs[chosen], chosen, sloped[chosen] < level[chosen]
    found: list[Segment] = []
    stop = count
    while stop > 0:
        start_at = int(cuts[stop])
        found.append(_segment(values, start_at, stop, bool(straight[stop])))
        stop = start_at
    return found[::-1]


def _segment(values: Floats, start: int, stop: int, straight: bool) -> Segment:
    part = values[start:stop]
    middle = float(part.mean())
    half = slope(part) * (part.size - 1) / 2.0 if straight else 0.0
    line = np.linspace(middle - half, middle + half, part.size)
    return Segment(start, stop, middle - half, middle + half, float(np.sum((part - line) ** 2)))


def slope(values: Floats) -> float:
    """Least-squares slope per value; 0 for a single one."""
    if values.size < 2:
        return 0.0
    place = np.arange(values.size) - (values.size - 1) / 2.0
    return float(np.dot(place, values) / np.dot(place, place))

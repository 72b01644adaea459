"""Warm-up curves with known truth: six kinds, drawn from wide ranges, nothing of the detector's in them.

Every curve is level × noise × disturbances, in nanoseconds. What all kinds share (log-uniform where a range spans more
than a factor of three):

- 30 to 4,000 calls of 20 µs to 300 ms;
- lognormal noise with a standard deviation of 0.5 to 5 %, in half of the curves autocorrelated (first order, 0 to 0.5);
- in half of the curves up to 2 % of the calls are slower by a factor of 1.5 to 5, one by one;
- in half of the curves the first call, in a quarter the first three, are slower by a factor of 1.5 to 50.

An effect is drawn again until somebody who knew its place could see it: a level differs from its neighbour by 8 % and
by six standard errors at least. Below that "flat" and "drift" are the same curve.

| kind | level | truth |
|---|---|---|
| flat | constant | steady from the first call that is not slow |
| exponential | 1 + a·exp(−i/τ), a from 0.08 to 20, within 2 % after 4 to 55 % of the calls | steady from there |
| two-step | two changes by a factor of 1.08 to 4, the last after 10 to 60 %; one in six up | from the last |
| drift | log level changes by 0.15 to 1.1 until the end: linear, accelerating, or slowing, up or down | not steady |
| cyclic | square, sine or sawtooth, 8 to 100 %, period 10 calls to 40 % of the curve, jitter of 10 % | not steady |
| never | random walk of 8 to 60 knots, or 6 to 20 regimes of random length and level | not steady |

One in three cyclic and never curves starts with an exponential warm-up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

Floats = npt.NDArray[np.float64]

VISIBLE = 0.08
VISIBLE_ERRORS = 6.0


@dataclass(frozen=True)
class Curve:
    """A curve and its truth. `earliest`, `latest`: indices that are right for its first steady call; None: unsteady.

    `level` is the noise-free time of each call in ns, without slow first calls; `steady_at` is the exact truth.
    """

    kind: str
    calls_ns: tuple[int, ...]
    level: Floats
    steady_at: int | None
    earliest: int | None
    latest: int | None

    def is_right(self, steady_from: int | None) -> bool:
        """Whether an answer agrees with the truth."""
        if self.earliest is None or self.latest is None:
            return steady_from is None
        return steady_from is not None and self.earliest <= steady_from <= self.latest


@dataclass(frozen=True)
class Noise:
    """Noise of one curve: standard deviation of the logarithm, correlation of neighbours."""

    sigma: float
    phi: float

    def error(self, calls: float) -> float:
        """Standard error of a mean over that many calls."""
        long_run = self.sigma * np.sqrt((1.0 + self.phi) / (1.0 - self.phi))
        return float(min(self.sigma, long_run / np.sqrt(max(1.0, calls))))

    def draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Logarithms of the noise of `count` calls."""
        white = rng.normal(0.0, self.sigma * np.sqrt(1.0 - self.phi**2), count)
        white[0] = rng.normal(0.0, self.sigma)
        filtered: Floats = lfilter([1.0], [1.0, -self.phi], white)
        return filtered


@dataclass(frozen=True)
class Shape:
    """Logarithm of the noise-free level, and where it becomes steady."""

    log: Floats
    steady_at: int | None
    earliest: int | None
    latest: int | None


def draw_curve(kind: str, seed: int, seconds: float | None = None, trial: int = 0) -> Curve:
    """The curve of that kind and seed; with `seconds` as many calls as take that long at the last level.

    Trials of one seed differ in noise and disturbances only.
    """
    rng = np.random.default_rng([KINDS.index(kind), seed])
    calls = int(_log_uniform(rng, 30, 4000))
    noise = Noise(_log_uniform(rng, 0.005, 0.05), float(rng.uniform(0.0, 0.5)) if rng.random() < 0.5 else 0.0)
    call_ns = _log_uniform(rng, 2e4, 3e8)
    if seconds is not None:
        calls = max(30, min(20_000, int(seconds * 1e9 / call_ns)))
    slow_first = int(rng.choice([0, 1, 3], p=[0.5, 0.25, 0.25]))
    factor = _log_uniform(rng, 1.5, 50.0)
    shape = _SHAPES[kind](rng, calls, noise)
    rng = np.random.default_rng([KINDS.index(kind), seed, trial + 1])
    log = shape.log + noise.draw(rng, calls)
    if rng.random() < 0.5:
        slow = rng.random(calls) < rng.uniform(0.0, 0.02)
        log = log + slow * np.log(rng.uniform(1.5, 5.0, calls))
    log[:slow_first] += np.log(factor) / np.arange(1, slow_first + 1)
    earliest, latest = shape.earliest, shape.latest
    if earliest is not None and latest is not None:
        earliest, latest = max(earliest, slow_first), max(latest, slow_first + max(3, calls // 50))
    values = tuple(int(value) for value in call_ns * np.exp(log))
    return Curve(kind, values, call_ns * np.exp(shape.log), shape.steady_at, earliest, latest)


def _flat(rng: np.random.Generator, calls: int, noise: Noise) -> Shape:
    return Shape(np.zeros(calls), 0, 0, max(3, calls // 20))


def _exponential(rng: np.random.Generator, calls: int, noise: Noise) -> Shape:
    """Right: from where 4 % (or two standard errors over one τ) are left, until a tenth of the curve after 2 %."""
    while True:
        height = _log_uniform(rng, VISIBLE, 20.0)
        within = rng.uniform(0.04, 0.55) * calls
        tau = within / np.log(height / 0.02)
        if height >= VISIBLE_ERRORS * noise.error(tau):
            break
    excess = height * np.exp(-np.arange(calls) / tau)
    close = 0.02 + max(0.02, 2.0 * noise.error(tau))
    return Shape(
        np.log1p(excess),
        int(np.argmax(excess <= 0.02)),
        int(np.argmax(excess <= close)),
        int(np.argmax(excess <= 0.02)) + max(4, calls // 10),
    )


def _two_step(rng: np.random.Generator, calls: int, noise: Noise) -> Shape:
    while True:
        last = int(rng.uniform(0.10, 0.60) * calls)
        first = max(2, int(rng.uniform(0.2, 0.8) * last))
        one, two = (float(np.log(_log_uniform(rng, 1.0 + VISIBLE, 4.0))) for _ in range(2))
        seen = one >= _needed(noise, first, last - first) and two >= _needed(
            noise, last - first, calls - last
        )
        if last - first >= 3 and seen:
            break
    end = -two if rng.random() < 1 / 6 else two
    log = np.zeros(calls)
    log[:last] += end
    log[:first] += one
    slack = max(3, calls // 50)
    return Shape(log, last, max(0, last - slack), last + slack)


def _drift(rng: np.random.Generator, calls: int, noise: Noise) -> Shape:
    """The last third changes by 5 % at least, and by three standard errors of a difference of its halves."""
    place = np.linspace(0.0, 1.0, calls)
    while True:
        change = _log_uniform(rng, 0.15, 1.1)
        log = change * place ** rng.choice([0.7, 1.0, 1.5])
        tail = log[-1] - log[-calls // 3]
        if tail >= 0.05 and tail / 2 >= 3.0 * np.sqrt(2.0) * noise.error(calls / 6):
            break
    return Shape(log if rng.random() < 0.5 else -log, None, None, None)


def _cyclic(rng: np.random.Generator, calls: int, noise: Noise) -> Shape:
    while True:
        period = _log_uniform(rng, 10.0, 0.4 * calls)
        height = float(np.log1p(_log_uniform(rng, VISIBLE, 1.0)))
        if height >= _needed(noise, calls / 2, calls / 2) and height >= 2.0 * noise.sigma:
            break
    lengths = period * rng.uniform(0.9, 1.1, int(2 * calls / period) + 3)
    ends = np.cumsum(lengths) - rng.uniform(0.0, period)
    starts = np.r_[ends[0] - period, ends]
    phase = np.interp(np.arange(calls), starts, np.arange(starts.size)) % 1.0
    form = rng.choice(["square", "sine", "sawtooth"])
    if form == "square":
        wave = (phase < rng.uniform(0.3, 0.7)).astype(np.float64)
    else:
        wave = 0.5 + 0.5 * np.sin(2 * np.pi * phase) if form == "sine" else phase
    return Shape(height * wave + _start(rng, calls), None, None, None)


def _never(rng: np.random.Generator, calls: int, noise: Noise) -> Shape:
    """The last third wanders: by 5 % (standard deviation) at least, and by three standard errors of its parts."""
    while True:
        if rng.random() < 0.5:
            knots = int(_log_uniform(rng, 8, min(60, max(9, calls / 4))))
            walk = np.cumsum(rng.normal(0.0, _log_uniform(rng, 0.02, 0.3), knots))
            parts = float(knots)
            log = np.interp(np.linspace(0.0, knots - 1.0, calls), np.arange(knots), walk)
        else:
            regimes = int(_log_uniform(rng, 6, min(20, max(7, calls / 5))))
            ends = np.sort(rng.choice(np.arange(4, calls - 4), regimes - 1, replace=False))
            levels = rng.normal(0.0, _log_uniform(rng, 0.05, 0.4), regimes)
            log = levels[np.searchsorted(ends, np.arange(calls), "right")]
            parts = float(regimes)
        # 2.56 standard deviations of a normal distribution; one short regime does not count.
        tail = float(np.ptp(np.quantile(log[-calls // 3 :], (0.1, 0.9)))) / 2.56
        if tail >= max(0.05, 3.0 * noise.error(calls / parts)) and np.ptp(log) < 2.5:
            return Shape(log - log.min() + _start(rng, calls), None, None, None)


def _start(rng: np.random.Generator, calls: int) -> Floats:
    if rng.random() < 2 / 3:
        return np.zeros(calls)
    tau = rng.uniform(0.01, 0.08) * calls
    return np.log1p(_log_uniform(rng, 0.2, 5.0) * np.exp(-np.arange(calls) / tau))


def _needed(noise: Noise, before: float, after: float) -> float:
    return VISIBLE_ERRORS * float(np.hypot(noise.error(before), noise.error(after)))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


_SHAPES: dict[str, Callable[[np.random.Generator, int, Noise], Shape]] = {
    "flat": _flat,
    "exponential": _exponential,
    "two-step": _two_step,
    "drift": _drift,
    "cyclic": _cyclic,
    "never": _never,
}
KINDS = tuple(_SHAPES)

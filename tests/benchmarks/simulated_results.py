"""Results of a machine whose truth is known: synthetic samples with the kinds of noise that real machines have.

The logarithm of a sample is the sum of

* the contender's true latency,
* a level of the process (trial): memory layout, thread placement; independent for each contender and trial,
* a drift of the machine, shared by all contenders of a round and correlated from round to round,
* a level of the block, because the blocks of a round are not measured at the same moment,
* noise of the sample, correlated with the sample before it, with a one-sided heavy tail,
* stretches of stolen time, in which calls take a multiple of their time.

All noise but the contender's own latency has the same distribution for every contender, and the level of a process
is symmetric on the logarithmic scale, so the true ratio of two contenders is the ratio of their latencies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.records import Result, Round, Settings, Trial
from tests.factories import make_case, make_result, make_run

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Standard deviations as shares of the latency; probabilities a sample or a block."""

    process: float = 0.0
    process_tail: bool = False
    """Student's t with 3 degrees of freedom in place of a normal distribution."""
    process_modes: float = 0.0
    """Processes come in two equally likely modes that lie this share apart (on top of `process`)."""
    drift: float = 0.0
    block: float = 0.0
    sample: float = 0.0
    correlation: float = 0.0
    """Correlation of a sample with the one before it, in its block."""
    spikes: float = 0.0
    """Probability that a sample takes longer by a Pareto-distributed factor."""
    stolen: float = 0.0
    """Probability that a block has a stretch of stolen time."""


NOISES: dict[str, Noise] = {
    "quiet": Noise(process=0.003, drift=0.01, block=0.003, sample=0.01, correlation=0.2, spikes=0.01),
    "ordinary": Noise(
        process=0.01, drift=0.04, block=0.01, sample=0.03, correlation=0.5, spikes=0.02, stolen=0.05
    ),
    "loaded": Noise(
        process=0.025, drift=0.15, block=0.04, sample=0.08, correlation=0.8, spikes=0.05, stolen=0.3
    ),
    "blocks only": Noise(drift=0.04, block=0.02, sample=0.03, correlation=0.5, spikes=0.02, stolen=0.05),
    "heavy tail": Noise(
        process=0.01, process_tail=True, drift=0.04, block=0.01, sample=0.03, correlation=0.5, spikes=0.02
    ),
    "two modes": Noise(process=0.002, process_modes=0.05, drift=0.02, block=0.005, sample=0.02, spikes=0.02),
}
"""Machines by name, quietest first; the last three are the shapes that intervals for normal noise may fail on."""


def draw_samples(
    random: np.random.Generator,
    noise: Noise,
    latencies: Sequence[float],
    *,
    trials: int,
    rounds: int,
    samples: int,
) -> Floats:
    """Latencies in the unit of `latencies`; shape (contenders, trials, rounds, samples)."""
    shape = (len(latencies), trials, rounds, samples)
    log = np.log(np.asarray(latencies, dtype=np.float64))[:, None, None, None]
    log = log + process_levels(random, noise, shape[:2])[:, :, None, None]
    log = (
        log
        + noise.drift * _correlated(random, (trials * rounds,), 0.9).reshape(trials, rounds)[None, :, :, None]
    )
    log = log + noise.block * random.standard_normal(shape[:3])[..., None]
    log = log + noise.sample * _correlated(random, shape, noise.correlation)
    factor = 1.0 + (random.random(shape) < noise.spikes) * random.pareto(2.5, shape)
    return np.exp(log) * factor * (1.0 + _stolen(random, noise, shape))


def process_levels(random: np.random.Generator, noise: Noise, shape: tuple[int, ...]) -> Floats:
    """Levels of processes on the logarithmic scale, symmetric around 0, with the standard deviations of `noise`."""
    levels = (
        random.standard_t(3, shape) / np.sqrt(3.0) if noise.process_tail else random.standard_normal(shape)
    )
    modes = np.where(random.random(shape) < 0.5, -0.5, 0.5)
    return noise.process * levels + noise.process_modes * modes


def simulate_group(
    random: np.random.Generator,
    noise: Noise,
    latencies: Sequence[float],
    *,
    trials: int,
    rounds: int = 6,
    samples: int = 15,
    settings: Settings | None = None,
) -> list[Result]:
    """Results of one group, contenders "c0", "c1", ... with `latencies` in milliseconds."""
    times = draw_samples(random, noise, latencies, trials=trials, rounds=rounds, samples=samples)
    nanoseconds = np.maximum(1, np.rint(times * 1e6)).astype(np.int64)
    base = make_result(run=make_run(settings=settings or Settings()), trials=())
    return [
        base.model_copy(
            update={
                "id": f"result-{number}",
                "case": make_case(f"c{number}"),
                "trials": tuple(_trial(index, rounds_) for index, rounds_ in enumerate(contender.tolist())),
            }
        )
        for number, contender in enumerate(nanoseconds)
    ]


def _trial(index: int, rounds: list[list[int]]) -> Trial:
    # The fields are of the declared types already; validating millions of samples would take most of the time.
    made: Any = tuple(
        Round.model_construct(index=number, position=0, input_set="normal:0", samples_ns=tuple(samples))
        for number, samples in enumerate(rounds)
    )
    return Trial.model_construct(
        index=index,
        import_ns=1,
        load_ns=1,
        first_inference_ns=1,
        warmup_ns=(1, 1),
        steady_from=0,
        rounds=made,
    )


def _correlated(random: np.random.Generator, shape: tuple[int, ...], correlation: float) -> Floats:
    """Stationary AR(1) series of unit variance along the last axis."""
    series = random.standard_normal(shape)
    for place in range(1, shape[-1]):
        series[..., place] *= np.sqrt(1.0 - correlation**2)
        series[..., place] += correlation * series[..., place - 1]
    return series


def _stolen(random: np.random.Generator, noise: Noise, shape: tuple[int, ...]) -> Floats:
    """Share by which calls are longer: nothing, but in some blocks a stretch of up to a third is one to three."""
    samples = shape[-1]
    hit = random.random(shape[:-1]) < noise.stolen
    start = random.integers(0, samples, shape[:-1])
    length = random.integers(1, max(2, samples // 3 + 1), shape[:-1])
    strength = random.uniform(1.0, 3.0, shape[:-1])
    place = np.arange(samples)
    inside = (place >= start[..., None]) & (place < (start + length)[..., None])
    stretch: Floats = np.where(inside & hit[..., None], strength[..., None], 0.0)
    return stretch

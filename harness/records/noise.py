"""Raw samples of `harness doctor --noise`: the same work in two identical processes, as a comparison would do it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.environment.pressure import PressureDelta


@dataclass(frozen=True)
class ClockFacts:
    """What a loop that does nothing but read the clock saw. Nanoseconds."""

    clock: str
    """What Python reads, e.g. "clock_gettime(CLOCK_MONOTONIC)"."""
    read_ns: float
    """Median time from one reading to the next."""
    resolution_ns: int
    """Smallest step above 0 between two readings."""
    watched_ns: int
    """How long the loop ran."""
    gap_from_ns: int
    """Steps longer than this are gaps."""
    gaps: int
    gap_total_ns: int
    longest_ns: tuple[int, ...]
    """The longest gaps, longest first."""
    backwards: int
    """Readings below the one before."""


@dataclass(frozen=True)
class NoiseBlock:
    """One block of one of the two processes, which are called 0 and 1."""

    round: int
    side: int
    position: int
    at_s: float
    """When it began, from the beginning of the whole measurement."""
    samples_ns: tuple[int, ...]


@dataclass(frozen=True)
class NoiseTrial:
    """Two fresh processes, measured in rounds."""

    startup_s: float
    blocks: tuple[NoiseBlock, ...]


@dataclass(frozen=True)
class NoiseSamples:
    """All that was measured."""

    seconds: float
    threads: int
    clock: ClockFacts
    trials: tuple[NoiseTrial, ...]
    pressure: PressureDelta

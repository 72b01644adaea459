"""What in the machine's noise deserves advice, beside what the kernel's counters tell."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.noise import NoiseFigures
from harness.records import Warning_
from harness.records.noise import ClockFacts

SLOW_READ_NS = 500.0
"""A reading from Python takes 40 to 100 ns where the kernel is not entered."""
COARSE_NS = 1000
LOST_SHARE = 0.01
LONG_GAP_NS = 10_000_000
DRIFT = 0.05
WANDER = 0.10
PROCESS_RATIO = 2.0
PROCESS_SHARE = 0.01


def doubts(figures: NoiseFigures, clock: ClockFacts) -> tuple[Warning_, ...]:
    """Doubts about the clock, hiccups, drift and the A/A comparison."""
    return (*_clock(clock), *_hiccups(figures), *_levels(figures), *_same_work(figures))


def _clock(clock: ClockFacts) -> Iterator[Warning_]:
    if clock.read_ns > SLOW_READ_NS:
        yield Warning_(
            code="slow_clock_reads",
            message=f"Reading the clock takes {clock.read_ns:.0f} ns.",
            figure=clock.read_ns,
            consequence="Short calls are timed in batches, so that their high percentiles are not known.",
            advice="Look at the kernel's clock source; where tsc is stable, boot with `clocksource=tsc`.",
        )
    if clock.resolution_ns > COARSE_NS:
        yield Warning_(
            code="coarse_clock",
            message=f"The clock advances in steps of {clock.resolution_ns} ns.",
            figure=float(clock.resolution_ns),
            consequence="Calls shorter than a thousand steps come out as a handful of different values.",
            advice="Look at the kernel's clock source, and compare longer calls (a larger `--batch`).",
        )
    if clock.backwards:
        yield Warning_(
            code="clock_runs_backwards",
            message=f"The clock went backwards {clock.backwards} times while it was watched.",
            figure=float(clock.backwards),
            consequence="No latency measured here can be believed.",
            advice="Look for `clocksource` in `dmesg`, and update the kernel or the hypervisor.",
        )


def _hiccups(figures: NoiseFigures) -> Iterator[Warning_]:
    if figures.lost_share > LOST_SHARE or figures.longest_gap_ns > LONG_GAP_NS:
        yield Warning_(
            code="hiccups",
            message=f"A loop that only reads the clock lost {figures.lost_share * 1000:.1f} ms a second to others, "
            f"at most {figures.longest_gap_ns / 1e6:.1f} ms at once.",
            figure=figures.lost_share,
            consequence="Calls that are hit take that much longer: high percentiles show the machine, not the engine.",
            advice="Stop other work; leave one core free (`--threads`); on bare metal move interrupts away from the "
            "cores in use.",
        )


def _levels(figures: NoiseFigures) -> Iterator[Warning_]:
    if abs(figures.drift) > DRIFT:
        yield Warning_(
            code="machine_drifts",
            message=f"The machine became {abs(figures.drift):.0%} {'slower' if figures.drift > 0 else 'faster'} "
            "while it was watched.",
            figure=figures.drift,
            consequence="Engines timed one after the other would differ by as much; in rounds they do not.",
            advice="Let it warm up, look for work that began or ended, and do not compare latencies across runs.",
        )
    elif figures.wander > WANDER:
        yield Warning_(
            code="machine_wanders",
            message=f"The same work took up to {figures.wander:.0%} longer in some processes than in others.",
            figure=figures.wander,
            consequence="Absolute latencies hold for a moment only; ratios within a round hold better.",
            advice="Quieten the machine: other processes, frequency governor, neighbours on the host.",
        )
    added = figures.components.trial
    if added > PROCESS_SHARE and added > PROCESS_RATIO * figures.components.round:
        yield Warning_(
            code="processes_differ",
            message=f"Identical processes differ by {added:.1%}, blocks of one only by {figures.components.round:.1%}.",
            figure=added,
            consequence="Every fresh process is fast or slow in its own way; longer blocks cannot average that out.",
            advice="Spend the time on trials: `--min-trials 8`, or more.",
        )


def _same_work(figures: NoiseFigures) -> Iterator[Warning_]:
    interval = figures.interval
    if figures.verdict in ("faster", "slower") and interval is not None:
        yield Warning_(
            code="false_difference",
            message=f"Two identical processes were called different: {figures.ratio:.3f} "
            f"[{interval.low:.3f}, {interval.high:.3f}].",
            figure=figures.ratio,
            consequence="This machine was so uneven that a comparison found a difference where there is none.",
            advice="Do not compare engines now. Stop other work and ask again.",
        )

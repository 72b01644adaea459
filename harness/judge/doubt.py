"""Self-doubt: what makes a measurement less believable than it looks. Pure functions of figures.

A figure that is missing is a doubt of its own, never silence: silence would read as "all fine".
"""

from __future__ import annotations

from harness.environment.pressure import PressureDelta
from harness.judge import (
    doubt_asked,
    doubt_inputs,
    doubt_machine,
    doubt_numbers,
    doubt_samples,
    doubt_stages,
    doubt_tempo,
)
from harness.records import Machine, Result, Warning_


def doubts_of_run(delta: PressureDelta | None, machine: Machine) -> tuple[Warning_, ...]:
    """Doubts about the machine while it measured: stolen, shared, throttled, swapping, hot, clocked up
    and down.

    `delta` spans the measurement; None when no counters were read.
    """
    tempo = doubt_tempo.doubts(delta, machine) if delta is not None else ()
    return doubt_machine.doubts(delta, machine) + tempo


def doubts_of_result(result: Result) -> tuple[Warning_, ...]:
    """Doubts about one contender's samples, and about whether the engine ran as asked.

    Empty for a result without a measurement (its `failure` says why), except that a result that claims to be
    measured and has no samples is doubted.
    """
    if result.status not in ("measured", "interrupted"):
        return ()
    return (
        *doubt_samples.doubts(result),
        *doubt_inputs.doubts(result),
        *doubt_stages.doubts(result),
        *doubt_numbers.doubts(result),
        *doubt_asked.doubts(result),
    )

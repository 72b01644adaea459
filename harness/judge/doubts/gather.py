"""Self-doubt: what makes a measurement less believable than it looks. Pure functions of figures.

A figure that is missing is a doubt of its own, never silence: silence would read as "all fine".
"""

from __future__ import annotations

from harness.environment.pressure import PressureDelta
from harness.judge.doubts import asked, inputs, numbers, samples, stages, tempo, work
from harness.judge.doubts import machine as machine_doubts
from harness.records import Machine, Result, Warning_


def doubts_of_run(delta: PressureDelta | None, machine: Machine) -> tuple[Warning_, ...]:
    """Doubts about the machine while it measured: stolen, shared, throttled, swapping, hot, clocked up and down.

    `delta` spans the measurement; None when no counters were read.
    """
    of_tempo = tempo.doubts(delta, machine) if delta is not None else ()
    return machine_doubts.doubts(delta, machine) + of_tempo


def doubts_of_result(result: Result) -> tuple[Warning_, ...]:
    """Doubts about one contender's samples, and about whether the engine ran as asked.

    Empty for a result without a measurement (its `failure` says why), except that a result that claims to be
    measured and has no samples is doubted.
    """
    if result.status not in ("measured", "interrupted"):
        return ()
    return (
        *samples.doubts(result),
        *inputs.doubts(result),
        *stages.doubts(result),
        *numbers.doubts(result),
        *work.doubts(result),
        *asked.doubts(result),
    )

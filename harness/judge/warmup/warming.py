"""When to stop warming up. Pure functions of the calls so far and of what earlier trials showed.

How often this stops too early, and what it costs: `docs/decisions/0007-steady-state.md`.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from harness.judge.warmup.steady import Steadiness, judge_warmup
from harness.records import Trial

CHUNK_NS = 250_000_000
CHUNK_CALLS = 1_000
"""The curve is judged after each chunk, whichever limit comes first."""

MAX_CALLS = 12_000
"""A curve is kept call by call; what has not become steady in so many calls is reported so."""

TAIL_NS = 500_000_000
TAIL_CALLS = 10
"""The steady tail must last this long and have so many calls."""

MANY_CALLS = 4_000
"""From so many calls on, a steady curve need not last any time."""

TAIL_SHARE = 0.5
"""... and be this share of the calls: a step later than that is late against all that came before."""

REPEATS = 4.0
CYCLE_NS = 2_000_000_000
"""A cycle seen so often, over so long, will not end: further warm-up says nothing new."""

WANDER_NS = 3_000_000_000
IMPROVING = 0.98
"""What wanders without order for so long, and whose last third is no faster than this share of the third before it,
is not warming up: that machine will not be calmer in some seconds."""

FIRST_NS = 1_500_000_000
"""The first trial of a contender looks this long at least: nothing is known yet about later steps."""

LEEWAY = 1.25
"""Later trials pass the place where earlier ones became steady by this factor, and by a tail."""

FASTER = 0.8
"""Blocks below this share of the warm-up's last level: the contender was still warming up."""

CAUTION = 2.0
"""Then the next trial warms up so many times as long."""


def warm_enough(calls_ns: Sequence[int], longest_s: float, least_ns: int = 0) -> Steadiness | None:
    """The judgement on the warm-up when it may end after these calls, None when it must go on.

    calls_ns: all calls so far, the first one included; longest_s: limit of the user; least_ns: from `least_warm_up`.
    """
    spent = sum(calls_ns)
    over = spent - calls_ns[0] >= longest_s * 1e9 if calls_ns else False
    found = judge_warmup(calls_ns)
    if over or len(calls_ns) >= MAX_CALLS:
        return found
    if found.kind == "cyclic" and found.cycle is not None:
        lasting = found.cycle.repeats >= REPEATS and spent >= max(CYCLE_NS, least_ns)
        return found if lasting else None
    if found.kind == "unsteady" and spent >= max(WANDER_NS, least_ns) and not _improves(calls_ns):
        return found
    if found.steady_from is None or (spent < least_ns and len(calls_ns) < MANY_CALLS):
        return None
    tail = calls_ns[found.steady_from :]
    if len(tail) < TAIL_CALLS or (sum(tail) < TAIL_NS and len(calls_ns) < MANY_CALLS):
        return None
    return found if len(tail) >= TAIL_SHARE * len(calls_ns) else None


def _improves(calls_ns: Sequence[int]) -> bool:
    third = len(calls_ns) // 3
    return statistics.median(calls_ns[-third:]) < IMPROVING * statistics.median(calls_ns[-2 * third : -third])


def least_warm_up(earlier: Sequence[Trial]) -> int:
    """Nanoseconds, first call included, before which the next trial of a contender does not end its warm-up.

    The median of what earlier trials needed to become steady, and some more; without any, `FIRST_NS`. A trial whose
    blocks were faster than the end of its warm-up by more than a fifth was not warm yet: it counts with twice its
    warm-up.
    """
    needs = [need for trial in earlier if (need := _needed(trial)) is not None]
    return int(statistics.median_high(needs)) if needs else FIRST_NS


def still_warming(trial: Trial) -> float | None:
    """By which share of the warm-up's last level the blocks were faster; None when not by more than a fifth."""
    blocks = [
        statistics.median(item.samples_ns) / item.calls_per_sample for item in trial.rounds if item.samples_ns
    ]
    if not blocks or trial.steady_from is None or trial.steady_from >= len(trial.warmup_ns):
        return None
    level = statistics.median(trial.warmup_ns[trial.steady_from :])
    ratio = statistics.median(blocks) / max(level, 1)
    return 1.0 - ratio if ratio < FASTER else None


def _needed(trial: Trial) -> int | None:
    if not trial.warmup_ns or trial.steady_from is None:
        return None
    if still_warming(trial) is not None:
        return int(CAUTION * sum(trial.warmup_ns))
    return int(LEEWAY * sum(trial.warmup_ns[: trial.steady_from])) + TAIL_NS

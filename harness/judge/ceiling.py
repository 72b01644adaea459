"""When a ceiling is known: which ways of reaching it are worth repeating, and when repeating gives no more.

A neighbour's load only ever lowers a rate, so the fastest call is the estimate; it approaches the ceiling from below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.environment.pressure import PressureDelta
from harness.judge.doubts.gather import doubts_of_run
from harness.records import Machine, Warning_

FINALISTS = 4
WITHIN = 0.4
"""A way that reached less than this share below the best at the first try is not tried again."""

MIN_ROUNDS = 6
PATIENCE = 4
GAIN = 0.005
"""Rounds end when the last `PATIENCE` of them raised the best by less than this share ..."""
CONFIRMED = 3
CLOSE = 0.02
"""... and `CONFIRMED` rounds came this close to the best: a best that was seen once may be far below the ceiling."""

RESTLESS_CANARY = 0.10
RESTLESS_SPREAD = 0.10
HIGHER = "The true ceiling may be higher, and shares of it smaller."
AGAIN = "Measure it again with `harness roofline --fresh` when the machine is idle."

_OF_THE_MOMENT = {"stolen_time", "competing_load", "cgroup_throttled", "swapping", "thermal_throttling"}


def block_rate(amount: int, times_ns: Sequence[int]) -> float:
    """Operations or bytes a second of a block's fastest call; `amount` is that of one call."""
    return amount * 1e9 / min(times_ns)


def finalists(rates: Mapping[str, float]) -> list[str]:
    """The ways worth repeating, best first: those within `WITHIN` of the best, at most `FINALISTS`."""
    ordered = sorted(rates, key=lambda name: rates[name], reverse=True)
    return [name for name in ordered if rates[name] >= (1 - WITHIN) * rates[ordered[0]]][:FINALISTS]


def is_settled(rounds: Sequence[float]) -> bool:
    """Whether further rounds would hardly give more: `rounds` holds the best rate of each."""
    if len(rounds) < MIN_ROUNDS:
        return False
    before, best = max(rounds[:-PATIENCE]), max(rounds)
    confirmed = sum(rate >= (1 - CLOSE) * best for rate in rounds) >= CONFIRMED
    return confirmed and best <= before * (1 + GAIN)


def doubts(
    *,
    settled: bool,
    spread: float,
    canary_spread: float | None,
    pressure: PressureDelta | None,
    machine: Machine,
) -> tuple[Warning_, ...]:
    """What speaks against a ceiling; each time the true one may be higher than the one found."""
    found = [
        warning.model_copy(update={"consequence": HIGHER, "advice": AGAIN})
        for warning in doubts_of_run(pressure, machine)
        if warning.code in _OF_THE_MOMENT
    ]
    if not settled:
        found.append(
            Warning_(
                code="ceiling_unsettled",
                message="The best rate had not been confirmed by further rounds when the time for it was over.",
                consequence=HIGHER,
                advice=AGAIN,
            )
        )
    if spread > RESTLESS_SPREAD:
        found.append(
            Warning_(
                code="ceiling_restless",
                message=f"The typical round stayed {spread:.0%} below the best one.",
                figure=spread,
                consequence=HIGHER,
                advice=AGAIN,
            )
        )
    if canary_spread is None:
        found.append(
            Warning_(
                code="ceiling_no_canary",
                message="The machine's own speed was not watched.",
                consequence=HIGHER,
                advice=AGAIN,
            )
        )
    elif canary_spread > RESTLESS_CANARY:
        found.append(
            Warning_(
                code="ceiling_machine_restless",
                message=f"A fixed piece of work took up to {canary_spread:.0%} longer at some times than at others.",
                figure=canary_spread,
                consequence=HIGHER,
                advice=AGAIN,
            )
        )
    return tuple(found)

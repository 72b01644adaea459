"""Words for a warm-up that did not become steady: how, by how much, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.judge.warmup.steady import Kind, Steadiness

_ADVICE: dict[Kind, str] = {
    "drift": "Allow a longer warm-up (`--warmup-max`). Calls that keep slowing down point to a processor that heats "
    "up or memory that grows.",
    "cyclic": "A longer warm-up does not help. Look for work that comes back: garbage collection, a power or CPU "
    "quota, another process with a timer. Blocks (`--budget`) should be longer than the cycle.",
    "unsteady": "Quieten the machine: other processes, neighbours on the host. If it is quiet, look at the warm-up "
    "curve: threads that move between cores, or fewer cores than threads.",
    "too_short": "Allow a longer warm-up (`--warmup-max`), or take a smaller model or batch.",
}
_LATE = "Allow a longer warm-up (`--warmup-max`): the level of the end was reached late."


def how_unsteady(judged: Sequence[Steadiness]) -> tuple[str, str]:
    """What the unsteady warm-ups of one contender did, and advice: the commonest kind, with its largest figure.

    At least one warm-up.
    """
    kind = Counter(item.kind for item in judged).most_common(1)[0][0]
    worst = max((item for item in judged if item.kind == kind), key=_size)
    return _words(worst), _ADVICE.get(kind, _LATE)


def _size(item: Steadiness) -> float:
    if item.kind == "cyclic" and item.cycle is not None:
        return item.cycle.height
    return abs(item.trend) if item.kind == "drift" else item.wander


def _words(item: Steadiness) -> str:
    if item.kind == "drift":
        way = "faster" if item.trend < 0 else "slower"
        return f"calls kept getting {way}, by {abs(item.trend):.0%} over the last two thirds"
    if item.kind == "cyclic" and item.cycle is not None:
        return f"a cycle of {item.cycle.period} calls, its slow half {item.cycle.height:.0%} slower"
    if item.kind == "unsteady":
        return (
            f"levels without order, {item.wander:.0%} apart in the last two thirds, "
            f"{item.level_ns / 1e6:.3g} ms at the end"
        )
    if item.kind == "too_short":
        return f"{item.calls} calls are too few to judge"
    return "steady for too short a time"

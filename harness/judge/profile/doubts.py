"""Doubts about a profile: what its layers leave out, what the profiler costs, whether the machine stood still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from harness.records import Warning_

GAP = 0.1
"""A difference between the sum of the layers and a whole call beyond this share is a warning."""
SLOWED = 0.1
"""The same for calls with and without the profiler."""
UNMATCHED_SHARE = 0.05
"""Time without an ONNX node beyond this share of a contender's layers is a warning."""

ROUGH = "Something else used the machine meanwhile; the figures are rough."
AGAIN = "Profile again when the machine is quiet."


@dataclass(frozen=True)
class Figures:
    """What is doubted: seconds a call (see `profile_table.Column`), and the share of time without an ONNX node."""

    layers_s: float
    whole_s: float | None
    profiled_s: float
    unprofiled_s: float
    unmatched_share: float


def doubts(figures: Figures, unprofiled_ns: Sequence[int], notes: Sequence[str]) -> tuple[Warning_, ...]:
    """Gaps beyond their limits. `unprofiled_ns`: as many calls before the profile as after."""
    layers_s, whole_s, unprofiled_s = figures.layers_s, figures.whole_s, figures.unprofiled_s
    drift = _drift(unprofiled_ns)
    found = []
    if whole_s is not None and abs(gap := layers_s / whole_s - 1) > GAP:
        found.append(
            Warning_(
                code="profile_sum_of_whole",
                message=f"its layers add up to {_off(gap)} the whole call as the engine times it.",
                figure=gap,
                consequence="That part of the call is in no layer: the engine's own work between layers.",
                advice="Shares are of the layers, not of the call.",
            )
        )
    if abs(gap := layers_s / unprofiled_s - 1) > GAP:
        found.append(
            Warning_(
                code="profile_sum_of_latency",
                message=f"its layers add up to {_off(gap)} the call without the profiler.",
                figure=gap,
                consequence=(
                    ROUGH
                    if drift > SLOWED
                    else "The profiler's own cost is in the layers."
                    if gap > 0
                    else "Part of the call is in no layer, or too short for the profiler's clock."
                ),
                advice="Compare layers by their shares; for latency use `harness compare`.",
            )
        )
    if abs(slowed := figures.profiled_s / unprofiled_s - 1) > SLOWED:
        words = f"{abs(slowed):.0%} slower" if slowed > 0 else f"{abs(slowed):.0%} faster"
        found.append(
            Warning_(
                code="profile_slowed",
                message=f"with its profiler on it is {words}.",
                figure=slowed,
                consequence=(
                    ROUGH
                    if drift > SLOWED or slowed < 0
                    else "The profile is of a slower engine than the one that is used."
                ),
                advice=AGAIN
                if drift > SLOWED or slowed < 0
                else "A larger batch makes the profiler's cost small.",
            )
        )
    if drift > SLOWED:
        found.append(
            Warning_(
                code="profile_unsteady",
                message=f"its call without the profiler changed by {drift:.0%} between before and after.",
                figure=drift,
                consequence=ROUGH,
                advice=AGAIN,
            )
        )
    if figures.unmatched_share > UNMATCHED_SHARE:
        found.append(
            Warning_(
                code="profile_unmatched",
                message=f"{figures.unmatched_share:.0%} of its layers' time belongs to no ONNX node.",
                figure=figures.unmatched_share,
                consequence="Rows of the table leave that time out.",
                advice="; ".join(notes) or "The layers are listed under 'not matched'.",
            )
        )
    return tuple(found)


def _drift(unprofiled_ns: Sequence[int]) -> float:
    """Share by which the slower half of the unprofiled calls, before or after, is slower in the median."""
    half = len(unprofiled_ns) // 2
    if half == 0:
        return 0.0
    before, after = median(unprofiled_ns[:half]), median(unprofiled_ns[half:])
    return max(before, after) / min(before, after) - 1 if min(before, after) > 0 else 0.0


def _off(gap: float) -> str:
    return f"{abs(gap):.0%} {'more' if gap > 0 else 'less'} than"

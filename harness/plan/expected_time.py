"""How long a plan will take, for a dry run: from history where there is some, else from rough constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.plan.cases import Plan

REFERENCE_S = 8.0
"""Per group: reference outputs in float64 and float32. Once exported and cached it is less."""

PREPARE_S = 4.0
"""Per contender of a group: build, and the check of its outputs."""

START_UP_S = 4.0
"""Per contender and trial: import, load, warm-up. Engines took 0.5 to 6 s on ResNet-50 and two cores."""

FEWEST_TRIALS = 2
"""Trials that are run even beyond the budget, because fewer give no interval."""

Source = Literal["history", "estimate"]


@dataclass(frozen=True)
class ExpectedGroupTime:
    """Seconds that one group will take, and where the figure comes from."""

    key: str
    seconds: float
    source: Source


@dataclass(frozen=True)
class ExpectedTime:
    """Seconds that a plan will take. An estimate is for a budget that is used up; narrow intervals end it earlier."""

    groups: tuple[ExpectedGroupTime, ...]

    @property
    def seconds(self) -> float:
        """The sum over the groups."""
        return sum(group.seconds for group in self.groups)


def expected_seconds(plan: Plan, measured: Mapping[str, float] | None = None) -> ExpectedTime:
    """Expected time of every group; `measured` maps group keys to the seconds that the group took before."""
    known = measured or {}
    groups = []
    for group in plan.groups:
        if group.key in known:
            groups.append(ExpectedGroupTime(group.key, known[group.key], "history"))
            continue
        count = len(group.contenders)
        trials_s = max(plan.settings.budget_s, FEWEST_TRIALS * START_UP_S * count)
        seconds = REFERENCE_S + PREPARE_S * count + trials_s
        groups.append(ExpectedGroupTime(group.key, seconds, "estimate"))
    return ExpectedTime(tuple(groups))

"""The exit code of a comparison or suite. A pure function: nothing missing may come out as 0."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import ExitCode
from harness.judge.comparison import Group


def exit_code(
    groups: Sequence[Group], *, unusable_models: int = 0, failed_gates: int = 0, interrupted: bool = False
) -> ExitCode:
    """0 only when every contender was measured, every output is known to be right, timed calls did the work, and every
    gate holds.
    """
    if interrupted:
        return ExitCode.INTERRUPTED
    contenders = [contender for group in groups for contender in group.contenders]
    if not any(contender.p50.samples for contender in contenders):
        return ExitCode.NOTHING_MEASURED
    complete = all(c.status == "measured" and c.sound for c in contenders)
    return ExitCode.OK if complete and not unusable_models and not failed_gates else ExitCode.NEGATIVE

"""Are the outputs of timed calls the checked ones?"""

from __future__ import annotations

from collections.abc import Iterable

from harness.judge.parity.budgets import UNIT_ROUNDOFF, budgets
from harness.records import OutputParity, ParityStatus


def judge_drift(
    drift: float | None, outputs: Iterable[OutputParity], precision: str
) -> tuple[ParityStatus, str]:
    """Are the outputs of timed calls the checked ones?

    `drift`: relative difference (root mean square) between the two. Threads may add in another order from call to
    call, so rounding is allowed: the parity budget of the precision.
    """
    if drift is None:
        return "unknown", "the outputs of timed calls were not checked"
    units = [max(o.yardstick_rms, UNIT_ROUNDOFF["fp32"]) for o in outputs if o.yardstick_rms is not None]
    unit = max(units, default=UNIT_ROUNDOFF["fp32"])
    allowed = budgets(precision, unit)[0] * unit
    if drift <= allowed:
        return "pass", ""
    return (
        "fail",
        f"timed calls return other outputs than checked ones (relative difference {drift:.1e}, "
        f"allowed {allowed:.1e})",
    )

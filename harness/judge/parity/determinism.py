"""Does the reference agree with itself? What is random cannot be right or wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backends.contract import Array
from harness.judge.parity.budgets import UNIT_ROUNDOFF
from harness.records import SelfAgreement

TOLERATED = 0.01
"""Yardsticks by which two runs in float64 may differ: threads may add in another order. Random numbers differ by
10^5 yardsticks and more; a verdict does not move by a hundredth of one."""


def judge_agreement(
    input_set: str, first: Mapping[str, Array], second: Mapping[str, Array], yardstick: Mapping[str, Array]
) -> tuple[SelfAgreement, ...]:
    """The outputs on which two runs of the reference disagree; none is what it should be.

    All are outputs by name, of one input set: `first` and `second` in float64, `yardstick` in float32.
    """
    found = (_compare(input_set, name, first[name], second[name], yardstick[name]) for name in first)
    return tuple(one for one in found if not one.agrees)


def _compare(input_set: str, output: str, first: Array, second: Array, yardstick: Array) -> SelfAgreement:
    if first.shape != second.shape:
        return SelfAgreement(
            input_set=input_set,
            output=output,
            agrees=False,
            differing=first.size,
            total=first.size,
            difference=float("inf"),
        )
    same = (first == second) | ((first != first) & (second != second))
    differing = int(first.size - np.count_nonzero(same))
    difference = _relative(first, second, same)
    allowed = 0.0
    if first.dtype.kind == "f" and differing:
        allowed = TOLERATED * max(_relative(first, yardstick, first == yardstick), UNIT_ROUNDOFF["fp32"])
    return SelfAgreement(
        input_set=input_set,
        output=output,
        agrees=differing == 0 or difference <= allowed,
        differing=differing,
        total=first.size,
        difference=difference,
    )


def _relative(first: Array, second: Array, same: Array) -> float:
    """Root mean square of the difference over that of `first`; infinite where only one of two is finite."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where(same, 0.0, a - b)
        if not np.isfinite(apart).all():
            return float("inf")
        scale = float(np.sqrt(np.mean(np.square(a[np.isfinite(a)])))) if np.isfinite(a).any() else 0.0
        return float(np.sqrt(np.mean(np.square(apart)))) / (scale or 1.0) if apart.size else 0.0

"""How much error a precision may have, in units of the yardstick's own.

`docs/decisions/0004-parity-budgets.md` says where the figures come from.
"""

from __future__ import annotations

UNIT_ROUNDOFF = {"fp32": 2.0**-24, "tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}
"""Half the distance from 1 to the next number of the format (Higham, *Accuracy and Stability*, 2.1)."""

BUDGET_RMS = 10.0
"""Yardsticks of error that a float32 engine may have: another order of summation, fused or Winograd kernels."""

BUDGET_MAX = 20.0
"""The same for the largest single error."""

INT8_SHARE = 0.10
"""Quantised engines are not compared with rounding errors: error up to this share of the output's own size."""


def budgets(precision: str, yardstick: float) -> tuple[float, float]:
    """Budgets (root mean square, maximum) in yardsticks. Lower precisions scale with their unit roundoff."""
    if precision == "int8":
        return INT8_SHARE / yardstick, 10 * INT8_SHARE / yardstick
    scale = UNIT_ROUNDOFF[precision] / UNIT_ROUNDOFF["fp32"]
    return BUDGET_RMS * scale, BUDGET_MAX * scale

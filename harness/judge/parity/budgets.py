"""How much error a precision may have, in units of the yardstick's own.

`docs/decisions/0004-parity-budgets.md` says where the figures come from.
"""

from __future__ import annotations

import math

UNIT_ROUNDOFF = {"fp32": 2.0**-24, "tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}
"""Half the distance from 1 to the next number of the format (Higham, *Accuracy and Stability*, 2.1)."""

BUDGET = 10.0
"""Yardsticks of error that a float32 engine may have: another order of summation, approximated functions, Winograd."""

BUDGET_LOW = 5.0
"""The same for lower precisions, in their own roundings: engines add up in float32, so there is less to differ in."""

TIE_ROUNDINGS = 10.0
"""How many roundings of its precision an engine's error may be worth where it flips a near-tie."""

LARGEST = 1.5
"""The largest single error may be so many times further from the yardstick's: it varies more than a mean does."""

QUANTISERS = 128
CREST = 4.0
INT8_SHARE = math.sqrt(QUANTISERS) * (2 * CREST / 255) / math.sqrt(12)
"""Error that a quantised engine may have, as a share of the output's own size (root mean square): 0.10.

A quantiser with step D adds an error of D / sqrt(12) (Bennett, *Spectra of Quantized Signals*, 1948). 8 bits over
±CREST root mean squares have the step 2 CREST / 255; the errors of QUANTISERS tensors, taken as independent, add up as
their squares do. 128 are the weights and activations of 64 layers.
"""

OUTLIER = 5.0
INT8_LARGEST = OUTLIER - CREST + OUTLIER * INT8_SHARE
"""Largest single error, as a share of the output's size: 1.5. What lies beyond a quantiser's range is cut off, and one
normal number in 10^6, of signals as of errors, is OUTLIER root mean squares large.
"""

SMALLEST = {"fp32": 2.0**-126, "tf32": 2.0**-126, "fp16": 2.0**-25, "bf16": 2.0**-126, "int8": 2.0**-126}
"""An absolute error that counts as rounding: engines may take subnormal numbers as 0 where those are tiny, and those of
float16, which are not, lie 2^-24 apart."""

_COARSENESS = ("fp32", "tf32", "fp16", "bf16", "int8")


def budgets(
    precision: str, yardstick: float, summands: int = 1, in_order: float = 1.0
) -> tuple[float, float]:
    """Budgets (root mean square, maximum) in yardsticks.

    `yardstick` is the unit: an error relative to the output's own size. `summands` is how many equal numbers the
    inputs have, where they are constant: then all roundings of a sum go the same way, and the error of n summands grows
    with n rather than with its square root (Higham and Mary, *A New Approach to Probabilistic Rounding Error
    Analysis*, 2019). `in_order`: the error of float32 that adds up long sums one number after the other, in
    yardsticks where these do not; every precision may have that.
    """
    in_float32 = BUDGET * math.sqrt(summands) * max(in_order, 1.0)
    if precision == "int8":
        # Near-ties of a model's own quantisers can move float32's outputs by more than its share.
        return max(INT8_SHARE / yardstick, in_float32), max(INT8_LARGEST / yardstick, LARGEST * in_float32)
    allowed = in_float32 if precision == "fp32" else max(BUDGET_LOW * widening(precision), in_float32)
    return allowed, LARGEST * allowed


def widening(precision: str) -> float:
    """How many times coarser than float32 a precision rounds; 1 for int8, whose budget is no multiple of rounding."""
    return UNIT_ROUNDOFF.get(precision, UNIT_ROUNDOFF["fp32"]) / UNIT_ROUNDOFF["fp32"]


def coarser(a: str, b: str) -> str:
    """The one of two precisions that rounds more."""
    return max(a, b, key=_COARSENESS.index)


def tie_size(precision: str) -> float:
    """How far numbers are moved, as a share of themselves, to see which integers a precision may rightly change."""
    return INT8_SHARE if precision == "int8" else TIE_ROUNDINGS * UNIT_ROUNDOFF[precision]

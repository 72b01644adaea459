"""Doubts about the numbers that a model computes with: subnormal ones slow some engines down a hundredfold.

Numbers below the smallest normal one (1.2e-38 in float32) are computed by microcode on many x86 processors, unless the
engine has the processor flush them to zero. Models with random or pruned weights have them more often than real ones.
"""

from __future__ import annotations

from harness.records import Result, Warning_

WEIGHT_SHARE = 1e-4
OUTPUT_SHARE = 1e-3


def doubts(result: Result) -> tuple[Warning_, ...]:
    """Doubts about a measured result's weights and outputs; none about what nobody counted."""
    weights = result.weight_numbers
    outputs = next((t.output_numbers for t in result.trials if t.output_numbers is not None), None)
    found: tuple[Warning_, ...] = ()
    if weights is not None:
        found += doubts_of_weights(weights.subnormal, weights.total, weights.reason)
    if outputs is not None:
        found += doubts_of_outputs(outputs.subnormal, outputs.total, outputs.reason)
    return found


def doubts_of_weights(subnormal: int | None, total: int, reason: str = "") -> tuple[Warning_, ...]:
    """`subnormal` of `total` weights are; None where they could not be counted, and `reason` says why."""
    if subnormal is None:
        return (_uncounted("weights", reason),)
    return (
        (_warning("subnormal_weights", "weights", subnormal, total),)
        if subnormal > WEIGHT_SHARE * total
        else ()
    )


def doubts_of_outputs(subnormal: int | None, total: int, reason: str = "") -> tuple[Warning_, ...]:
    """`subnormal` of `total` numbers in the checked outputs are; None where they could not be counted."""
    if subnormal is None:
        return (_uncounted("outputs", reason),)
    return (
        (_warning("subnormal_outputs", "output numbers", subnormal, total),)
        if subnormal > OUTPUT_SHARE * total
        else ()
    )


def _warning(code: str, what: str, subnormal: int, total: int) -> Warning_:
    share = subnormal / total
    return Warning_(
        code=code,
        message=f"{subnormal} of {total} {what} ({share:.2g}) are subnormal: too small to be computed at full speed.",
        figure=share,
        consequence="Engines that do not flush them to zero can be up to a hundred times slower than on other data.",
        advice="Use trained weights and real inputs, or set numbers below 1e-38 to zero, or have every engine flush "
        "them (`?denormals=flush`).",
    )


def _uncounted(what: str, reason: str) -> Warning_:
    return Warning_(
        code="subnormals_unknown",
        message=f"Whether {what} are subnormal could not be found out{f': {reason}' if reason else ''}.",
        consequence="Numbers too small to be computed at full speed may slow some engines down unnoticed.",
        advice="Compare the latencies of different input sets.",
    )

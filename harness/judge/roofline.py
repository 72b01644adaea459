"""The roofline: how near a result comes to what this machine could do at best with this model's work. Pure functions.

After Williams, Waterman and Patterson (2009): a call cannot be shorter than its operations at the compute ceiling, nor
than its bytes at the memory ceiling. The longer of the two is the least time; its share of the measured time is what is
reported. Bytes are the compulsory ones (weights, inputs and outputs once), so that fusing does not move the ceiling.
"""

from __future__ import annotations

from typing import Literal

from harness.judge.comparison import Estimate
from harness.records import Record, Result
from harness.records.work import OPERATIONS_PER_MAC, Ceilings, Work

Bound = Literal["compute", "memory"]

NO_COMPUTE = "no matrix products, convolutions or recurrent layers to count"


class AtBest(Record):
    """The least time of a call under the ceilings, what sets it, or the reason why it is not known."""

    seconds: float | None = None
    bound: Bound | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()


class Roofline(Record):
    """One result's place under the roof. Where there is no share, `share.reason` says why."""

    precision: str
    flops: int
    """Operations of one call, two a MAC."""
    compulsory_bytes: int
    """Weights, inputs and outputs once."""
    unfused_bytes: int
    """Every node from and to memory."""
    intensity: float | None
    """Operations per compulsory byte."""
    intensity_unfused: float | None
    """Operations per byte if nothing were fused."""
    attained_flops: Estimate
    """Operations a second."""
    attained_bytes: Estimate
    """Compulsory bytes a second."""
    ceiling_flops: float | None = None
    """Operations a second that the machine could reach at this intensity."""
    least_s: float | None = None
    """Seconds a call could take at best."""
    share: Estimate
    """Least time over measured time: 1 is the ceiling. Never clipped."""
    bound: Bound | None = None
    lower_bound: bool = False
    """Some nodes could not be counted: the share is at least this."""
    words: str
    """The share and what sets the ceiling, as a sentence."""
    notes: tuple[str, ...] = ()


def roofline_of(result: Result, seconds: Estimate) -> Roofline | None:
    """A stored result's place under the roof; None where its work was not counted. `seconds`: its latency."""
    if result.work is None:
        return None
    ceilings = result.ceilings
    if ceilings is None:
        missing = "the ceilings of its device are not known"
        precision = result.case.contender.precision
        ceilings = Ceilings(
            machine=result.machine,
            device="",
            threads=result.case.variant.threads,
            missing={precision: missing, "int8": missing, "memory": missing},
        )
    return roofline(result.work, result.case.contender.precision, seconds, ceilings)


def ceiling_share(result: Result, seconds: Estimate) -> Estimate:
    """Share of the machine's ceiling, or the reason why it is not known."""
    found = roofline_of(result, seconds)
    if found is not None:
        return found.share
    failure = result.failure.message if result.failure else ""
    return Estimate(value=None, reason=result.work_problem or failure or "its operations were not counted")


def roofline(work: Work, precision: str, seconds: Estimate, ceilings: Ceilings) -> Roofline:
    """Place a result under the roof.

    `seconds` is the time of one call of the batch that `work` was counted at (in seconds), with its interval, which
    passes on to every figure. Ceilings must be of the same machine, device and threads. The share is n/a, with the
    reason, where the time, a ceiling or the operations are missing. Raises KeyError for an unknown precision.
    """
    compulsory, unfused = work.compulsory_bytes(precision), work.unfused_bytes(precision)
    best = at_best(work, precision, ceilings)
    least, bound, notes = best.seconds, best.bound, list(best.notes)
    share = _share(least, seconds, best.reason)
    if share.value is not None and share.value > 1:
        notes.append(_above(bound))
    return Roofline(
        precision=precision,
        flops=work.flops,
        compulsory_bytes=compulsory,
        unfused_bytes=unfused,
        intensity=work.flops / compulsory if compulsory else None,
        intensity_unfused=work.flops / unfused if unfused else None,
        attained_flops=_per_second(work.flops, seconds, "operations/s"),
        attained_bytes=_per_second(compulsory, seconds, "B/s"),
        ceiling_flops=(work.flops / least or None) if least else None,
        least_s=least,
        share=share,
        bound=bound,
        lower_bound=bool(work.uncounted),
        words=_words(share, bound, least, precision, bool(work.uncounted)),
        notes=tuple(notes),
    )


def at_best(work: Work, precision: str, ceilings: Ceilings) -> AtBest:
    """How fast a call could be: the longer of its operations and its compulsory bytes, each at its ceiling.

    Raises KeyError for an unknown precision.
    """
    notes: list[str] = []
    if work.uncounted:
        missing = ", ".join(f"{nodes} {name}" for name, nodes in work.uncounted.items())
        notes.append(f"not counted: {missing}; the true share is higher")
    compute, reason = _compute_s(work, precision, ceilings, notes)
    if reason:
        return AtBest(reason=reason, notes=tuple(notes))
    memory, reason = _memory_s(work.compulsory_bytes(precision), ceilings, notes)
    if reason and compute == 0:
        return AtBest(reason=f"{NO_COMPUTE}, and {reason}", notes=tuple(notes))
    if reason:
        notes.append(f"memory's ceiling is left out: {reason}")
    least = max(compute, memory)
    if least == 0:
        return AtBest(reason=f"{NO_COMPUTE}, and no bytes either", notes=tuple(notes))
    return AtBest(seconds=least, bound="compute" if compute >= memory else "memory", notes=tuple(notes))


def _compute_s(work: Work, precision: str, ceilings: Ceilings, notes: list[str]) -> tuple[float, str]:
    """Seconds of the MACs at their ceilings. Those that the graph asks for in int8 count at int8's."""
    int8 = work.macs if precision == "int8" else work.int8_macs
    seconds = 0.0
    for which, macs in ((precision, work.macs - int8), ("int8", int8)):
        if macs == 0:
            continue
        ceiling = ceilings.compute.get(which)
        if ceiling is None:
            return 0.0, ceilings.missing.get(which, f"the ceiling of {which} products was not measured")
        seconds += OPERATIONS_PER_MAC * macs / ceiling.rate
    if 0 < int8 < work.macs:
        notes.append(
            f"{int8 / work.macs:.0%} of its operations are on 8-bit integers and count at their ceiling"
        )
    return seconds, ""


def _memory_s(compulsory: int, ceilings: Ceilings, notes: list[str]) -> tuple[float, str]:
    if ceilings.memory is None:
        return 0.0, ceilings.missing.get("memory", "memory's ceiling was not measured")
    cache = ceilings.last_level_cache
    if cache is None:
        if ceilings.device == "cpu":
            notes.append("the size of the caches is not known; what stays in them needs no memory")
    elif compulsory <= cache:
        return 0.0, (
            f"its weights, inputs and outputs ({compulsory / 1e6:.3g} MB) fit in the last-level cache "
            f"({cache / 1e6:.3g} MB)"
        )
    return compulsory / ceilings.memory.rate, ""


def _share(least: float | None, seconds: Estimate, reason: str) -> Estimate:
    if seconds.value is None or seconds.value <= 0:
        reason = f"there is no latency: {seconds.reason or 'no reason was recorded'}"
    if reason or least is None:
        return Estimate(value=None, confidence=seconds.confidence, reason=reason)
    return _inverse(least, seconds, "")


def _per_second(amount: int, seconds: Estimate, unit: str) -> Estimate:
    if seconds.value is None or seconds.value <= 0:
        return Estimate(value=None, unit=unit, confidence=seconds.confidence, reason=seconds.reason)
    return _inverse(float(amount), seconds, unit)


def _inverse(numerator: float, seconds: Estimate, unit: str) -> Estimate:
    """`numerator` / seconds: the longest time gives the lower end."""
    assert seconds.value is not None
    return Estimate(
        value=numerator / seconds.value,
        low=numerator / seconds.high if seconds.high else None,
        high=numerator / seconds.low if seconds.low else None,
        unit=unit,
        confidence=seconds.confidence,
        samples=seconds.samples,
        trials=seconds.trials,
        reason=seconds.reason,
    )


def _above(bound: Bound | None) -> str:
    if bound == "memory":
        return (
            "above 1: part of the weights stayed in caches, or no stream tried here reached the memory's best"
        )
    return (
        "above 1: the engine does fewer operations than the model defines (Winograd), computes in a lower precision "
        "than asked, or no product tried here reached the machine's best"
    )


def _words(
    share: Estimate, bound: Bound | None, least: float | None, precision: str, lower_bound: bool
) -> str:
    if share.value is None or least is None:
        return f"share of the machine's ceiling: n/a ({share.reason})"
    what = f"{precision} arithmetic" if bound == "compute" else "memory streaming"
    at_least = "at least " if lower_bound else ""
    return f"{at_least}{share.value:.0%} of the machine's ceiling, which is set by {what}"

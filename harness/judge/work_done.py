"""Did the timed calls do the work? From pairs of calls on inputs never seen and on the same inputs again.

Pure functions of raw samples. `docs/decisions/0016-contract-and-timed-calls.md` says where the figures come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.special import bdtr

from harness.judge.estimate import Estimate
from harness.records import Parity, Record, Trial

CONFIDENCE = 0.99
FEWEST_PAIRS = 3
"""Fewer than eight pairs cannot give 99 %: their extremes are taken, with the confidence that these have."""
SLACK_NS = 10_000
"""Bringing an input in moves code and data out of caches: so much longer a call may take and be the same call."""
SKIPS = 2.0
"""From this ratio on (its lower end) a repeated call leaves out most of the work: its latency is none of inference."""
DOUBT = 1.25
"""From this ratio on a repeated call is doubted: what it leaves out a user who has new inputs has to pay."""
LATE_FAILS = 0.5
"""A call whose median leaves more than this share of the work to whoever reads the outputs has not done it."""
LATE_DOUBT = 0.2
LATE_SLACK_NS = 100_000
"""Reading outputs the first time may take so much longer than the second time: they are not in the caches yet."""

WorkStatus = Literal["pass", "doubt", "fail", "unknown"]


class WorkDone(Record):
    """Whether a call of the timed blocks is an inference, with its evidence."""

    status: WorkStatus
    ratio: Estimate
    """Time of a call on fresh inputs over that of a call on the same inputs again."""
    late: Estimate
    """Share of the work that is left to whoever reads the outputs."""
    words: str = ""


def judge_work(trials: Sequence[Trial]) -> WorkDone:
    """Over all trials of a result. unknown: no trial has a pass, or too few pairs for an interval."""
    ratio, late = _ratio(trials), _late(trials)
    if late.value is not None and late.value > LATE_FAILS:
        return WorkDone(status="fail", ratio=ratio, late=late, words=_late_words(late))
    if ratio.low is not None and ratio.low > SKIPS:
        return WorkDone(status="fail", ratio=ratio, late=late, words=_ratio_words(ratio))
    if ratio.low is not None and ratio.low > DOUBT:
        return WorkDone(status="doubt", ratio=ratio, late=late, words=_ratio_words(ratio))
    if late.value is not None and late.value > LATE_DOUBT:
        return WorkDone(status="doubt", ratio=ratio, late=late, words=_late_words(late))
    if ratio.value is None or ratio.low is None:
        return WorkDone(status="unknown", ratio=ratio, late=late, words=ratio.reason)
    return WorkDone(status="pass", ratio=ratio, late=late)


def with_work(parity: Parity | None, trials: Sequence[Trial]) -> Parity | None:
    """The parity of a contender, which fails where its timed calls leave the work out, however right its outputs are.

    Outputs that were not computed in the calls that were timed are no outputs of these calls.
    """
    found = judge_work(trials)
    if parity is None or parity.status == "fail" or found.status != "fail":
        return parity
    return parity.model_copy(
        update={"status": "fail", "reason": f"its timed calls do not do the work: {found.words}"}
    )


def median_interval(values: Sequence[float], confidence: float) -> tuple[float, float] | None:
    """Interval of the median from order statistics, which assumes nothing about the distribution; None: too few.

    The k-th smallest and k-th largest of n enclose the median with 1 − 2·P(B ≤ k − 1), B binomial with n and ½
    (Conover, *Practical Nonparametric Statistics*, 3.2).
    """
    ordered = sorted(values)
    count = len(ordered)
    k = 0
    while 2 * (k + 1) <= count and 1.0 - 2.0 * float(bdtr(k, count, 0.5)) >= confidence:
        k += 1
    return (ordered[k - 1], ordered[count - k]) if k else None


def _ratio(trials: Sequence[Trial]) -> Estimate:
    passes = [trial.fresh for trial in trials if trial.fresh is not None]
    logs = [
        math.log(max(1.0, fresh - SLACK_NS, min(fresh, repeated)) / repeated)
        for one in passes
        for fresh, repeated in zip(one.fresh_ns, one.repeated_ns, strict=True)
        if repeated > 0 and fresh > 0
    ]
    reasons = [one.reason for one in passes if one.reason]
    found = median_interval(logs, CONFIDENCE)
    confidence = CONFIDENCE
    if found is None and len(logs) >= FEWEST_PAIRS:
        found, confidence = (min(logs), max(logs)), 1.0 - 2.0 ** (1 - len(logs))
    reason = "" if found else "too few pairs of calls for an interval; raise --budget"
    if not logs:
        reason = reasons[0] if reasons else "no trial ended with calls on fresh inputs"
    return Estimate(
        value=math.exp(float(np.median(logs))) if logs else None,
        low=math.exp(found[0]) if found else None,
        high=math.exp(found[1]) if found else None,
        unit="×",
        confidence=confidence,
        samples=len(logs),
        trials=sum(bool(one.fresh_ns) for one in passes),
        reason=reason,
    )


def _late(trials: Sequence[Trial]) -> Estimate:
    """The median share over all pairs: what a first reading takes longer than the shortest second one of its trial.

    A median, since a worker that is held up may wait for late work there as well as in the reading: between the call
    and the reading, which then finds the work done, as much as in the reading itself.
    """
    passes = [trial.fresh for trial in trials if trial.fresh and trial.fresh.download_again_ns]
    shares = []
    for one in passes:
        for call, first in zip(one.fresh_ns, one.download_ns, strict=True):
            waited = max(0, first - min(one.download_again_ns) - LATE_SLACK_NS)
            shares.append(waited / max(1, waited + call))
    if not shares:
        return Estimate(value=None, reason="outputs were not read after calls on fresh inputs")
    found = median_interval(shares, CONFIDENCE)
    return Estimate(
        value=float(np.median(shares)),
        low=found[0] if found else min(shares),
        high=found[1] if found else max(shares),
        confidence=CONFIDENCE if found else 1.0 - 2.0 ** (1 - len(shares)),
        samples=len(shares),
        trials=len(passes),
    )


def _ratio_words(ratio: Estimate) -> str:
    return (
        f"a call on inputs never seen takes {ratio.value:.3g}× [{ratio.low:.3g}, {ratio.high:.3g}] as long as one on "
        "the same inputs again"
    )


def _late_words(late: Estimate) -> str:
    return f"{late.value:.0%} of the work is done only when the outputs are read, after the timed call has returned"

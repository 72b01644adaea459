"""Judges the results of one group: every contender's figures, and a verdict for every pair."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from harness.judge.comparison import Estimate, Group, PairVerdict
from harness.judge.headline import beside, headline
from harness.judge.intervals import NO_INTERVAL, Interval, of_values, round_interval
from harness.judge.pacing import USUAL_NOISE_RATIO, noise_ratio
from harness.judge.pooling import pool
from harness.judge.summary import summarise
from harness.judge.verdict import decide, decision_confidence, in_words, settling_advice
from harness.records import Case, Result, Warning_


def judge_group(results: Sequence[Result]) -> Group:
    """Judge results that were measured in the same rounds. Raises ValueError for none or for different groups."""
    if len({result.group_id for result in results}) != 1:
        raise ValueError("judge_group takes the results of exactly one group")
    first = results[0]
    contenders = tuple(summarise(result) for result in results)
    combinations = list(itertools.combinations(results, 2))
    pairs = tuple(beside(judge_pair(a, b, len(combinations)), contenders) for a, b in combinations)
    return Group(
        group_id=first.group_id,
        title=_title(first.case),
        model=first.case.model.name,
        batch=first.case.variant.batch,
        dims=first.case.variant.dims,
        threads=first.case.variant.threads,
        scenario=first.case.scenario,
        contenders=contenders,
        pairs=pairs,
        headline=headline(contenders, pairs),
        warnings=shared_warnings(results),
    )


def _title(case: Case) -> str:
    variant = case.variant
    parts = [case.model.name, f"batch {variant.batch}"]
    parts += (f"{name} {size}" for name, size in sorted(variant.dims.items()))
    parts.append(f"{variant.threads} thread{'s' if variant.threads != 1 else ''}")
    if case.scenario != "single_stream":
        parts.append(case.scenario)
    return ", ".join(parts)


def log_ratios(a: Result, b: Result) -> list[list[float]]:
    """Logarithms of A's latency over B's, formed within each round both took part in; a list for every trial.

    A round's latency is the median of its samples: one disturbed call does not move it.
    """
    ratios: list[list[float]] = []
    other = {trial.index: trial for trial in b.trials}
    for trial in a.trials:
        partner = other.get(trial.index)
        if partner is None:
            continue
        theirs = {r.index: r for r in partner.rounds}
        values = []
        for ours in trial.rounds:
            match = theirs.get(ours.index)
            if match is None or not ours.samples_ns or not match.samples_ns:
                continue
            top = float(np.median(ours.samples_ns)) / ours.calls_per_sample
            bottom = float(np.median(match.samples_ns)) / match.calls_per_sample
            if top > 0 and bottom > 0:
                values.append(math.log(top / bottom))
        if values:
            ratios.append(values)
    return ratios


def judge_pair(a: Result, b: Result, pairs: int = 1) -> PairVerdict:
    """Ratio of latencies A/B with its interval, and the verdict; `pairs`: how many are judged at once."""
    settings = a.settings
    ratios = log_ratios(a, b)
    rounds = sum(len(values) for values in ratios)
    strict = decision_confidence(settings.confidence, pairs)
    shown, deciding, reason = _intervals(ratios, settings.confidence, strict)
    ratio = math.exp(pool(ratios).value) if ratios else None
    verdict = decide(deciding, settings.margin) if ratio is not None else "unknown"
    if len(ratios) == 1:
        verdict = "unsettled"  # an interval from inside one process knows nothing of the next one
    names = a.case.contender.text, b.case.contender.text
    trial_s = settings.budget_s / max(1, len(ratios))
    return PairVerdict(
        a=names[0],
        b=names[1],
        ratio=Estimate(
            value=ratio,
            low=shown.low if shown else None,
            high=shown.high if shown else None,
            unit="×",
            confidence=settings.confidence,
            samples=rounds,
            trials=len(ratios),
            reason=reason,
        ),
        decision_low=deciding.low if deciding else None,
        decision_high=deciding.high if deciding else None,
        decision_confidence=strict,
        margin=settings.margin,
        verdict=verdict,
        words=in_words(*names, verdict, ratio, deciding, settings.margin),
        advice=settling_advice(deciding, settings.margin, len(ratios), trial_s, strict)
        if verdict == "unsettled"
        else "",
        rounds=rounds,
    )


def pair_noise_ratio(results: Sequence[Result]) -> float:
    """The smallest `noise_ratio` of any pair: the pair that gains most from new trials sets the pace."""
    pairs = itertools.combinations([result for result in results if result.trials], 2)
    return min((noise_ratio(log_ratios(a, b)) for a, b in pairs), default=USUAL_NOISE_RATIO)


def decision_half_widths(results: Sequence[Result]) -> list[float | None]:
    """Half the width of every pair's deciding interval, of the log ratio: what the stopping rule looks at."""
    combinations = list(itertools.combinations(results, 2))
    widths: list[float | None] = []
    for a, b in combinations:
        strict = decision_confidence(a.settings.confidence, len(combinations))
        _, deciding, _ = _intervals(log_ratios(a, b), a.settings.confidence, strict)
        widths.append(math.log(deciding.high / deciding.low) / 2 if deciding else None)
    return widths


def _intervals(
    ratios: Sequence[Sequence[float]], confidence: float, strict: float
) -> tuple[Interval | None, Interval | None, str]:
    if not ratios:
        return None, None, "no round in which both were measured"
    if len(ratios) == 1:
        within = round_interval(ratios[0], confidence)
        reason = "one trial: the interval knows nothing of differences between processes"
        return of_values(within), None, reason
    pooled = pool(ratios)
    shown = of_values(pooled.interval(confidence))
    return shown, of_values(pooled.interval(strict)), "" if shown else NO_INTERVAL


def shared_warnings(results: Sequence[Result]) -> tuple[Warning_, ...]:
    """Warnings that all measured contenders share are about the machine, and are shown once for the group."""
    measured = [result for result in results if result.trials]
    if len(measured) < 2:
        return ()
    shared = [w for w in measured[0].warnings if all(w in other.warnings for other in measured[1:])]
    return tuple(shared)

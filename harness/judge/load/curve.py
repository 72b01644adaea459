"""What a run of closed loops says: the curve of every contender, its best point and its knee, and who serves more.

Pure functions of stored results.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from harness.errors import ExitCode
from harness.judge.comparison import Estimate, SpeedVerdict
from harness.judge.headline import rightness
from harness.judge.intervals import NO_INTERVAL, Interval, of_values
from harness.judge.load.point import LoadPoint, judge_point, rate, without_search
from harness.judge.pooling import pool
from harness.judge.ratio_text import ratio_text
from harness.judge.verdict import decide, decision_confidence
from harness.records import Bounds, Record, Result, Run, Warning_


class LoadCurve(Record):
    """All points of one contender."""

    contender: str
    engine_version: str
    points: tuple[LoadPoint, ...]
    best: str | None = None
    """`result_id` of the point with the highest throughput that keeps all bounds for sure."""
    knee: str | None = None
    """`result_id` of the point with the largest throughput / median latency on the setting of the best point."""
    words: str = ""

    def point(self, result_id: str | None) -> LoadPoint | None:
        """The point with this id."""
        return next((p for p in self.points if p.result_id == result_id), None)


class LoadPair(Record):
    """Throughput of `a` over throughput of `b`, formed within rounds: above 1, `a` serves more."""

    a: str
    b: str
    at: str
    """Where they are compared: "best points", or the load and setting that both share."""
    ratio: Estimate
    verdict: SpeedVerdict
    words: str
    rounds: int = 0


class ThroughputDocument(Record):
    """What `--json` of `harness throughput` writes: every result with its raw samples, and what follows from them."""

    schema_version: Literal[1] = 1
    kind: Literal["throughput"] = "throughput"
    run: Run
    results: tuple[Result, ...]
    curves: tuple[LoadCurve, ...]
    pairs: tuple[LoadPair, ...]
    headline: str
    warnings: tuple[Warning_, ...] = ()
    """Doubts that several results share; about the machine."""
    exit_code: int


def judge_run(run: Run, results: Sequence[Result], *, interrupted: bool = False) -> ThroughputDocument:
    """Judge all points of a run. Results without a load are left out."""
    loaded = [result for result in results if result.case.load is not None]
    bounds = run.bounds or Bounds()
    names = dict.fromkeys(result.case.contender.text for result in loaded)
    curves = tuple(
        judge_curve(name, [r for r in loaded if r.case.contender.text == name], bounds) for name in names
    )
    pairs = judge_pairs(curves, {result.id: without_search(result) for result in loaded})
    counted = [(w.code, w.message) for result in loaded for w in dict.fromkeys(result.warnings)]
    shared = {w: None for result in loaded for w in result.warnings if counted.count((w.code, w.message)) > 1}
    return ThroughputDocument(
        run=run,
        results=tuple(loaded),
        curves=curves,
        pairs=pairs,
        headline=headline(curves, pairs, bounds),
        warnings=tuple(shared),
        exit_code=int(exit_code(curves, interrupted=interrupted)),
    )


def judge_curve(contender: str, results: Sequence[Result], bounds: Bounds) -> LoadCurve:
    """The points of one contender, by setting and load, with the best one and the knee."""
    points = sorted(
        (judge_point(result, bounds) for result in results),
        key=lambda p: (p.batch, p.threads, p.instances, p.concurrency),
    )
    best = best_of(points)
    knee = knee_of(points, best)
    version = next((result.engine_version for result in results if result.engine_version), "")
    return LoadCurve(
        contender=contender,
        engine_version=version,
        points=tuple(points),
        best=best.result_id if best else None,
        knee=knee.result_id if knee else None,
        words=_curve_words(points, best, knee),
    )


def _curve_words(points: Sequence[LoadPoint], best: LoadPoint | None, knee: LoadPoint | None) -> str:
    if best is None or best.throughput.value is None:
        reasons = list(dict.fromkeys(p.rejected for p in points if p.rejected))
        return f"no point keeps the bounds: {'; '.join(reasons[:3]) or 'nothing was measured'}"
    words = (
        f"best {best.throughput.value:.4g} inferences/s with {best.words}{rightness(best.parity, best.work)}"
    )
    if knee is not None and knee.throughput.value:
        same = knee.result_id == best.result_id
        words += "; the knee is there too" if same else f"; knee at {knee.in_flight} in flight"
    unsure = [p for p in points if p.kept == "unsure"]
    higher = [p for p in unsure if (p.throughput.value or 0.0) > best.throughput.value]
    if higher:
        words += f"; {higher[0].words} may be better, but whether it keeps the bounds is unsure"
    return words


def best_of(points: Sequence[LoadPoint]) -> LoadPoint | None:
    """The highest throughput among points that keep every bound for sure and are not known to be wrong."""
    return max((p for p in points if p.kept == "yes"), key=lambda p: p.throughput.value or 0.0, default=None)


def knee_of(points: Sequence[LoadPoint], best: LoadPoint | None) -> LoadPoint | None:
    """Where more load begins to cost more latency than it brings throughput, on the setting of `best`.

    The point with the largest power, throughput / latency: Kleinrock, *Power and deterministic rules of thumb for
    probabilistic problems in computer communications* (1979). The lowest of those within 2 % of it.
    """
    power = {
        p.result_id: p.throughput.value / p.p50.value
        for p in points
        if best is not None
        and (p.batch, p.threads) == (best.batch, best.threads)
        and p.throughput.value
        and p.p50.value
    }
    if len(power) < 2:
        return None
    near = [p for p in points if power.get(p.result_id, 0.0) >= 0.98 * max(power.values())]
    return min(near, key=lambda p: p.in_flight)


def log_throughputs(a: Result, b: Result) -> list[list[float]]:
    """Logarithms of A's throughput over B's, items, within each round that both took part in; a list a trial."""
    scale = float(np.log(a.case.variant.batch / b.case.variant.batch))
    other = {trial.index: {one.index: one for one in trial.rounds} for trial in b.trials}
    found = []
    for trial in a.trials:
        theirs = other.get(trial.index, {})
        values = [
            float(np.log(rate(one) / rate(theirs[one.index]))) + scale
            for one in trial.rounds
            if one.index in theirs and one.window and theirs[one.index].window
            if one.samples_ns and theirs[one.index].samples_ns
        ]
        if values:
            found.append(values)
    return found


def judge_pairs(curves: Sequence[LoadCurve], results: dict[str, Result]) -> tuple[LoadPair, ...]:
    """Verdicts at the best points, then at every load and setting that two contenders share."""
    matches: list[tuple[str, LoadPoint, LoadPoint]] = []
    for a, b in itertools.combinations(curves, 2):
        best_a, best_b = a.point(a.best), b.point(b.best)
        if best_a is not None and best_b is not None:
            matches.append(("best points", best_a, best_b))
        theirs = {(p.batch, p.threads, p.instances, p.concurrency): p for p in b.points}
        for ours in a.points:
            other = theirs.get((ours.batch, ours.threads, ours.instances, ours.concurrency))
            if other is not None and ours.throughput.value and other.throughput.value:
                matches.append((ours.words, ours, other))
    judged = [
        judge_pair(at, results[ours.result_id], results[other.result_id], len(matches))
        for at, ours, other in matches
    ]
    return tuple(
        _beside(pair, ours, other)
        for pair, (_, ours, other) in zip(judged, matches, strict=True)
        if pair is not None
    )


def _beside(pair: LoadPair, *points: LoadPoint) -> LoadPair:
    """The pair's words with what stands against either side, so that no speed is told without its verdict."""
    against = [
        f"{point.contender}{rightness(point.parity, point.work)}.".replace("; ", ": ", 1)
        for point in points
        if point.parity != "pass" or point.work == "fail"
    ]
    return pair.model_copy(update={"words": " ".join([pair.words, *against])}) if against else pair


def judge_pair(at: str, a: Result, b: Result, pairs: int) -> LoadPair | None:
    """Who serves more; `pairs`: how many are judged at once. None when they share no round."""
    ratios = log_throughputs(a, b)
    if not ratios:
        return None
    settings = a.settings
    pooled = pool(ratios)
    shown = of_values(pooled.interval(settings.confidence))
    deciding = of_values(pooled.interval(decision_confidence(settings.confidence, pairs)))
    # `decide` judges times: seconds an item of A over those of B.
    inverse = Interval(1 / deciding.high, 1 / deciding.low) if deciding else None
    verdict = decide(inverse, settings.margin)
    value = math.exp(pooled.value)
    names = a.case.contender.text, b.case.contender.text
    return LoadPair(
        a=names[0],
        b=names[1],
        at=at,
        ratio=Estimate(
            value=value,
            low=shown.low if shown else None,
            high=shown.high if shown else None,
            unit="×",
            confidence=settings.confidence,
            samples=sum(len(values) for values in ratios),
            trials=len(ratios),
            reason="" if shown else "one trial gives no interval" if len(ratios) < 2 else NO_INTERVAL,
        ),
        verdict=verdict,
        words=_pair_words(*names, at, verdict, value, deciding),
        rounds=sum(len(values) for values in ratios),
    )


def _pair_words(
    a: str, b: str, at: str, verdict: SpeedVerdict, value: float, deciding: Interval | None
) -> str:
    where = "at their best points" if at == "best points" else f"with {at}"
    if deciding is None:
        return f"{a} against {b} {where} is unsettled: throughput ratio {ratio_text(value)}; no interval."
    figures = f"{ratio_text(value)}× [{ratio_text(deciding.low)}, {ratio_text(deciding.high)}]"
    if verdict == "slower":
        back = f"{ratio_text(1 / value)}× [{ratio_text(1 / deciding.high)}, {ratio_text(1 / deciding.low)}]"
        return f"{b} serves {back} as many as {a} {where}."
    if verdict == "faster":
        return f"{a} serves {figures} as many as {b} {where}."
    if verdict == "same":
        return f"{a} and {b} serve equally many {where}: throughput ratio {figures}."
    return f"{a} against {b} {where} is unsettled: throughput ratio {figures}."


def headline(curves: Sequence[LoadCurve], pairs: Sequence[LoadPair], bounds: Bounds) -> str:
    """The answer in one or two sentences."""
    found = [(curve, point) for curve in curves if (point := curve.point(curve.best)) is not None]
    under = _bounds_words(bounds)
    if not found:
        return f"No point keeps the bounds{under}." if curves else "Nothing could be measured."
    # Who is known to be right comes first: a higher throughput of somebody else is no answer.
    right = [pair for pair in found if pair[1].parity == "pass"]
    curve, point = max(right or found, key=lambda pair: pair[1].throughput.value or 0.0)
    words = (
        f"{curve.contender}: {point.throughput.value or 0.0:.4g} inferences/s with {point.words}{under}"
        f"{rightness(point.parity, point.work)}."
    )
    if len(found) == 1:
        return words if len(curves) == 1 else f"{words} No other contender has a point that keeps the bounds."
    others = [p for p in pairs if p.at == "best points" and curve.contender in (p.a, p.b)]
    wins = all(p.verdict == ("faster" if p.a == curve.contender else "slower") for p in others)
    unsure = [other.contender for other, best in found if best.parity != "pass"]
    if unsure and right:
        words += f" Whether {', '.join(unsure)} {'are' if len(unsure) > 1 else 'is'} right is not known."
    if wins and len(others) == len(found) - 1:
        return f"{words} That is the most of all: " + " ".join(p.words for p in others)
    if unsure and right:
        return words
    return f"{words} Whether that is the most is not settled."


def _bounds_words(bounds: Bounds) -> str:
    parts = []
    if bounds.max_latency_s is not None:
        parts.append(f"{bounds.latency_metric} ≤ {bounds.max_latency_s * 1e3:.4g} ms")
    if bounds.max_memory is not None:
        parts.append(f"memory ≤ {bounds.max_memory / 2**20:.4g} MiB")
    return f" ({', '.join(parts)})" if parts else ""


def exit_code(curves: Sequence[LoadCurve], *, interrupted: bool = False) -> ExitCode:
    """0 only when every contender has a best point and is known to be right; 3 when no point keeps the bounds."""
    if interrupted:
        return ExitCode.INTERRUPTED
    best = [curve.point(curve.best) for curve in curves]
    if not any(best):
        return ExitCode.NOTHING_MEASURED
    right = all(point is not None and point.parity == "pass" for point in best)
    # A level at which the engine breaks is how far it goes; no level at all, or wrong outputs, is a failure.
    wrong = any("fail" in (point.parity, point.work) for curve in curves for point in curve.points)
    return ExitCode.OK if right and not wrong else ExitCode.NEGATIVE

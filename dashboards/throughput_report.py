"""The page of `harness throughput`: one HTML file, a pure function of a throughput document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboards import setup, words
from dashboards.charts.chart import Chart
from dashboards.charts.load import latency_throughput_chart, scaling_chart
from dashboards.palette import Series, assign
from dashboards.report import render_page, require_report_packages
from harness.judge.load.curve import LoadPair, ThroughputDocument
from harness.records import Bounds, Failure, Result, Warning_


@dataclass(frozen=True)
class CurveView:
    """One contender in words."""

    series: Series
    version: str
    sentence: str
    parity: str
    tone: words.Tone
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class BrokenView:
    """A point that broke, and all that is known of why."""

    series: Series
    where: str
    state: str
    failure: Failure


@dataclass(frozen=True)
class ThroughputPage:
    """The whole page."""

    title: str
    subtitle: tuple[str, ...]
    headline: str
    curves: tuple[CurveView, ...]
    charts: tuple[Chart, ...]
    pairs: tuple[LoadPair, ...]
    tones: Mapping[str, words.Tone]
    broken: tuple[BrokenView, ...]
    warnings: tuple[Warning_, ...]
    facts: tuple[setup.Facts, ...]
    repeat: tuple[str, ...]
    run_id: str
    started_at: str
    series: Mapping[str, Series]


def render_throughput(document: ThroughputDocument) -> str:
    """The page of `document` as one HTML file that makes no request. Raises UsageError without its packages."""
    require_report_packages()
    return render_page("throughput.html", build_throughput_page(document))


def build_throughput_page(document: ThroughputDocument) -> ThroughputPage:
    """All that the page says about `document`."""
    run = document.run
    series = assign(curve.contender for curve in document.curves)
    charts = (
        latency_throughput_chart(document.curves, run.bounds or Bounds(), series),
        scaling_chart(document.curves, series),
    )
    commit = run.environment.commit
    shown: dict[str, Result] = {}
    for result in document.results:
        shown.setdefault(result.case.contender.text, result)
    return ThroughputPage(
        title=run.name,
        subtitle=(
            run.started_at.strftime("%-d %B %Y, %H:%M UTC"),
            run.machine.cpu,
            f"commit {commit[:12]}" if commit else "no commit recorded",
        ),
        headline=document.headline,
        curves=tuple(_curve_view(document, place, series) for place in range(len(document.curves))),
        charts=tuple(chart for chart in charts if chart is not None),
        pairs=document.pairs,
        tones=words.VERDICT_TONES,
        broken=_broken(document.results, series),
        warnings=document.warnings,
        facts=(
            setup.machine_facts(run.machine),
            setup.settings_facts(run.settings),
            *(setup.result_facts(result) for result in shown.values()),
        ),
        repeat=setup.repeat_lines(run.environment),
        run_id=run.id,
        started_at=run.started_at.isoformat(),
        series=series,
    )


def _curve_view(document: ThroughputDocument, place: int, series: Mapping[str, Series]) -> CurveView:
    curve = document.curves[place]
    # A point that broke has no outputs; what is said of it is that it broke.
    states = [point.parity for point in curve.points if point.throughput.value] or ["unknown"]
    parity = next(word for word in ("fail", "nondeterministic", "unknown", "pass") if word in states)
    return CurveView(
        series=series[curve.contender],
        version=curve.engine_version,
        sentence=curve.words,
        parity=parity,
        tone=words.PARITY_TONES[parity],
        doubts=tuple(f"{point.words}: {doubt}" for point in curve.points for doubt in point.doubts),
    )


def _broken(results: tuple[Result, ...], series: Mapping[str, Series]) -> tuple[BrokenView, ...]:
    views = []
    for result in results:
        if result.failure is None or result.case.load is None:
            continue
        variant = result.case.variant
        where = f"{result.case.load.concurrency} in flight, batch {variant.batch}, threads {variant.threads}"
        state = words.STATUS_WORDS[result.status]
        views.append(BrokenView(series[result.case.contender.text], where, state, result.failure))
    return tuple(views)

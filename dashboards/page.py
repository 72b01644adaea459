"""What the page shows, worked out before any markup: pure functions of a comparison document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboards import figures, setup, words
from dashboards.charts.chart import Chart
from dashboards.charts.latency import distribution_chart, trials_chart
from dashboards.charts.memory import memory_chart
from dashboards.charts.parity import parity_chart
from dashboards.charts.ratio import ratio_chart
from dashboards.charts.rounds import rounds_chart
from dashboards.charts.stages import stages_chart
from dashboards.charts.warmup import warmup_chart
from dashboards.palette import Series, assign
from harness.judge.comparison import Group
from harness.judge.document import ComparisonDocument
from harness.judge.gate_types import GateOutcome
from harness.records import Failure, Result
from harness.show import numbers as fmt


@dataclass(frozen=True)
class FailureView:
    """A contender without a complete result, and all that is known of why."""

    series: Series
    state: str
    reason: str
    failure: Failure | None


@dataclass(frozen=True)
class GroupView:
    """One section of the page."""

    anchor: str
    title: str
    headline: str
    rightness_summary: str
    judged_by: str
    rightness: tuple[words.Rightness, ...]
    doubts: tuple[words.Doubt, ...]
    measured_how: str
    tables: tuple[figures.FigureTable, ...]
    pairs: tuple[figures.PairRow, ...]
    """Pairs that have a ratio; those that have none are in `uncompared`."""
    margin: str
    ratio: Chart | None
    charts: tuple[Chart, ...]
    failures: tuple[FailureView, ...]
    uncompared: tuple[figures.PairRow, ...]
    configurations: tuple[setup.Facts, ...]


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    subtitle: tuple[str, ...]
    run_id: str
    started_at: str
    groups: tuple[GroupView, ...]
    gates: tuple[GateOutcome, ...]
    facts: tuple[setup.Facts, ...]
    packages: tuple[tuple[str, str], ...]
    command: str
    repeat: tuple[str, ...]
    left_over: tuple[str, ...]
    series: Mapping[str, Series]


def build_page(document: ComparisonDocument) -> Page:
    """All that the page says about `document`."""
    run = document.run
    results = {result.id: result for result in document.results}
    names = [summary.contender for group in document.groups for summary in group.contenders]
    series = assign(names)
    groups = tuple(
        _group_view(f"group-{place}", group, results, series)
        for place, group in enumerate(document.groups, start=1)
    )
    shown = {summary.result_id for group in document.groups for summary in group.contenders}
    commit = run.environment.commit
    subtitle = (
        run.started_at.strftime("%-d %B %Y, %H:%M UTC"),
        run.machine.cpu,
        f"commit {commit[:12]}" if commit else "no commit recorded",
    )
    return Page(
        title=run.name or "comparison",
        subtitle=subtitle,
        run_id=run.id,
        started_at=run.started_at.isoformat(),
        groups=groups,
        gates=document.gates,
        facts=(
            setup.machine_facts(run.machine),
            setup.environment_facts(run.environment),
            setup.settings_facts(run.settings),
        ),
        packages=setup.packages(run.environment),
        command=setup.command_line(run.environment),
        repeat=setup.repeat_lines(run.environment),
        left_over=setup.left_over(document.results, shown),
        series=series,
    )


def _group_view(
    anchor: str, group: Group, results: Mapping[str, Result], series: Mapping[str, Series]
) -> GroupView:
    own = [results[summary.result_id] for summary in group.contenders if summary.result_id in results]
    charts = (
        distribution_chart(own, series),
        trials_chart(own, series),
        stages_chart(own, series),
        rounds_chart(own, series),
        warmup_chart(own, series),
        parity_chart(own, series),
        memory_chart(own, series),
    )
    rows = figures.pair_rows(group.pairs, group.contenders, series)
    return GroupView(
        anchor=anchor,
        title=group.title,
        headline=group.headline,
        rightness_summary=words.overall_rightness(group),
        judged_by=words.judged_by(own),
        rightness=tuple(
            words.rightness(summary, results.get(summary.result_id)) for summary in group.contenders
        ),
        doubts=tuple(words.doubts(group)),
        measured_how=words.measured_how(own),
        tables=figures.figure_tables(group.contenders, results, series),
        pairs=tuple(row for row in rows if not row.ratio.missing),
        margin=", ".join(sorted({fmt.share(pair.margin) for pair in group.pairs})),
        ratio=ratio_chart(group),
        charts=tuple(chart for chart in charts if chart is not None),
        failures=_failures(group, results, series),
        uncompared=tuple(row for row in rows if row.ratio.missing),
        configurations=tuple(setup.result_facts(result) for result in own),
    )


def _failures(
    group: Group, results: Mapping[str, Result], series: Mapping[str, Series]
) -> tuple[FailureView, ...]:
    views = []
    for summary in group.contenders:
        result = results.get(summary.result_id)
        failure = result.failure if result is not None else None
        if summary.status != "measured" or failure is not None:
            views.append(
                FailureView(
                    series[summary.contender],
                    words.STATUS_WORDS[summary.status],
                    summary.reason or "no reason was recorded",
                    failure,
                )
            )
    return tuple(views)

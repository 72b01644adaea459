"""The page of `harness profile`: one HTML file like the comparison report, a pure function of a profile document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboards import setup
from dashboards.charts.chart import Chart
from dashboards.charts.profile import longest_chart, strip_chart
from dashboards.palette import Series, assign
from dashboards.report import render_page, require_report_packages
from harness.judge.profile.document import ProfileDocument
from harness.judge.profile.table import Cell, Column
from harness.records import Failure, Warning_
from harness.show import numbers as fmt

UNREACHED = "–"


@dataclass(frozen=True)
class LayerLine:
    """One layer of one engine."""

    name: str
    operator: str
    kernel: str
    precision: str
    time: str
    share: str
    tensors: str


@dataclass(frozen=True)
class ContenderView:
    """One profiled contender."""

    series: Series
    version: str
    sentence: str
    how: str
    sums: tuple[tuple[str, str], ...]
    operators: tuple[tuple[str, ...], ...]
    layers: tuple[LayerLine, ...]
    unmatched: tuple[LayerLine, ...]
    warnings: tuple[Warning_, ...]
    notes: tuple[str, ...]
    traces: tuple[str, ...]


@dataclass(frozen=True)
class FailureView:
    """A contender without a profile, and why."""

    series: Series
    state: str
    failure: Failure | None


@dataclass(frozen=True)
class ProfilePage:
    """The whole page."""

    title: str
    subtitle: tuple[str, ...]
    started_at: str
    names: tuple[str, ...]
    contenders: tuple[ContenderView, ...]
    failures: tuple[FailureView, ...]
    charts: tuple[Chart, ...]
    kinds: tuple[tuple[str, ...], ...]
    """Operators of the rows, then a cell for every contender."""
    rows: tuple[tuple[str, ...], ...]
    """Tensor, operators, then a cell for every contender."""
    quiet_rows: int
    """Rows left out because no engine spent time on them."""
    facts: tuple[setup.Facts, ...]
    repeat: tuple[str, ...]
    series: Mapping[str, Series]


def render_profile(document: ProfileDocument) -> str:
    """The page of `document` as one HTML file that makes no request.

    Raises UsageError when the packages of the extra `report` are not installed.
    """
    require_report_packages()
    return render_page("profile.html", build_profile_page(document))


def build_profile_page(document: ProfileDocument) -> ProfilePage:
    """All that the page says."""
    record, table = document.record, document.table
    series = assign(profile.contender.text for profile in record.profiles)
    charts = (strip_chart(table), longest_chart(table, series)) if table.columns else ()
    timed = [row for row in table.rows if any(cell.seconds > 0 for cell in row.cells)]
    variant = record.variant
    threads = f"{variant.threads} thread{'s' if variant.threads != 1 else ''}"
    return ProfilePage(
        title=f"{record.model.name}, batch {variant.batch}, {threads}",
        subtitle=(record.created_at.strftime("%-d %B %Y, %H:%M UTC"), record.machine.cpu),
        started_at=record.created_at.isoformat(),
        names=tuple(column.contender for column in table.columns),
        contenders=tuple(_contender(document, place, series) for place in range(len(table.columns))),
        failures=tuple(
            FailureView(series[profile.contender.text], profile.status, profile.failure)
            for profile in record.profiles
            if not profile.layers
        ),
        charts=tuple(chart for chart in charts if chart is not None),
        kinds=tuple((row.operators, *map(_cell, row.cells)) for row in table.kinds),
        rows=tuple((row.name, row.operators, *map(_cell, row.cells)) for row in timed),
        quiet_rows=len(table.rows) - len(timed),
        facts=(setup.machine_facts(record.machine), setup.environment_facts(record.environment)),
        repeat=setup.repeat_lines(record.environment),
        series=series,
    )


def _contender(document: ProfileDocument, place: int, series: Mapping[str, Series]) -> ContenderView:
    profile = [profile for profile in document.record.profiles if profile.layers][place]
    column = document.table.columns[place]
    lines = [
        LayerLine(
            name=layer.name,
            operator=layer.operator,
            kernel=layer.kernel,
            precision=layer.precision,
            time=fmt.quantity(seconds, "seconds") if layer.calls else "not run",
            share=_share(seconds, column.layers_s),
            tensors=", ".join((*layer.fused, *layer.outputs)) or UNREACHED,
        )
        for layer, seconds in zip(profile.layers, column.seconds, strict=True)
    ]
    return ContenderView(
        series=series[column.contender],
        version=profile.engine_version,
        sentence=_sentence(column),
        how=(
            f"{column.calls} of {profile.calls} profiled calls count; the others were held up by other work."
            if column.calls < profile.calls
            else f"{profile.calls} profiled calls."
        )
        + f" {profile.overhead}",
        sums=(
            ("sum of layers", fmt.quantity(column.layers_s, "seconds")),
            ("whole call, engine's clock", fmt.quantity(column.whole_s, "seconds")),
            ("whole call, profiler on", fmt.quantity(column.profiled_s, "seconds")),
            ("whole call, profiler off", fmt.quantity(column.unprofiled_s, "seconds")),
        ),
        operators=tuple(
            (
                entry.operator,
                str(entry.layers),
                fmt.quantity(entry.seconds, "seconds"),
                fmt.share(entry.share, 2),
            )
            for entry in column.operators
        ),
        layers=tuple(lines),
        unmatched=tuple(lines[index] for index in column.unmatched.layers if profile.layers[index].calls),
        warnings=column.warnings,
        notes=profile.notes,
        traces=profile.traces,
    )


def _sentence(column: Column) -> str:
    words = f"Its layers take {fmt.quantity(column.layers_s, 'seconds')} in one call"
    if column.operators and column.layers_s:
        first = column.operators[0]
        words += f", {fmt.share(first.share, 2)} of it in {first.layers} {first.operator}"
    return f"{words}. Without the profiler a call takes {fmt.quantity(column.unprofiled_s, 'seconds')}."


def _cell(cell: Cell) -> str:
    if not cell.ran:
        return "not run" if cell.layers else UNREACHED
    return f"{fmt.quantity(cell.seconds, 'seconds')}  ({fmt.share(cell.share, 2)})"


def _share(part: float, whole: float) -> str:
    return fmt.share(part / whole, 2) if whole else UNREACHED

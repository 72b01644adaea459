"""The page of `harness parity`: one HTML file like the comparison report, a pure function of a parity document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboards import setup
from dashboards.charts.accuracy import accuracy_chart
from dashboards.charts.chart import Chart, DataTable
from dashboards.charts.error_growth import growth_chart
from dashboards.charts.error_picture import picture_chart
from dashboards.charts.parity import budget_chart
from dashboards.charts.parity_figures import quantile_chart, ulp_chart
from dashboards.palette import Series, assign
from dashboards.parity_tables import GraphView, diagnostics_table, graph_view, inputs_table
from dashboards.report import render_page, require_report_packages
from dashboards.words import PARITY_TONES, STATUS_WORDS, Tone
from harness.judge.accuracy import AccuracyJudgement
from harness.judge.parity import budget_use
from harness.judge.parity_document import ParityDocument
from harness.records import Failure, OutputParity, ParityStatus
from harness.records.layers import LayerSearch
from harness.records.parity_check import ParityCheck
from harness.show.parity_words import layer_answer, notes, place_name, title, verdict_words, worst_output

HEADLINES: dict[ParityStatus, str] = {
    "pass": "computes the right thing",
    "fail": "computes the wrong thing",
    "nondeterministic": "cannot be judged: the model disagrees with itself",
    "unknown": "is not known to be right",
}


@dataclass(frozen=True)
class VerdictView:
    """One contender's verdict."""

    series: Series
    version: str
    tone: Tone
    verdict: str
    headline: str
    words: str
    breaches: tuple[str, ...]


@dataclass(frozen=True)
class FailureView:
    """A check that ended in no outputs, and why."""

    series: Series
    batches: str
    state: str
    failure: Failure | None


@dataclass(frozen=True)
class LayersView:
    """Where one contender broke."""

    series: Series
    answer: str
    places: tuple[str, ...]
    notes: tuple[str, ...]
    folder: str


@dataclass(frozen=True)
class ParityPage:
    """The whole page."""

    title: str
    subtitle: tuple[str, ...]
    started_at: str
    run_id: str
    answer: str
    verdicts: tuple[VerdictView, ...]
    failures: tuple[FailureView, ...]
    """Of each contender the first of its kind."""
    notes: tuple[str, ...]
    budgets: Chart | None
    figures: tuple[Chart, ...]
    diagnostics: DataTable | None
    pictures: tuple[Chart, ...]
    accuracy: tuple[AccuracyJudgement, ...]
    accuracy_chart: Chart | None
    layers: tuple[LayersView, ...]
    growth: Chart | None
    graph: GraphView | None
    inputs: DataTable
    interrupted: bool
    facts: tuple[setup.Facts, ...]
    repeat: tuple[str, ...]
    series: Mapping[str, Series]


def render_parity(document: ParityDocument) -> str:
    """The page of `document` as one HTML file that makes no request.

    Raises UsageError when the packages of the extra `report` are not installed.
    """
    require_report_packages()
    return render_page("parity.html", build_parity_page(document))


def build_parity_page(document: ParityDocument) -> ParityPage:
    """All that the page says."""
    record = document.record
    series = assign(ref.text for ref in record.contenders)
    worst = [
        (verdict.contender, output)
        for verdict in document.verdicts
        if (output := worst_output(document, verdict)) is not None
    ]
    judged = [
        (check.contender.text, place_name(record, output, check.variant.batch), output)
        for check in record.checks
        if check.parity is not None
        for output in check.parity.outputs
    ]
    searches = [check.layers for check in record.checks if check.layers is not None]
    figures = (quantile_chart(worst, series), ulp_chart(worst, series))
    pictures = (picture_chart(number, name, output) for number, (name, output) in enumerate(_pictured(worst)))
    return ParityPage(
        title=title(record),
        subtitle=(record.created_at.strftime("%-d %B %Y, %H:%M UTC"), record.machine.cpu),
        started_at=record.created_at.isoformat(),
        run_id=record.id,
        answer=_answer(document),
        verdicts=tuple(_verdict(document, place, series) for place in range(len(document.verdicts))),
        failures=_failures(document, series),
        notes=tuple(notes(record)),
        budgets=budget_chart(judged, series),
        figures=tuple(chart for chart in figures if chart is not None),
        diagnostics=diagnostics_table(document),
        pictures=tuple(chart for chart in pictures if chart is not None),
        accuracy=document.accuracy,
        accuracy_chart=accuracy_chart(document.accuracy) if document.accuracy else None,
        layers=tuple(_layers(search, series) for search in searches),
        growth=growth_chart(0, searches, series) if searches else None,
        graph=graph_view(record),
        inputs=inputs_table(record),
        interrupted=record.interrupted,
        facts=(setup.machine_facts(record.machine), setup.environment_facts(record.environment)),
        repeat=setup.repeat_lines(record.environment),
        series=series,
    )


def _layers(search: LayerSearch, series: Mapping[str, Series]) -> LayersView:
    return LayersView(
        series=series[search.contender.text],
        answer=layer_answer(search),
        places=tuple(place.words for place in search.places),
        notes=search.notes,
        folder=search.subgraph.folder if search.subgraph else "",
    )


def _pictured(worst: list[tuple[str, OutputParity]]) -> list[tuple[str, OutputParity]]:
    """Outputs whose error is drawn: those that do not pass; where all pass, the one nearest to its budget."""
    wrong = [(name, output) for name, output in worst if output.status != "pass"]
    return wrong or sorted(worst, key=lambda each: -budget_use(each[1]))[:1]


def _failures(document: ParityDocument, series: Mapping[str, Series]) -> tuple[FailureView, ...]:
    """A contender that fails alike on every batch is told once, with all of them."""
    found: dict[tuple[str, str, str, str], list[ParityCheck]] = {}
    for check in document.record.checks:
        if (failure := check.failure) is not None:
            key = (check.contender.text, check.status, failure.phase, failure.message)
            found.setdefault(key, []).append(check)
    return tuple(
        FailureView(
            series[key[0]],
            ", ".join(str(check.variant.batch) for check in checks),
            STATUS_WORDS[checks[0].status],
            checks[0].failure,
        )
        for key, checks in found.items()
    )


def _answer(document: ParityDocument) -> str:
    """One sentence over all contenders."""
    total = len(document.verdicts)
    good = sum(verdict.verdict == "pass" for verdict in document.verdicts)
    if good == total:
        return {1: "Yes.", 2: "Yes, of both."}.get(total, f"Yes, of all {total}.")
    wrong = [verdict.contender for verdict in document.verdicts if verdict.verdict == "fail"]
    if wrong:
        return f"No: {' and '.join(wrong)} {'computes' if len(wrong) == 1 else 'compute'} the wrong thing."
    return f"Not known of {total - good} of {total}."


def _verdict(document: ParityDocument, place: int, series: Mapping[str, Series]) -> VerdictView:
    verdict = document.verdicts[place]
    breaches = dict.fromkeys(
        breach
        for check in document.record.checks
        if check.contender.text == verdict.contender and check.parity is not None
        for breach in check.parity.contract
        if not verdict.reason.endswith(breach)
    )
    words = verdict_words(verdict)
    return VerdictView(
        series=series[verdict.contender],
        version=verdict.engine_version,
        tone=PARITY_TONES[verdict.verdict],
        verdict=verdict.verdict,
        headline=HEADLINES[verdict.verdict],
        words=words if words.endswith(".") else f"{words}.",
        breaches=tuple(breaches),
    )

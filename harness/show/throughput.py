"""A run of closed loops as text: the answer, every curve as a table, verdicts, what broke, doubts."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.judge.load.curve import LoadCurve, ThroughputDocument
from harness.judge.load.point import LoadPoint
from harness.show.comparison import last_words, print_warning
from harness.show.numbers import figure

_VERDICT_STYLE = {"faster": "green", "slower": "red", "same": "cyan", "unsettled": "yellow", "unknown": "red"}
_PARITY_STYLE = {"pass": "green", "fail": "bold red", "unknown": "yellow", "nondeterministic": "yellow"}


def print_throughput(document: ThroughputDocument, console: Console) -> None:
    """Print the whole of a run."""
    console.print(Text(document.run.name, style="bold"))
    console.print(Text(document.headline), soft_wrap=True)
    for curve in document.curves:
        console.print()
        console.print(Text(f"{curve.contender} {curve.engine_version}".strip(), style="bold"))
        console.print(curve_table(curve))
        console.print(Text(curve.words), soft_wrap=True)
        for line in _notes(curve):
            console.print(line, soft_wrap=True)
    if document.pairs:
        console.print()
    for pair in document.pairs:
        line = Text(f"{pair.verdict:>9}  ", style=_VERDICT_STYLE[pair.verdict])
        line.append(pair.words, style="default")
        console.print(line)
    print_failures(document, console)
    for warning in document.warnings:
        print_warning(warning, "", console)
    stops = sorted({r.stop_reason for r in document.results if r.stop_reason})
    if stops:
        console.print(Text(f"Stopped because {stops[0]}.", "dim"))


def print_throughput_answer(document: ThroughputDocument, console: Console) -> None:
    """Print the answer alone, and what failed."""
    console.print(Text(document.headline), soft_wrap=True)
    for curve in document.curves:
        console.print(Text(f"{curve.contender}: {curve.words}"), soft_wrap=True)
    print_failures(document, console)


def curve_table(curve: LoadCurve) -> Table:
    """Points as rows."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    for name in ("in flight", "batch", "threads"):
        table.add_column(name, justify="right")
    for name in ("throughput", "p50", "p90", "p99", "memory", "cores busy"):
        table.add_column(name, justify="right")
    table.add_column("parity")
    table.add_column("")
    for point in curve.points:
        marks = [
            word for word, chosen in (("best", curve.best), ("knee", curve.knee)) if chosen == point.result_id
        ]
        instances = f" × {point.instances}" if point.instances > 1 else ""
        table.add_row(
            f"{point.concurrency}{instances}",
            str(point.batch),
            str(point.threads),
            *_cells(point),
            Text(point.parity, style=_PARITY_STYLE[point.parity]),
            Text(" ".join(marks) or _short(point), style="bold" if marks else "dim"),
        )
    return table


def _cells(point: LoadPoint) -> list[str]:
    throughput = figure(point.throughput, "per_second")
    cells = [f"{throughput.text} {throughput.interval}".strip()]
    # Their intervals are in --json and --html: here they would not fit a line.
    cells += [figure(estimate, "seconds").text for estimate in (point.p50, point.p90, point.p99)]
    cells.append(figure(point.memory, "bytes").text)
    cells.append(f"{point.cpu_cores:.2f}" if point.cpu_cores is not None else "n/a")
    return cells


def _short(point: LoadPoint) -> str:
    """In a word what keeps a point from being the best; the reason is told below."""
    if point.status != "measured":
        return point.status
    return {"yes": "", "no": "rejected", "unsure": "unsure"}[point.kept]


def _notes(curve: LoadCurve) -> list[Text]:
    """Why figures are missing, and what is doubted; each reason once."""
    reasons: dict[str, None] = {}
    for point in curve.points:
        for name, estimate in (("p90", point.p90), ("p99", point.p99), ("memory", point.memory)):
            if estimate.value is None and point.throughput.value is not None:
                reasons[f"n/a: {name}: {estimate.reason}"] = None
    lines = [Text(reason, style="dim") for reason in reasons]
    for point in curve.points:
        if point.rejected and point.status == "measured":
            lines.append(Text(f"{point.words}: {point.rejected}", style="dim"))
        for doubt in point.doubts:
            line = Text("warning: ", style="yellow")
            line.append(f"{point.words}: {doubt}", style="default")
            lines.append(line)
    return lines


def print_failures(document: ThroughputDocument, console: Console) -> None:
    """Every point that broke, with the engine's words."""
    for result in document.results:
        if result.failure is None or result.case.load is None:
            continue
        variant = result.case.variant
        where = f"batch {variant.batch}, threads {variant.threads}, {result.case.load.concurrency} in flight"
        line = Text(f"{result.case.contender.text}, {where}: {result.status}", style="bold red")
        line.append(f" in {result.failure.phase}: {result.failure.message}", style="default")
        console.print(line, soft_wrap=True)
        if result.failure.hint:
            console.print(Text(f"  {result.failure.hint}"), soft_wrap=True)
        words = last_words(result.failure.stderr_tail)
        if words and result.status in ("crashed", "timeout", "out_of_memory"):
            console.print(Text(f"  its last words: {words}", style="dim"), soft_wrap=True)

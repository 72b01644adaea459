"""A judged comparison as text: the answer first, then figures, verdicts, parity and doubts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.judge.comparison import ContenderSummary, Group
from harness.judge.document import ComparisonDocument
from harness.judge.metrics import METRICS, SECTIONS, SPEED
from harness.records import Result, Warning_
from harness.show.numbers import figure
from harness.show.roof import roofline_lines
from harness.show.transfers import transfer_lines

_STATUS_STYLE = {"pass": "green", "fail": "bold red", "unknown": "yellow", "nondeterministic": "yellow"}
_VERDICT_STYLE = {"faster": "green", "slower": "red", "same": "cyan", "unsettled": "yellow", "unknown": "red"}
_COLUMN = 30
_STACK_LINES = ('File "', "Current thread ", "Thread ", "Extension modules: ", "<no Python frame>")
"""How the lines begin that `faulthandler` prints below its first."""


def print_document(document: ComparisonDocument, console: Console) -> None:
    """Print every group of a comparison."""
    by_id = {result.id: result for result in document.results}
    for group in document.groups:
        print_group(group, [by_id[c.result_id] for c in group.contenders], console)


def print_answer(document: ComparisonDocument, console: Console) -> None:
    """Print the answer alone: a line for every group, and for every contender that failed."""
    by_id = {result.id: result for result in document.results}
    for group in document.groups:
        console.print(Text(f"{group.title}: {group.headline}"), soft_wrap=True)
        for contender in group.contenders:
            result = by_id[contender.result_id]
            if result.failure is not None:
                console.print(_failure_line(contender.contender, result), soft_wrap=True)


def print_group(group: Group, results: Sequence[Result], console: Console) -> None:
    """Print one group: headline, figures, pairs, failures, warnings."""
    console.print()
    console.print(Text(group.title, style="bold"))
    console.print(Text(group.headline))
    console.print()
    shown = [c for c in group.contenders if c.p50.value is not None]
    if shown:
        per_table = max(1, (console.width - 20) // _COLUMN)
        for start in range(0, len(shown), per_table):
            console.print(figures_table(shown[start : start + per_table]))
    reasons = missing_reasons(shown)
    for line in reasons:
        console.print(Text(line, style="dim"))
    for line in (*roofline_lines(group.contenders, results), *transfer_lines(results)):
        console.print(Text(line, style="dim"))
    if group.pairs:
        _print_pairs(group, console)
    _print_parity(group, results, console)
    _print_failures(group, results, console)
    _print_warnings(group, console)
    stops = sorted({r.stop_reason for r in results if r.stop_reason})
    if stops:
        rounds = max((sum(len(t.rounds) for t in r.trials) for r in results), default=0)
        trials = max((len(r.trials) for r in results), default=0)
        console.print(
            Text(f"Measured in {trials} trials and {rounds} rounds; stopped because {stops[0]}.", "dim")
        )


def figures_table(contenders: Sequence[ContenderSummary]) -> Table:
    """Figures as rows, contenders as columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("")
    for contender in contenders:
        table.add_column(f"{contender.contender} {contender.engine_version}".strip(), justify="right")
    for title, metrics in SECTIONS:
        # A row in which nobody has a figure is in the list of reasons below the table alone.
        shown = [metric for metric in metrics if any(metric.of(c).value is not None for c in contenders)]
        if shown and metrics is not SPEED:
            table.add_row(Text(title, style="dim"), *[""] * len(contenders))
        for metric in shown if metrics is not SPEED else metrics:
            cells = []
            for contender in contenders:
                value = figure(metric.of(contender), metric.kind)
                cells.append(Text(f"{value.text} {value.interval}".strip()))
            table.add_row(metric.label, *cells)
        if metrics is SPEED:
            table.add_row("parity", *[_parity_cell(contender) for contender in contenders])
    return table


def _parity_cell(contender: ContenderSummary) -> Text:
    if contender.work == "fail":
        return Text("fail (calls do not do the work)", style=_STATUS_STYLE["fail"])
    ratio = contender.parity_ratio
    words = contender.parity + (f" ({ratio:.2g}× fp32's error)" if ratio is not None else "")
    return Text(words, style=_STATUS_STYLE[contender.parity])


def missing_reasons(contenders: Sequence[ContenderSummary]) -> list[str]:
    """Why figures show n/a, one line a reason, with the figures and contenders that share it."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for metric in METRICS:
        for contender in contenders:
            estimate = metric.of(contender)
            if estimate.value is None:
                reasons.setdefault((metric.label, estimate.reason), []).append(contender.contender)
    lines: dict[tuple[str, str], list[str]] = {}
    for (label, reason), names in reasons.items():
        lines.setdefault((", ".join(names), reason), []).append(label)
    return [f"n/a: {', '.join(labels)} of {names}: {reason}" for (names, reason), labels in lines.items()]


def _print_pairs(group: Group, console: Console) -> None:
    console.print()
    for pair in group.pairs:
        line = Text()
        line.append(f"{pair.verdict:>9}  ", style=_VERDICT_STYLE[pair.verdict])
        line.append(" ".join(part for part in (pair.words, pair.against) if part))
        console.print(line)
        if pair.advice:
            console.print(Text(f"{'':>9}  {pair.advice}", style="dim"))


def _print_parity(group: Group, results: Sequence[Result], console: Console) -> None:
    for contender, result in zip(group.contenders, results, strict=True):
        if contender.parity == "pass" or result.parity is None:
            continue
        line = Text()
        line.append(
            f"parity of {contender.contender}: {contender.parity}. ", style=_STATUS_STYLE[contender.parity]
        )
        line.append(result.parity.reason)
        console.print(line)
        for breach in result.parity.contract:
            if breach != result.parity.reason:
                console.print(Text(f"  {breach}"))


def _print_failures(group: Group, results: Sequence[Result], console: Console) -> None:
    for contender, result in zip(group.contenders, results, strict=True):
        if result.failure is None:
            continue
        console.print()
        console.print(_failure_line(contender.contender, result), soft_wrap=True)
        if result.failure.hint:
            console.print(Text(f"  {result.failure.hint}"), soft_wrap=True)
        words = last_words(result.failure.stderr_tail)
        if words and result.status in ("crashed", "timeout", "out_of_memory"):
            console.print(Text(f"  its last words: {words}", style="dim"), soft_wrap=True)


def _failure_line(contender: str, result: Result) -> Text:
    assert result.failure is not None
    line = Text()
    line.append(f"{contender}: {result.status}", style="bold red")
    line.append(f" in {result.failure.phase}: {result.failure.message}")
    return line


def last_words(stderr_tail: str) -> str:
    """The last lines that an engine printed, printable and cut, without the stack that Python adds to a crash."""
    lines = [
        line
        for text in stderr_tail.splitlines()
        if (line := "".join(c if c.isprintable() else " " for c in text).strip())
        and not line.startswith(_STACK_LINES)
    ]
    return " | ".join(line[:160] for line in lines[-3:])


def _print_warnings(group: Group, console: Console) -> None:
    if group.warnings:
        console.print()
    for warning in group.warnings:
        print_warning(warning, "", console)
    shared = set(group.warnings)
    for contender in group.contenders:
        for warning in contender.warnings:
            if warning not in shared:
                print_warning(warning, contender.contender, console)


def print_warning(warning: Warning_, about: str, console: Console) -> None:
    """One warning: what, its consequence, what to do."""
    line = Text()
    line.append("warning: ", style="yellow")
    line.append(f"{about}: " if about else "")
    line.append(" ".join(part for part in (warning.message, warning.consequence, warning.advice) if part))
    console.print(line)

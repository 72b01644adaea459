"""`harness conformance`: the ONNX project's own test cases on every engine, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import DURATION, SIZE, db_option, output_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.judge.conformance.document import Comparison, ConformanceDocument
    from harness.records import ContenderRef
    from harness.records.conformance import ConformanceRecord
    from harness.run.conformance.runner import ConformanceOutcome, ConformancePlan
    from results.store import Store

_KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "light")


@click.command(
    "conformance",
    epilog="""\b
Examples:
  harness conformance ort openvino
  harness conformance ort --operator Conv --operator ConvTranspose
  harness conformance openvino --case 'resize_*' --html resize.html
  harness conformance ort --changes
  harness conformance ort --changes --against 1.30.0
  harness conformance ort --fail-on new --json conformance.json

Exit codes: 0 no case failed, crashed or timed out (what an engine says that it lacks is no failure); 1 one did, or
an engine could not be asked; with --fail-on new only cases that broke since the version compared with count; 2 bad
usage or input; 3 no engine could be asked; 130 interrupted (the same command goes on from there).""",
)
@click.argument("contenders", nargs=-1, required=True, metavar="CONTENDER...")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only cases of this kind.")
@click.option("--case", "globs", multiple=True, metavar="GLOB", help="Only cases with such a name.")
@click.option("--operator", "operators", multiple=True, metavar="OP", help="Only cases about this operator.")
@click.option("--opset", "opsets", multiple=True, type=click.IntRange(1), metavar="N",
              help="Only cases that ask for this version of the operator set.")  # fmt: skip
@click.option("--jobs", "-j", type=click.IntRange(1), help="Workers at a time [default: usable cores].")
@click.option("--deadline", type=DURATION, default="60s", show_default=True, metavar="TIME",
              help="Longest a case may take.")  # fmt: skip
@click.option("--memory-limit", type=SIZE, default="8GiB", show_default=True, metavar="SIZE",
              help="Most memory a worker may allocate.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Start over instead of resuming an unfinished run.")
@click.option("--from-history", is_flag=True, help="Run nothing: show the newest outcomes on record.")
@click.option("--changes", is_flag=True,
              help="Run nothing: show cases that differ between the two newest versions on record.")  # fmt: skip
@click.option("--against", metavar="VERSION|CONTENDER|RUN", help="Compare with this, from the history.")
@click.option("--fail-on", type=click.Choice(("any", "new")), default="any", show_default=True,
              help="What exit code 1 means: any failed case, or one that broke.")  # fmt: skip
@click.option("--markdown", type=click.Path(), metavar="FILE", help="Write totals and matrix as Markdown.")
@db_option
@output_options
def command(**flags: Any) -> int:
    """Run the ONNX project's own test cases on engines: operators, simple models, whole networks.

    Each case goes through the engine's adapter in a guarded worker and passes, fails (with the size of the error), is
    unsupported (the engine says that it lacks something), crashes or times out. The counts add up to all cases;
    what cannot be judged is listed as excluded, with the reason. Outcomes are kept by engine version, so that a new
    release can be held against the one before.
    """
    from harness.cli.documents import check_exports, check_writable
    from harness.errors import UsageError
    from harness.show.console import make_console
    from results.store import open_store

    refs = _contenders(flags)
    check_exports(flags["json"], flags["html"])
    check_writable(flags["markdown"])
    stored = flags["changes"] or flags["from_history"]
    if stored and any(flags[name] for name in ("kinds", "globs", "operators", "opsets", "fresh", "jobs")):
        what = "--changes" if flags["changes"] else "--from-history"
        raise UsageError(f"{what} runs nothing and takes all cases on record", "leave out the flags of a run")
    console = make_console()
    if not stored:
        return _run(refs, flags, console)
    with open_store(flags["db"], create=False) as store:
        record, comparisons = _recorded(store, refs, flags)
    return _show(record, comparisons, flags, console, only_changes=flags["changes"])


def _run(refs: Sequence[ContenderRef], flags: dict[str, Any], console: Any) -> int:
    import sys

    from harness.cli.signals import interruptible
    from harness.run.conformance.runner import run_conformance
    from harness.show.console import make_console
    from harness.show.progress import make_progress
    from results.store import open_store

    with open_store(flags["db"]) as store:
        if flags["against"]:
            _check_against(store, refs, flags["against"])
        with interruptible(), make_progress(make_console(stderr=True, quiet=flags["quiet"])) as progress:
            plan = _plan(refs, flags, progress)
            outcome = run_conformance(plan, store, progress, command=sys.argv)
        comparisons = _comparisons(store, outcome.record, flags)
        code = _show(outcome.record, comparisons, flags, console)
        _close(store, outcome, code)
        where = store.where
    if outcome.unsaved is not None:
        raise outcome.unsaved
    if not flags["quiet"]:
        if outcome.resumed:
            words = f"{outcome.resumed} outcomes are from the run that was cut short before."
            console.print(words, markup=False, style="dim", soft_wrap=True)
        words = f"Stored as run {outcome.record.run_id[:8]} in {where}"
        console.print(words, markup=False, style="dim", soft_wrap=True)
    return code


def _contenders(flags: dict[str, Any]) -> tuple[ContenderRef, ...]:
    from harness.errors import UsageError
    from harness.plan.contender import parse_contender, without_version

    refs = tuple(parse_contender(text) for text in flags["contenders"])
    names = [without_version(ref) for ref in refs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"contender {name} is named twice", "cases give the same every time: name it once"
            )
    return refs


def _plan(refs: Sequence[ContenderRef], flags: dict[str, Any], progress: Any) -> ConformancePlan:
    from harness.environment.threads import usable_cores
    from harness.run.conformance.cases import load_cases, select_cases
    from harness.run.conformance.runner import ConformancePlan

    chosen = {"kinds": "--kind", "globs": "--case", "operators": "--operator", "opsets": "--opset"}
    words = [f"{flag} {value}" for name, flag in chosen.items() for value in flags[name]]
    cases = select_cases(
        load_cases(progress),
        kinds=flags["kinds"],
        globs=flags["globs"],
        operators=flags["operators"],
        opsets=flags["opsets"],
    )
    return ConformancePlan(
        contenders=tuple(refs),
        cases=cases,
        selection=" ".join(words),
        jobs=flags["jobs"] or usable_cores(),
        deadline_s=flags["deadline"],
        memory_limit=flags["memory_limit"],
        fresh=flags["fresh"],
    )


def _recorded(
    store: Store, refs: Sequence[ContenderRef], flags: dict[str, Any]
) -> tuple[ConformanceRecord, list[Comparison]]:
    from harness.run.conformance.stored import compared, recorded, two_newest

    record = recorded(store, refs)
    if not flags["changes"]:
        return record, _comparisons(store, record, flags)
    return record, [compared(ref, *two_newest(store, ref, flags["against"])) for ref in refs]


def _check_against(store: Store, refs: Sequence[ContenderRef], against: str) -> None:
    """Fail before anything runs."""
    from harness.run.conformance.stored import side_of

    for ref in refs:
        side_of(store, ref, against)


def _comparisons(store: Store, record: ConformanceRecord, flags: dict[str, Any]) -> list[Comparison]:
    """What the engines of a record are held against: what --against names, else the version before."""
    from harness.run.conformance.stored import Side, compared, previous_side, side_of

    comparisons = []
    for engine in record.engines:
        if not engine.results or engine.state == "interrupted":
            continue
        ref = engine.contender
        before = (
            side_of(store, ref, flags["against"])
            if flags["against"]
            else previous_side(store, ref, engine.engine_version)
        )
        if before is not None:
            after = Side(f"{ref.text} {engine.engine_version}", engine.results)
            comparisons.append(compared(ref, before, after, only_in=True))
    return comparisons


def _close(store: Store, outcome: ConformanceOutcome, code: int) -> None:
    from harness.errors import StorageError

    status = "interrupted" if outcome.interrupted else "failed" if outcome.unsaved else "finished"
    try:
        store.finish_run(outcome.record.run_id, status, code)  # type: ignore[arg-type]
    except StorageError as error:
        outcome.unsaved = outcome.unsaved or error


def _show(
    record: ConformanceRecord,
    comparisons: Sequence[Comparison],
    flags: dict[str, Any],
    console: Any,
    *,
    only_changes: bool = False,
) -> int:
    from harness.judge.conformance.document import document_of
    from harness.show.conformance import print_answer, print_changes, print_conformance

    # Asked what changed, only what broke is bad news.
    new_only = only_changes or flags["fail_on"] == "new"
    document = document_of(record, comparisons, new_only=new_only)
    if flags["quiet"]:
        print_answer(document, console)
    elif only_changes:
        print_changes(document.comparisons, console)
    else:
        print_conformance(document, console)
    for line in _write(document, flags):
        if not flags["quiet"]:
            console.print(line, markup=False, style="dim", soft_wrap=True)
    return document.exit_code


def _write(document: ConformanceDocument, flags: dict[str, Any]) -> list[str]:
    from harness.cli.documents import write_text

    lines = []
    if flags["json"]:
        write_text(flags["json"], document.model_dump_json(indent=1) + "\n")
        lines.append(f"Record: {flags['json']}")
    if flags["html"]:
        from dashboards.conformance_page import render_conformance

        write_text(flags["html"], render_conformance(document))
        lines.append(f"Report: {flags['html']}")
    if flags["markdown"]:
        from pathlib import Path

        from harness.show.conformance_markdown import markdown, put_into

        target = Path(flags["markdown"])
        there = target.read_text(encoding="utf-8") if target.exists() else ""
        write_text(flags["markdown"], put_into(there, markdown(document)))
        lines.append(f"Markdown: {flags['markdown']}")
    return lines

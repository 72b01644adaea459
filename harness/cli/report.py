"""`harness report`: a stored comparison again, on the terminal or as an HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import db_option, output_options

if TYPE_CHECKING:
    from harness.judge.document import ComparisonDocument
    from harness.judge.load.curve import ThroughputDocument
    from harness.judge.parity_document import ParityDocument
    from results.store import Store

NEWEST = 20
"""How many of the newest runs are looked at for one that holds results."""


@click.command(name="report", short_help="Show a stored comparison again, or write it as an HTML page.")
@click.argument("run", required=False, metavar="[RUN]")
@output_options
@db_option
def command(run: str | None, **flags: Any) -> int:
    """Show a stored comparison again, or write it as one HTML file that needs nothing else.

    RUN is a run's id, the beginning of one, or a file that --json of another command wrote; without it, the newest
    run in the database that holds results. Runs from the database are judged again from their raw samples.

    \b
    Examples:
      harness report
      harness report --html report.html
      harness report 3f9c21ab --html report.html --json record.json
      harness report record.json --html report.html

    Exit codes: 0 shown or written, whatever the comparison found; 2 bad usage, no such run, an unreadable file.
    """
    from harness.cli.documents import check_writable, write_exports
    from harness.show.comparison import print_document
    from harness.show.console import make_console

    if flags["html"]:
        from dashboards.report import require_report_packages

        require_report_packages()
    check_writable(flags["json"], flags["html"])
    if (loaded := _throughput(run, flags["db"])) is not None:
        from harness.cli.throughput import show_throughput

        return show_throughput(loaded, flags)
    if (checked := _parity(run, flags["db"])) is not None:
        from harness.cli.parity import show_parity

        show_parity(checked, flags, make_console())
        return 0
    document = read_document(Path(run)) if run and _names_file(run) else _stored_document(run, flags["db"])
    console = make_console(quiet=False)
    if flags["quiet"]:
        for group in document.groups:
            console.print(f"{group.model}: {group.headline}", markup=False, soft_wrap=True)
    elif not flags["html"]:
        print_document(document, console)
    for line in write_exports(document, flags["json"], flags["html"]):
        console.print(line, markup=False, soft_wrap=True)
    return 0


def read_document(path: Path) -> ComparisonDocument:
    """The comparison in a file that `--json` wrote. Raises InputError when there is none."""
    from pydantic import ValidationError

    from harness.errors import InputError
    from harness.judge.document import ComparisonDocument

    wanted = "Name a file written by --json of `harness compare`, `harness run` or `harness report`."
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", wanted) from None
    try:
        return ComparisonDocument.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file as a whole"
        raise InputError(
            f"{path} is not a comparison that this harness can read: {where}: {first['msg']}"
            f" ({error.error_count()} problem{'s' if error.error_count() != 1 else ''})",
            wanted,
        ) from None


def _throughput(run: str | None, db: str | None) -> ThroughputDocument | None:
    """The document of a run of closed loops; None for any other run or file."""
    from harness.judge.load.curve import ThroughputDocument, judge_run
    from results.store import open_store

    if run and _names_file(run):
        try:
            return ThroughputDocument.model_validate_json(Path(run).read_bytes())
        except (OSError, ValueError):
            return None
    with open_store(db, create=False) as store:
        found = store.run(run if run else _newest(store))
        return judge_run(found, store.results_of(found.id)) if found.kind == "throughput" else None


def _parity(run: str | None, db: str | None) -> ParityDocument | None:
    """The document of a run of `harness parity`, judged again; None for any other run or file."""
    from harness.judge.parity_document import ParityDocument, document_of
    from results.store import open_store

    if run and _names_file(run):
        try:
            return ParityDocument.model_validate_json(Path(run).read_bytes())
        except (OSError, ValueError):
            return None
    with open_store(db, create=False) as store:
        found = store.run(run if run else _newest(store))
        record = store.parity_record(found) if found.kind == "parity" else None
        return None if record is None else document_of(record)


def _names_file(text: str) -> bool:
    """Whether RUN is meant as a path: run ids hold hexadecimal digits only."""
    return "/" in text or text.endswith(".json") or Path(text).is_file()


def _stored_document(run: str | None, db: str | None) -> ComparisonDocument:
    from harness.cli.documents import document_from_results, judged_groups
    from harness.errors import InputError
    from harness.judge.exit_code import exit_code
    from harness.judge.gate_types import read_gates
    from harness.judge.gates import judge_gates
    from results.store import open_store

    with open_store(db, create=False) as store:
        found = store.run(run if run else _newest(store))
        results = store.results_of(found.id)
        if not results:
            raise InputError(
                f"run {found.id[:8]} in {store.where} holds no results: it ended before one was there",
                "`harness history --runs` lists the runs.",
            )
    groups = judged_groups(results)
    gates = judge_gates(read_gates(found.gates), groups) if found.gates else ()
    code = exit_code(groups, failed_gates=sum(not gate.passed for gate in gates))
    return document_from_results(found, results, int(code), groups, gates)


def _newest(store: Store) -> str:
    from harness.errors import InputError

    for summary in store.runs(NEWEST):
        if summary.results:
            return summary.id
    raise InputError(
        f"{store.where} holds no run with results",
        "Measure something first, e.g. `harness compare torch ort --model resnet50`.",
    )

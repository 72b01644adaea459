"""The document of a comparison: made from results, written as JSON or HTML, printed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.errors import StorageError
from harness.judge.comparison import Group
from harness.judge.document import ComparisonDocument
from harness.judge.gate_types import GateOutcome
from harness.judge.judging import judge_group
from harness.records import Result, Run


def judged_groups(results: Sequence[Result]) -> tuple[Group, ...]:
    """Results judged group by group, in the order of their first result."""
    by_group: dict[str, list[Result]] = {}
    for result in results:
        by_group.setdefault(result.group_id, []).append(result)
    return tuple(judge_group(members) for members in by_group.values())


def document_from_results(
    run: Run,
    results: Sequence[Result],
    exit_code: int,
    groups: Sequence[Group] | None = None,
    gates: Sequence[GateOutcome] = (),
) -> ComparisonDocument:
    """The document that `--json` writes, judged from the raw samples in `results`."""
    return ComparisonDocument(
        run=run,
        results=tuple(results),
        groups=tuple(groups) if groups is not None else judged_groups(results),
        gates=tuple(gates),
        exit_code=exit_code,
    )


def check_exports(json_file: str | None, html_file: str | None) -> None:
    """Fail before anything is measured when what was asked for could not be made. Raises HarnessError."""
    if html_file:
        from dashboards.report import require_report_packages

        require_report_packages()
    check_writable(json_file, html_file)


def check_writable(*paths: str | None) -> None:
    """Fail before anything is measured when a file could not be written. Raises StorageError."""
    for path in paths:
        if path is None:
            continue
        target = Path(path)
        if target.is_dir():
            raise StorageError(f"{path} is a folder; an output file is wanted", "name a file in it")
        try:
            with tempfile.NamedTemporaryFile(dir=target.parent or Path(), prefix=".harness-"):
                pass
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written: {error.strerror}",
                "name a file in a folder that exists and can be written to",
            ) from None


def write_text(path: str, text: str) -> None:
    """Write a file whole or not at all: a temporary sibling is renamed. Raises StorageError."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(
            f"{path} cannot be written: {error.strerror}", "make room or name another file"
        ) from None


def write_exports(document: ComparisonDocument, json_file: str | None, html_file: str | None) -> list[str]:
    """Write what was asked for; returns a line for each file."""
    lines = []
    if json_file:
        write_text(json_file, document.model_dump_json(indent=1) + "\n")
        lines.append(f"Record with raw samples: {json_file}")
    if html_file:
        from dashboards.report import render_report

        write_text(html_file, render_report(document))
        lines.append(f"Report: {html_file}")
    return lines

"""The common end of `compare` and `run`: judge, close the run, print, export, tell the exit code."""

from __future__ import annotations

from typing import Literal

from rich.console import Console

from harness.cli.documents import document_from_results, judged_groups, write_exports, write_text
from harness.errors import ExitCode, HarnessError, StorageError
from harness.judge.exit_code import exit_code
from harness.judge.gates import judge_gates
from harness.plan.cases import Plan
from harness.run.runner import RunOutcome
from harness.show.comparison import print_answer, print_document
from harness.show.gates import print_failed_gates, print_gates
from results.store import Store


def finish(
    outcome: RunOutcome,
    plan: Plan,
    store: Store,
    console: Console,
    json_file: str | None,
    html_file: str | None,
    *,
    quiet: bool = False,
) -> ExitCode:
    """Show what a run gave and close it in the database; `quiet` leaves the answer and the errors.

    Raises HarnessError when no model could be used, and, after everything else is done, when results could not be
    stored.
    """
    groups = judged_groups(outcome.results)
    gates = judge_gates(plan.gates, groups, plan.expected) if plan.gates else ()
    code = exit_code(
        groups,
        unusable_models=len(outcome.problems),
        failed_gates=sum(not gate.passed for gate in gates),
        interrupted=outcome.interrupted,
    )
    if not outcome.interrupted and (outcome.unsaved is not None or _nothing_usable(outcome)):
        code = ExitCode.USAGE
    # Closed before anything is printed: whatever happens to the output, the run is not taken for a killed one.
    _close(outcome, store, code)
    document = document_from_results(outcome.run, outcome.results, code, groups, gates)
    (print_answer if quiet else print_document)(document, console)
    if gates:
        (print_failed_gates if quiet else print_gates)(gates, console)
    if outcome.unsaved is not None:
        rescue(document.model_dump_json(), outcome.unsaved, outcome.run.id, console)
    for line in write_exports(document, json_file, html_file) if outcome.results else ():
        _tell(line, console, quiet)
    if outcome.unsaved is not None:
        raise outcome.unsaved
    if _nothing_usable(outcome) and not outcome.interrupted:
        raise outcome.problems[0][1]
    for group, problem in outcome.problems:
        console.print(f"{group.key} could not be measured: {problem}", markup=False, style="bold red")
    if outcome.interrupted:
        console.print(
            "Interrupted. Finished trials are kept: the same command goes on from there.",
            markup=False,
            style="yellow",
        )
    elif outcome.results:
        _tell(f"Stored as run {outcome.run.id[:8]} in {store.where}", console, quiet)
    return code


def _nothing_usable(outcome: RunOutcome) -> bool:
    return bool(outcome.problems) and not outcome.results


def _tell(line: str, console: Console, quiet: bool) -> None:
    if not quiet:
        console.print(line, markup=False, style="dim", soft_wrap=True)


def _close(outcome: RunOutcome, store: Store, code: ExitCode) -> None:
    status: Literal["finished", "interrupted", "failed"] = "finished"
    if outcome.interrupted:
        status = "interrupted"
    elif outcome.unsaved is not None or not outcome.results:
        status = "failed"
    try:
        store.finish_run(outcome.run.id, status, int(code))
    except StorageError as error:
        outcome.unsaved = outcome.unsaved or error


def rescue(text: str, error: HarnessError, run_id: str, console: Console) -> None:
    """The database failed after measuring: leave the record somewhere else rather than lose it."""
    import tempfile
    from pathlib import Path

    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        target = folder / f"harness-unsaved-{run_id[:8]}.json"
        try:
            write_text(str(target), text)
        except StorageError:
            continue
        words = f"The database failed ({error.message}); the record is in {target}"
        break
    else:
        words = f"The database failed ({error.message}), and no other place could be written."
    console.print(words, markup=False, style="red", soft_wrap=True)

"""`harness history`: one series over time, or the newest runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import db_option

if TYPE_CHECKING:
    from results.parity_checks import ParityPoint
    from results.series import MetricPoint
    from results.store import Store
    from results.summaries import RunSummary


@click.command(name="history", short_help="Show a series of stored results, or the newest runs.")
@click.option("--model", metavar="MODEL", help="Show the series of this model.")
@click.option(
    "--contender", metavar="CONTENDER", help="Only this contender, e.g. ort or trt@fp16; needs --model."
)
@click.option(
    "--metric", metavar="NAME", default="p50", show_default=True, help="Which figure: p50, p99, load, ..."
)
@click.option("--parity", is_flag=True, help="Show what `harness parity` found; needs --model.")
@click.option(
    "--runs", "list_runs", is_flag=True, help="List runs; with --model, those that have a result of it."
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest ones."
)
@db_option
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write what is shown as JSON.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing; only write --json and set the exit code.")
def command(
    model: str | None,
    contender: str | None,
    metric: str,
    parity: bool,
    list_runs: bool,
    limit: int,
    db: str | None,
    json_path: Path | None,
    quiet: bool,
) -> int:
    """Show how a figure of a model came out over time, or list the newest runs.

    A series is one case on one machine. The change is against the point before it in the same series; the two were
    not measured in the same rounds, so a small one says little. `harness compare` measures side by side.

    \b
    Examples:
      harness history
      harness history --model resnet50
      harness history --model resnet50 --contender ort --metric p99
      harness history --model resnet50 --parity
      harness history --runs --model resnet50 --limit 5

    Exit codes: 0 shown, or there is no history yet; 2 bad usage, or no such model, contender, metric or database.
    """
    from harness.errors import UsageError
    from harness.show import history as show
    from harness.show.console import make_console
    from harness.show.parity_history import points_as_document, print_parity_points
    from results.location import locate
    from results.store import NoDatabaseError, open_store

    if parity and (model is None or list_runs or metric != "p50"):
        raise UsageError(
            "--parity shows the parity checks of one model",
            "Add --model MODEL, and leave out --metric and --runs.",
        )
    for flag, value in (("--contender", contender), ("--metric", None if metric == "p50" else metric)):
        if value and (model is None or list_runs):
            raise UsageError(
                f"{flag} {value!r} needs a series to look at", "Add --model MODEL, and leave out --runs."
            )
    console = make_console(quiet=quiet)
    document: dict[str, Any] = {"schema_version": 1, "kind": "history", "database": locate(db).where}
    try:
        store = open_store(db, create=False)
    except NoDatabaseError:
        if db is not None:
            raise
        show.print_empty(console)
        _write(json_path, {**document, "runs": [], "points": []}, quiet)
        return 0
    with store:
        points: list[MetricPoint] = []
        checks: list[ParityPoint] = []
        runs: list[RunSummary] = []
        if not store.models() and not store.runs(1):
            show.print_empty(console)
        elif model is None or list_runs:
            runs = _runs(store, model, limit)
            show.print_runs(runs, console)
        elif parity or (model in store.parity_models() and model not in store.models()):
            checks = _checks(store, model, contender, limit)
            print_parity_points(model, checks, console)
        else:
            points = _points(store, model, contender, metric, limit)
            show.print_series(model, metric, points, console)
            if model in store.parity_models():
                console.print("Its parity was checked too: add --parity.", style="dim")
        if store.backup is not None:
            console.print(
                f"An older database was migrated; its backup is {store.backup}", soft_wrap=True, markup=False
            )
        console.print(f"Database: {store.where}", style="dim", soft_wrap=True, markup=False)
    told = {**document, **show.as_document(runs, points)}
    if checks:
        told["parity"] = points_as_document(checks)
    _write(json_path, told, quiet)
    return 0


def _runs(store: Store, model: str | None, limit: int) -> list[RunSummary]:
    if model is not None:
        known = dict.fromkeys([*store.models(), *store.parity_models()])
        _require(f"--model {model!r}", model, list(known), "models")
    return store.runs(limit, model=model)


def _checks(store: Store, model: str, contender: str | None, limit: int) -> list[ParityPoint]:
    from harness.plan.contender import parse_contender

    _require(f"--model {model!r}", model, list(store.parity_models()), "models whose parity was checked")
    text = None
    if contender is not None:
        text = parse_contender(contender).text
        known = store.parity_contenders(model)
        _require(f"--contender {contender!r}", text, known, f"contenders checked on {model}")
    return store.parity_points(model, text, limit=limit)


def _points(store: Store, model: str, contender: str | None, metric: str, limit: int) -> list[MetricPoint]:
    from harness.plan.contender import parse_contender

    _require(f"--model {model!r}", model, list(store.models()), "models")
    text = None
    if contender is not None:
        text = parse_contender(contender).text
        _require(
            f"--contender {contender!r}", text, list(store.contenders_of(model)), f"contenders of {model}"
        )
    if metric != "p50":
        _require(f"--metric {metric!r}", metric, store.metric_names(model), f"metrics of {model}")
    return store.series(model, text, metric=metric, limit=limit)


def _require(asked: str, name: str, known: list[str], what: str) -> None:
    """Raise InputError when `name` is not among `known`; it names the nearest and all."""
    import difflib

    from harness.errors import InputError

    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    suggestion = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"{asked}: no stored result has it{suggestion}",
        f"In the history, {what}: {', '.join(known) or 'none'}.",
    )


def _write(path: Path | None, document: dict[str, Any], quiet: bool) -> None:
    import json

    from harness.errors import UsageError

    if path is None:
        return
    try:
        path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--json {path}: cannot be written ({error.strerror})",
            "Name a file in an existing folder of yours.",
        ) from error
    if not quiet:
        click.echo(f"Written to {path}")

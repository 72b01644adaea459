"""Reading runs and results, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Select, select

from harness.errors import InputError, StorageError
from harness.records import Result, Run, now
from results import codec, schema
from results.owner import Owner

if TYPE_CHECKING:
    from harness.judge.comparison import Estimate


@contextmanager
def decoding(where: str) -> Iterator[None]:
    """Turn what cannot be decoded into StorageError: damage, or a record of a newer harness."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StorageError(
            f"{where} holds a {error.title} that cannot be read: {place}: {first['msg']}",
            "A newer harness may have written it: update the harness. If not, the database is damaged.",
        ) from error
    except ValueError as error:
        raise StorageError(
            f"{where} holds a record that cannot be read: {error}",
            "The database is damaged: put a backup in its place.",
        ) from error


def run(connection: Connection, text: str) -> Run:
    """The run whose id is `text`, or the only one whose id begins so. Raises InputError."""
    runs = schema.runs
    ids = list(connection.scalars(select(runs.c.id).where(runs.c.id == text)))
    if not ids and text:
        ids = list(
            connection.scalars(
                select(runs.c.id)
                .where(runs.c.id.startswith(text, autoescape=True))
                .order_by(runs.c.started_at.desc())
                .limit(5)
            )
        )
    if len(ids) == 1:
        return _run_where(connection, runs.c.id == ids[0])[0]
    if ids:
        raise InputError(
            f"{text!r} begins the ids of several runs: {', '.join(ids)}", "Give more of the id's digits."
        )
    raise InputError(
        f"no run has an id that begins with {text!r}", "`harness history --runs` lists the runs."
    )


def run_status(connection: Connection, run_id: str) -> str:
    """How the run with this id stands: "running", "finished", "interrupted" or "failed"; empty for no such run."""
    return connection.scalar(select(schema.runs.c.status).where(schema.runs.c.id == run_id)) or ""


def unfinished_run(connection: Connection, plan_key: str, machine_id: str, max_age: timedelta) -> Run | None:
    """The newest run to resume; see Store.unfinished_run."""
    runs = schema.runs
    found = connection.execute(
        select(runs.c.id, runs.c.status, runs.c.owner_host, runs.c.owner_pid, runs.c.owner_started)
        .where(
            runs.c.plan_key == plan_key,
            runs.c.machine_id == machine_id,
            runs.c.started_at >= now() - max_age,
            runs.c.status.in_(("running", "interrupted")),
        )
        .order_by(runs.c.started_at.desc(), runs.c.id)
    ).mappings()
    for row in found:
        # A process on another host cannot be looked at; the same machine id there is another machine like this.
        owner = Owner.of_row(row)
        if row["status"] == "interrupted" or owner.is_alive() is False or owner.is_me():
            return _run_where(connection, runs.c.id == row["id"])[0]
    return None


def results_of(connection: Connection, run_id: str) -> list[Result]:
    """All results of a run, oldest first."""
    return _results_where(connection, schema.results.c.run_id == run_id)


def group(connection: Connection, group_id: str) -> list[Result]:
    """All results of a group, oldest first."""
    return _results_where(connection, schema.results.c.group_id == group_id)


def results_by_id(connection: Connection, ids: Sequence[str]) -> list[Result]:
    """The results with these ids, in the order of `ids`."""
    found = {each.id: each for each in _results_where(connection, schema.results.c.id.in_(ids))}
    return [found[each] for each in ids]


def metrics_of(connection: Connection, result_id: str) -> dict[str, Estimate]:
    """The metrics of a result by name."""
    from harness.judge.comparison import Estimate

    table = schema.metrics
    found = connection.execute(select(table).where(table.c.result_id == result_id).order_by(table.c.name))
    return {
        row["name"]: Estimate(**{name: row[name] for name in Estimate.model_fields})
        for row in found.mappings()
    }


def _results_where(connection: Connection, condition: ColumnElement[bool]) -> list[Result]:
    results, samples = schema.results, schema.samples
    rows = (
        connection.execute(
            _with_surroundings(results).where(condition).order_by(results.c.created_at, results.c.id)
        )
        .mappings()
        .all()
    )
    packed: dict[str, list[tuple[int, int, bytes]]] = {row["id"]: [] for row in rows}
    ids = list(packed)
    for start in range(0, len(ids), schema.CHUNK):
        found = connection.execute(
            select(samples.c.result_id, samples.c.trial, samples.c.layout, samples.c.data)
            .where(samples.c.result_id.in_(ids[start : start + schema.CHUNK]))
            .order_by(samples.c.result_id, samples.c.trial)
        )
        for result_id, trial, layout, data in found:
            packed[result_id].append((trial, layout, data))
    return [
        codec.result_of(row["record"], row["machine"], row["environment"], packed[row["id"]]) for row in rows
    ]


def _run_where(connection: Connection, condition: ColumnElement[bool]) -> list[Run]:
    found = connection.execute(_with_surroundings(schema.runs).where(condition)).mappings()
    return [codec.run_of(row["record"], row["machine"], row["environment"]) for row in found]


def _with_surroundings(table: Any) -> Select[Any]:
    machines, environments = schema.machines, schema.environments
    return (
        select(
            table.c.id,
            table.c.record,
            machines.c.record.label("machine"),
            environments.c.record.label("environment"),
        )
        .join(machines, machines.c.hash == table.c.machine_hash)
        .join(environments, environments.c.hash == table.c.environment_hash)
    )

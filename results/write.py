"""Writing runs and results, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Table, delete, insert, select, update

from harness.errors import StorageError
from harness.records import Environment, Machine, Result, Run, now
from results import checkpoints, codec, schema
from results.owner import this_process
from results.packing import unpack_samples

if TYPE_CHECKING:
    from harness.judge.comparison import Estimate


def begin_run(connection: Connection, run: Run) -> None:
    """Insert the run, or mark the one that is there as running in this process."""
    owner = this_process()
    state = {
        "status": "running",
        "finished_at": None,
        "exit_code": None,
        "owner_host": owner.host,
        "owner_pid": owner.pid,
        "owner_started": owner.started,
    }
    runs = schema.runs
    there = connection.scalar(select(runs.c.plan_key).where(runs.c.id == run.id))
    if there is None:
        machine_hash, environment_hash = _save_surroundings(connection, run.machine, run.environment)
        connection.execute(insert(runs).values(**codec.run_row(run, machine_hash, environment_hash), **state))
    elif there == run.plan_key:
        connection.execute(update(runs).where(runs.c.id == run.id).values(**state))
    else:
        raise StorageError(f"run {run.id} is in the database with another plan", "Give the run a fresh id.")


def save_result(connection: Connection, result: Result, metrics: Mapping[str, Estimate] | None) -> None:
    """Insert the result, its samples and its metrics; see Store.save_result."""
    runs, results = schema.runs, schema.results
    if connection.scalar(select(runs.c.id).where(runs.c.id == result.run_id)) is None:
        raise StorageError(f"result {result.id} belongs to the run {result.run_id}, which has not begun")
    machine_hash, environment_hash = _save_surroundings(connection, result.machine, result.environment)
    row = codec.result_row(result, machine_hash, environment_hash)
    try:
        packed = codec.sample_rows(result)
    except OverflowError as error:
        raise StorageError(f"result {result.id} has a time outside 64 bits: {error}") from error
    there = connection.execute(select(results).where(results.c.id == result.id)).mappings().one_or_none()
    if there is None:
        connection.execute(insert(results).values(**row))
        if packed:
            connection.execute(insert(schema.samples), packed)
    elif dict(there) != row or _samples_there(connection, result.id) != [
        unpack_samples(each["data"], each["layout"]) for each in packed
    ]:
        raise StorageError(
            f"another result with the id {result.id} is in the database",
            "A result is never changed: give the other one a fresh id.",
        )
    if metrics is not None:
        _save_metrics(connection, result.id, metrics)


def finish_run(connection: Connection, run_id: str, status: str, exit_code: int) -> None:
    """Save how the run ended; see Store.finish_run."""
    runs = schema.runs
    done = connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(status=status, exit_code=int(exit_code), finished_at=now())
    )
    if done.rowcount == 0:
        raise StorageError(f"run {run_id} cannot end: it has not begun in this database")
    if status != "interrupted":
        checkpoints.drop_all(connection, run_id)


def _save_surroundings(connection: Connection, machine: Machine, environment: Environment) -> tuple[str, str]:
    """Save machine and environment unless the same content is there, and return their hashes."""
    machine_row = codec.content_row(machine)
    _insert_once(
        connection, schema.machines, {**machine_row, "machine_id": machine.id, "hostname": machine.hostname}
    )
    environment_row = codec.content_row(environment)
    _insert_once(connection, schema.environments, environment_row)
    return machine_row["hash"], environment_row["hash"]


def _insert_once(connection: Connection, table: Table, row: codec.Row) -> None:
    if connection.scalar(select(table.c.hash).where(table.c.hash == row["hash"])) is None:
        connection.execute(insert(table).values(**row))


def _samples_there(connection: Connection, result_id: str) -> list[list[tuple[int, ...]]]:
    samples = schema.samples
    found = connection.execute(
        select(samples.c.data, samples.c.layout)
        .where(samples.c.result_id == result_id)
        .order_by(samples.c.trial)
    )
    # Not the bytes: zlib's differ from one build to the next.
    return [unpack_samples(data, layout) for data, layout in found]


def _save_metrics(connection: Connection, result_id: str, metrics: Mapping[str, Estimate]) -> None:
    table = schema.metrics
    connection.execute(delete(table).where(table.c.result_id == result_id))
    rows = [{"result_id": result_id, "name": name, **metric.model_dump()} for name, metric in metrics.items()]
    if rows:
        connection.execute(insert(table), rows)

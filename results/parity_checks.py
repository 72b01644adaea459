"""Parity checks in the database, inside the caller's transaction: one row a contender and variant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, insert, select

from harness.errors import StorageError
from harness.records import Run
from harness.records.parity_check import ParityRecord
from results import codec, schema


@dataclass(frozen=True)
class ParityPoint:
    """One parity check as a list shows it. `ratio` is its worst error in units of the yardstick's."""

    created_at: datetime
    check_id: str
    run_id: str
    model: str
    model_sha256: str
    contender: str
    precision: str
    engine_version: str
    batch: int
    status: str
    parity: str | None
    ratio: float | None
    machine_id: str
    commit: str | None


def save(connection: Connection, record: ParityRecord) -> None:
    """Save the one check in `record`; one that is there already under its id is replaced (it has gained layers)."""
    runs, table = schema.runs, schema.parity_checks
    (check,) = record.checks
    if connection.scalar(select(runs.c.id).where(runs.c.id == record.id)) is None:
        raise StorageError(f"parity check {check.id} belongs to the run {record.id}, which has not begun")
    from harness.judge.parity import worst_ratio  # brings numpy, which reading the history does not need

    ratio = worst_ratio(check.parity) if check.parity else None
    connection.execute(delete(table).where(table.c.id == check.id))
    connection.execute(
        insert(table).values(
            id=check.id,
            run_id=record.id,
            created_at=check.created_at,
            model=record.model.name,
            model_sha256=record.model.sha256,
            contender=check.contender.text,
            backend=check.contender.backend,
            flavour=check.contender.flavour,
            precision=check.contender.precision,
            engine_version=check.engine_version,
            batch=check.variant.batch,
            status=check.status,
            parity_status=check.parity.status if check.parity else None,
            ratio=ratio if ratio is not None and math.isfinite(ratio) else None,
            machine_id=record.machine.id,
            commit_id=record.environment.commit,
            record=codec.as_json(record, {"machine": True, "environment": True}),
        )
    )


def record_of(connection: Connection, run: Run, *, interrupted: bool) -> ParityRecord | None:
    """All checks of a run in one record, in the order in which they were made; None when it has none."""
    table = schema.parity_checks
    found = connection.scalars(
        select(table.c.record).where(table.c.run_id == run.id).order_by(table.c.created_at, table.c.id)
    )
    surroundings = {"machine": run.machine, "environment": run.environment}
    records = [ParityRecord.model_validate({**row, **surroundings}) for row in found]
    if not records:
        return None
    variants = {record.variants[0].variant.model_dump_json(): record.variants[0] for record in records}
    return records[0].model_copy(
        update={
            "variants": tuple(variants.values()),
            "checks": tuple(record.checks[0] for record in records),
            "interrupted": interrupted,
        }
    )


def points(connection: Connection, model: str, contender: str | None, limit: int | None) -> list[ParityPoint]:
    """Checks of a model over time, oldest first; the newest `limit`."""
    table = schema.parity_checks
    query = select(table).where(table.c.model == model).order_by(table.c.created_at.desc(), table.c.id)
    if contender is not None:
        query = query.where(table.c.contender == contender)
    if limit is not None:
        query = query.limit(limit)
    return [_point(row) for row in reversed(connection.execute(query).mappings().all())]


def contenders_of(connection: Connection, model: str) -> list[str]:
    """Contenders that were checked on `model`, by name."""
    table = schema.parity_checks
    query = select(table.c.contender).where(table.c.model == model).distinct().order_by(table.c.contender)
    return list(connection.scalars(query))


def models(connection: Connection) -> dict[str, datetime]:
    """Every model that was checked, and when last."""
    table = schema.parity_checks
    newest = func.max(table.c.created_at)
    found = connection.execute(
        select(table.c.model, newest).group_by(table.c.model).order_by(newest.desc(), table.c.model)
    )
    return {row[0]: row[1] for row in found}


def _point(row: RowMapping) -> ParityPoint:
    return ParityPoint(
        created_at=row["created_at"],
        check_id=row["id"],
        run_id=row["run_id"],
        model=row["model"],
        model_sha256=row["model_sha256"],
        contender=row["contender"],
        precision=row["precision"],
        engine_version=row["engine_version"],
        batch=row["batch"],
        status=row["status"],
        parity=row["parity_status"],
        ratio=row["ratio"],
        machine_id=row["machine_id"],
        commit=row["commit_id"],
    )

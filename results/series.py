"""One metric over time, inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, select

from results import schema


@dataclass(frozen=True)
class MetricPoint:
    """One metric of one result, as a point of a series; value, low and high are in `unit`."""

    created_at: datetime
    result_id: str
    run_id: str
    group_id: str
    case_key: str
    contender: str
    batch: int
    threads: int
    scenario: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    reason: str
    """Why there is no value or no interval."""
    status: str
    parity: str | None
    engine_version: str
    commit: str | None
    machine_id: str
    hostname: str
    model_sha256: str

    @property
    def load(self) -> str:
        """The load of a closed loop as its case key has it; empty for one call after the other."""
        return self.case_key.partition(" | closed_loop | ")[2]

    @property
    def series(self) -> tuple[str, str]:
        """Case key and machine: points with the same are one series."""
        return self.case_key, self.machine_id


def series(
    connection: Connection,
    model: str,
    contender: str | None,
    metric: str,
    batch: int | None,
    threads: int | None,
    machine_id: str | None,
    limit: int | None,
) -> list[MetricPoint]:
    """One metric over time, oldest first; see Store.series."""
    results, metrics, machines = schema.results, schema.metrics, schema.machines
    query = (
        select(
            results,
            machines.c.hostname,
            metrics.c.value,
            metrics.c.low,
            metrics.c.high,
            metrics.c.unit,
            metrics.c.reason,
        )
        .join(machines, machines.c.hash == results.c.machine_hash)
        .outerjoin(metrics, and_(metrics.c.result_id == results.c.id, metrics.c.name == metric))
        .where(*matching(model, batch, threads, machine_id))
        .order_by(results.c.created_at.desc(), results.c.id)
    )
    if contender is not None:
        query = query.where(results.c.contender == contender)
    if limit is not None:
        query = query.limit(limit)
    return [_point(row, metric) for row in reversed(connection.execute(query).mappings().all())]


def matching(
    model: str, batch: int | None, threads: int | None, machine_id: str | None
) -> list[ColumnElement[bool]]:
    """Conditions on `results`; None takes any."""
    columns = schema.results.c
    wanted: dict[str, Any] = {"batch": batch, "threads": threads, "machine_id": machine_id}
    return [
        columns.model == model,
        *(columns[name] == value for name, value in wanted.items() if value is not None),
    ]


def _point(row: RowMapping, metric: str) -> MetricPoint:
    return MetricPoint(
        created_at=row["created_at"],
        result_id=row["id"],
        run_id=row["run_id"],
        group_id=row["group_id"],
        case_key=row["case_key"],
        contender=row["contender"],
        batch=row["batch"],
        threads=row["threads"],
        scenario=row["scenario"],
        metric=metric,
        value=row["value"],
        low=row["low"],
        high=row["high"],
        unit=row["unit"] or "",
        reason=row["reason"] if row["reason"] is not None else f"no {metric} was saved",
        status=row["status"],
        parity=row["parity_status"],
        engine_version=row["engine_version"],
        commit=row["commit_id"],
        machine_id=row["machine_id"],
        hostname=row["hostname"],
        model_sha256=row["model_sha256"],
    )

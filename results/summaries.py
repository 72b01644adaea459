"""Runs as a list shows them, inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, RowMapping, case, func, null, select

from results import schema
from results.owner import Owner


@dataclass(frozen=True)
class RunSummary:
    """One run as a list shows it.

    `status` is "running", "finished", "interrupted", "failed", or "killed" for one whose process is gone.
    """

    id: str
    name: str
    kind: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    exit_code: int | None
    machine_id: str
    hostname: str
    commit: str | None
    branch: str | None
    harness_version: str
    models: tuple[str, ...]
    contenders: tuple[str, ...]
    results: int
    measured: int


def runs(connection: Connection, limit: int, model: str | None, machine_id: str | None) -> list[RunSummary]:
    """The newest runs; see Store.runs."""
    table, results, machines = schema.runs, schema.results, schema.machines
    query = (
        select(table, machines.c.hostname)
        .join(machines, machines.c.hash == table.c.machine_hash)
        .order_by(table.c.started_at.desc(), table.c.id)
        .limit(limit)
    )
    if machine_id is not None:
        query = query.where(table.c.machine_id == machine_id)
    if model is not None:
        checks = schema.parity_checks
        query = query.where(
            table.c.id.in_(select(results.c.run_id).where(results.c.model == model))
            | table.c.id.in_(select(checks.c.run_id).where(checks.c.model == model))
        )
    found = connection.execute(query).mappings().all()
    counted = _counts(connection, [row["id"] for row in found])
    return [_summary(row, counted.get(row["id"], [])) for row in found]


def _counts(connection: Connection, ids: list[str]) -> dict[str, list[RowMapping]]:
    """Per run, one row for each model and contender with its number of results, parity checks or conformance cases.

    Conformance cases have no model; one that was run counts as measured.
    """
    results, checks, cases = schema.results.c, schema.parity_checks.c, schema.conformance_outcomes.c
    counted: dict[str, list[RowMapping]] = {}
    for columns, measured in (
        ((results.run_id, results.model, results.contender), results.status == "measured"),
        ((checks.run_id, checks.model, checks.contender), checks.status == "measured"),
        ((cases.run_id, null().label("model"), cases.contender), cases.outcome != "excluded"),
    ):
        run_id = columns[0]
        for start in range(0, len(ids), schema.CHUNK):
            found = connection.execute(
                select(
                    *columns,
                    func.count().label("results"),
                    func.sum(case((measured, 1), else_=0)).label("measured"),
                )
                .where(run_id.in_(ids[start : start + schema.CHUNK]))
                .group_by(*(column for column in columns if isinstance(column, Column)))
                .order_by(*(column for column in columns if isinstance(column, Column)))
            ).mappings()
            for row in found:
                counted.setdefault(row["run_id"], []).append(row)
    return counted


def _summary(row: RowMapping, counted: list[RowMapping]) -> RunSummary:
    killed = row["status"] == "running" and Owner.of_row(row).is_alive() is False
    return RunSummary(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        status="killed" if killed else row["status"],
        exit_code=row["exit_code"],
        machine_id=row["machine_id"],
        hostname=row["hostname"],
        commit=row["commit_id"],
        branch=row["branch"],
        harness_version=row["harness_version"],
        models=tuple(dict.fromkeys(each["model"] for each in counted if each["model"])),
        contenders=tuple(dict.fromkeys(each["contender"] for each in counted)),
        results=sum(each["results"] for each in counted),
        measured=sum(each["measured"] for each in counted),
    )

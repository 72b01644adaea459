"""Outcomes of conformance cases, inside the caller's transaction.

A series is one contender (its text without a version) at one version of its engine: what it gave last on each case,
whichever runs that was in, is what is on record for that version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from harness.errors import StorageError
from harness.records import now
from harness.records.conformance import CaseResult
from results import codec, schema

TABLE = schema.conformance_outcomes


@dataclass(frozen=True)
class RecordedVersion:
    """One version of a contender's engine that has outcomes on record."""

    engine_version: str
    first: datetime
    last: datetime
    run_id: str
    """The newest run with outcomes of this version."""


def save(
    connection: Connection,
    run_id: str,
    contender: str,
    backend: str,
    engine_version: str,
    results: Sequence[CaseResult],
) -> None:
    """Save outcomes of one contender; those of the same cases in the same run are replaced."""
    machine = connection.scalar(select(schema.runs.c.machine_id).where(schema.runs.c.id == run_id))
    if machine is None:
        raise StorageError(f"conformance outcomes belong to the run {run_id}, which has not begun")
    moment = now()
    rows: list[dict[str, Any]] = []
    for result in results:
        share = result.error.share if result.error else None
        rows.append(
            {
                "run_id": run_id,
                "contender": contender,
                "case_name": result.case.name,
                "created_at": moment,
                "backend": backend,
                "engine_version": engine_version,
                "machine_id": machine,
                "kind": result.case.kind,
                "operator": result.case.operator,
                "opset": result.case.opset,
                "case_sha256": result.case.sha256,
                "outcome": result.outcome,
                "error": share if share is not None and abs(share) < float("inf") else None,
                "record": codec.as_json(result),
            }
        )
    names = [row["case_name"] for row in rows]
    for start in range(0, len(names), schema.CHUNK):
        there = TABLE.c.case_name.in_(names[start : start + schema.CHUNK])
        connection.execute(delete(TABLE).where(_of(run_id, contender), there))
    if rows:
        connection.execute(insert(TABLE), rows)


def of_run(connection: Connection, run_id: str) -> dict[str, tuple[str, list[CaseResult]]]:
    """Contender -> (engine version, outcomes by name of case), of one run."""
    found: dict[str, tuple[str, list[CaseResult]]] = {}
    query = (
        select(TABLE.c.contender, TABLE.c.engine_version, TABLE.c.record)
        .where(TABLE.c.run_id == run_id)
        .order_by(TABLE.c.contender, TABLE.c.case_name)
    )
    for contender, version, record in connection.execute(query):
        found.setdefault(contender, (version, []))[1].append(CaseResult.model_validate(record))
    return found


def versions(connection: Connection, contender: str) -> list[RecordedVersion]:
    """The versions on record, the one measured last first."""
    last = func.max(TABLE.c.created_at).label("last")
    query = (
        select(TABLE.c.engine_version, func.min(TABLE.c.created_at).label("first"), last)
        .where(TABLE.c.contender == contender)
        .group_by(TABLE.c.engine_version)
        .order_by(last.desc(), TABLE.c.engine_version.desc())
    )
    return [
        RecordedVersion(row.engine_version, row.first, row.last, _newest(connection, contender, row))
        for row in connection.execute(query)
    ]


def on_record(connection: Connection, contender: str, engine_version: str) -> list[CaseResult]:
    """The newest outcome of every case for one version of a contender's engine, by name of case."""
    query = (
        select(TABLE.c.case_name, TABLE.c.record)
        .where(TABLE.c.contender == contender, TABLE.c.engine_version == engine_version)
        .order_by(TABLE.c.created_at, TABLE.c.run_id)
    )
    newest: dict[str, Any] = dict(_pairs(connection.execute(query)))
    return [CaseResult.model_validate(newest[name]) for name in sorted(newest)]


def contenders(connection: Connection) -> list[str]:
    """Every contender with outcomes on record."""
    return list(connection.scalars(select(TABLE.c.contender).distinct().order_by(TABLE.c.contender)))


def _pairs(rows: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    return ((row.case_name, row.record) for row in rows)


def _newest(connection: Connection, contender: str, row: Any) -> str:
    query = (
        select(TABLE.c.run_id)
        .where(
            TABLE.c.contender == contender,
            TABLE.c.engine_version == row.engine_version,
            TABLE.c.created_at == row.last,
        )
        .order_by(TABLE.c.run_id)
        .limit(1)
    )
    return str(connection.scalar(query))


def _of(run_id: str, contender: str) -> ColumnElement[bool]:
    return (TABLE.c.run_id == run_id) & (TABLE.c.contender == contender)

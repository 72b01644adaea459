"""Trials of a group in progress, so that a killed run resumes inside the group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from harness.errors import StorageError
from results import schema
from results.packing import pack_json, unpack_json

TABLE = schema.checkpoints


def save(connection: Connection, run_id: str, group_key: str, trial: int, payload: Mapping[str, Any]) -> None:
    """Save one trial's payload in place of the one that is there. Raises TypeError for what is not JSON."""
    if connection.scalar(select(schema.runs.c.id).where(schema.runs.c.id == run_id)) is None:
        raise StorageError(f"a checkpoint belongs to the run {run_id}, which has not begun")
    data = pack_json(dict(payload))
    connection.execute(delete(TABLE).where(_of(run_id, group_key), TABLE.c.trial == trial))
    connection.execute(insert(TABLE).values(run_id=run_id, group_key=group_key, trial=trial, data=data))


def read(connection: Connection, run_id: str, group_key: str) -> list[dict[str, Any]]:
    """The payloads in the order of trials. Raises DamagedError when one cannot be unpacked."""
    found = connection.scalars(select(TABLE.c.data).where(_of(run_id, group_key)).order_by(TABLE.c.trial))
    return [unpack_json(data) for data in found]


def drop(connection: Connection, run_id: str, group_key: str) -> None:
    """Forget one group's trials."""
    connection.execute(delete(TABLE).where(_of(run_id, group_key)))


def drop_all(connection: Connection, run_id: str) -> None:
    """Forget the trials of all groups of a run."""
    connection.execute(delete(TABLE).where(TABLE.c.run_id == run_id))


def _of(run_id: str, group_key: str) -> ColumnElement[bool]:
    return (TABLE.c.run_id == run_id) & (TABLE.c.group_key == group_key)

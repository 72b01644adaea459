"""What there is to compare: models, contenders, metrics, and results measured in the same rounds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, distinct, func, select

from harness.records import Result
from results import queries, schema
from results.series import matching

RESULTS = schema.results


def latest_group(
    connection: Connection,
    model: str,
    contenders: Sequence[str],
    batch: int | None,
    threads: int | None,
    machine_id: str | None,
    measured_only: bool,
) -> list[Result]:
    """Results of the newest group that has all of `contenders`; see Store.latest_group."""
    wanted = list(dict.fromkeys(contenders))
    # Points of a closed loop answer another question: what is compared is one call after the other.
    conditions = [*matching(model, batch, threads, machine_id), RESULTS.c.scenario != "closed_loop"]
    if measured_only:
        conditions.append(RESULTS.c.status == "measured")
    query = (
        select(RESULTS.c.group_id)
        .where(*conditions)
        .group_by(RESULTS.c.group_id)
        .order_by(func.max(RESULTS.c.created_at).desc(), RESULTS.c.group_id)
        .limit(1)
    )
    if wanted:
        query = query.where(RESULTS.c.contender.in_(wanted)).having(
            func.count(distinct(RESULTS.c.contender)) == len(wanted)
        )
    group_id = connection.scalar(query)
    if group_id is None:
        return []
    # A resumed run may have measured a case of the group twice: the newer result counts.
    rows = connection.execute(
        select(RESULTS.c.contender, RESULTS.c.id)
        .where(RESULTS.c.group_id == group_id, *conditions)
        .order_by(RESULTS.c.created_at, RESULTS.c.id)
    )
    ids = {row.contender: row.id for row in rows}
    return queries.results_by_id(connection, [ids[contender] for contender in wanted or ids])


def contenders_of(
    connection: Connection, model: str, batch: int | None, threads: int | None, machine_id: str | None
) -> dict[str, datetime]:
    """Contenders that have a result, and the newest one's time; see Store.contenders_of."""
    found = connection.execute(
        select(RESULTS.c.contender, func.max(RESULTS.c.created_at))
        .where(*matching(model, batch, threads, machine_id))
        .group_by(RESULTS.c.contender)
        .order_by(RESULTS.c.contender)
    )
    return {row[0]: row[1] for row in found}


def models(connection: Connection) -> dict[str, datetime]:
    """Models that have a result, and the newest one's time."""
    found = connection.execute(
        select(RESULTS.c.model, func.max(RESULTS.c.created_at))
        .group_by(RESULTS.c.model)
        .order_by(RESULTS.c.model)
    )
    return {row[0]: row[1] for row in found}


def metric_names(connection: Connection, model: str) -> list[str]:
    """Names of the metrics saved with results of this model, sorted."""
    metrics = schema.metrics
    found = connection.scalars(
        select(metrics.c.name)
        .distinct()
        .join(RESULTS, RESULTS.c.id == metrics.c.result_id)
        .where(RESULTS.c.model == model)
        .order_by(metrics.c.name)
    )
    return list(found)

"""The tables. Columns hold what is queried; the complete record is kept as JSON beside them.

A change here needs a file in results/migrations/versions and its name at the end of REVISIONS.
Names of columns are the glossary's words. All times are UTC.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

REVISIONS = ("0001", "0002")
"""Every revision, oldest first; a test keeps it equal to the script folder's."""
HEAD = REVISIONS[-1]

CHUNK = 500
"""Values in one statement: SQLite takes 999 in its oldest builds."""

# Infinity and NaN are no JSON: PostgreSQL refuses them, so they are refused everywhere.
to_json = partial(json.dumps, allow_nan=False)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time. Goes in with any time zone, comes back in UTC; without a time zone it is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC, as SQLite drops the zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone cannot be stored: {value.isoformat()}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite gives back a time without its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

HASH = String(64)

# Read by every later version, to say who wrote a database that it does not know: keep its shape.
store_info = Table(
    "store_info",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

machines = Table(
    "machines",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("machine_id", Text, nullable=False, index=True),
    Column("hostname", Text, nullable=False),
    Column("record", JSON, nullable=False),
)

environments = Table(
    "environments",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("record", JSON, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("plan_key", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("status", String(32), nullable=False),
    Column("exit_code", Integer),
    Column("machine_id", Text, nullable=False),
    Column("machine_hash", HASH, ForeignKey(machines.c.hash), nullable=False),
    Column("environment_hash", HASH, ForeignKey(environments.c.hash), nullable=False),
    Column("commit_id", Text),
    Column("branch", Text),
    Column("harness_version", Text, nullable=False),
    # The process that is measuring, so that a run in progress is not taken for a killed one.
    Column("owner_host", Text, nullable=False),
    Column("owner_pid", Integer, nullable=False),
    Column("owner_started", Float(53), nullable=False),
    Column("record", JSON, nullable=False),
    Index(None, "plan_key", "machine_id", "started_at"),
    Index(None, "started_at"),
)

results = Table(
    "results",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("run_id", String(64), ForeignKey(runs.c.id), nullable=False, index=True),
    Column("group_id", Text, nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("schema_version", Integer, nullable=False),
    Column("case_key", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("model_sha256", Text, nullable=False),
    Column("contender", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("flavour", Text, nullable=False),
    Column("precision", Text, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("threads", Integer, nullable=False),
    Column("scenario", Text, nullable=False),
    Column("status", String(32), nullable=False),
    Column("parity_status", String(32)),
    Column("engine_version", Text, nullable=False),
    Column("commit_id", Text),
    Column("machine_id", Text, nullable=False),
    Column("machine_hash", HASH, ForeignKey(machines.c.hash), nullable=False),
    Column("environment_hash", HASH, ForeignKey(environments.c.hash), nullable=False),
    Column("record", JSON, nullable=False),
    Index(None, "model", "contender", "created_at"),
    Index(None, "case_key", "machine_id", "created_at"),
)

# Raw samples lie apart from their result, so that old ones can be dropped and figures kept.
samples = Table(
    "samples",
    metadata,
    Column("result_id", String(64), ForeignKey(results.c.id, ondelete="CASCADE"), primary_key=True),
    # Place among the record's trials, from 0.
    Column("trial", Integer, primary_key=True, autoincrement=False),
    # Which layout of results.packing `data` has.
    Column("layout", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

metrics = Table(
    "metrics",
    metadata,
    Column("result_id", String(64), ForeignKey(results.c.id, ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Float(53)),
    Column("low", Float(53)),
    Column("high", Float(53)),
    Column("unit", Text, nullable=False),
    Column("confidence", Float(53), nullable=False),
    Column("samples", Integer, nullable=False),
    Column("trials", Integer, nullable=False),
    Column("reason", Text, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("run_id", String(64), ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("group_key", Text, primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

# What `harness parity` found: one row a contender and variant; without samples, as nothing is timed.
parity_checks = Table(
    "parity_checks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("run_id", String(64), ForeignKey(runs.c.id), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("model", Text, nullable=False),
    Column("model_sha256", Text, nullable=False),
    Column("contender", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("flavour", Text, nullable=False),
    Column("precision", Text, nullable=False),
    Column("engine_version", Text, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("parity_status", String(32)),
    # The worst error in units of the yardstick's; empty where there is none or it is infinite.
    Column("ratio", Float(53)),
    Column("machine_id", Text, nullable=False),
    Column("commit_id", Text),
    Column("record", JSON, nullable=False),
    Index(None, "model", "contender", "created_at"),
)

# What `harness conformance` found: one row a contender and case, written while the run goes on.
conformance_outcomes = Table(
    "conformance_outcomes",
    metadata,
    Column("run_id", String(64), ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("contender", String(255), primary_key=True),
    Column("case_name", String(255), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("backend", Text, nullable=False),
    Column("engine_version", Text, nullable=False),
    Column("machine_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # The operator that the case is about; empty for a case about a whole model.
    Column("operator", Text, nullable=False),
    Column("opset", Integer, nullable=False),
    Column("case_sha256", HASH, nullable=False),
    Column("outcome", String(32), nullable=False),
    # The largest error as a share of what the case allows; empty where nothing was compared or it is infinite.
    Column("error", Float(53)),
    Column("record", JSON, nullable=False),
    Index(None, "contender", "engine_version", "created_at"),
)

"""Bring a database to the revision that this version of the harness reads and writes.

Alembic is imported only where there is something to migrate: reading one row tells that there is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import (
    ColumnClause,
    Connection,
    Engine,
    String,
    column,
    delete,
    insert,
    inspect,
    select,
    table,
)

from harness import __version__
from harness.errors import StorageError
from results import sqlite
from results.schema import REVISIONS, store_info

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
VERSION: ColumnClause[str] = table(VERSION_TABLE, column("version_num", String)).c.version_num
WRITTEN_BY = "harness"


def revision_of(connection: Connection, where: str) -> str | None:
    """The database's revision; None when it is empty. Raises StorageError when another program's."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if VERSION_TABLE in tables and store_info.name in tables:
        found = list(connection.scalars(select(VERSION)))
        if len(found) == 1:
            return found[0]
    raise StorageError(
        f"{where} is a database of another program; it was left as it is",
        "Name another file with --db; one that does not exist is made.",
    )


def bring_to_head(
    path: Path, wait_s: float, *, revisions: Sequence[str] = REVISIONS, scripts: Path = SCRIPTS
) -> Path | None:
    """Create the tables in `path`, or migrate an older database after a backup; return the backup's path.

    All happens in one transaction that holds the write lock, for which it waits `wait_s` seconds: of two processes
    one migrates and the other finds it done, and a migration that fails changes nothing. Raises StorageError for a
    database of a newer version or of another program, and sqlite3's or SQLAlchemy's errors.
    """
    # Rebuilding a table drops the old one, and enforced foreign keys would delete what refers to it.
    engine = sqlite.make_engine(path, wait_s, foreign_keys=False)
    try:
        with engine.begin() as connection:
            revision = revision_of(connection, str(path))
        backup = None if revision == revisions[-1] else _migrate(engine, path, revisions, scripts)
        sqlite.use_wal(engine)
    finally:
        engine.dispose()
    return backup


def _migrate(engine: Engine, path: Path, revisions: Sequence[str], scripts: Path) -> Path | None:
    head = revisions[-1]
    with engine.connect().execution_options(**{sqlite.WRITE: True}) as connection, connection.begin():
        # Another process may have migrated while this one waited for the lock.
        revision = revision_of(connection, str(path))
        if revision == head:
            return None
        if revision is not None and revision not in revisions:
            raise _too_new(connection, revision, str(path))
        backup = sqlite.back_up(path, revision) if revision is not None else None
        upgrade(connection, head, scripts)
        connection.execute(delete(store_info).where(store_info.c.key == WRITTEN_BY))
        connection.execute(insert(store_info).values(key=WRITTEN_BY, value=__version__))
        sqlite.check_references(connection)
    return backup


def upgrade(connection: Connection, revision: str, scripts: Path = SCRIPTS) -> None:
    """Run the migrations up to `revision` within the transaction that `connection` is in."""
    from alembic import command

    command.upgrade(config(scripts, connection), revision)


def config(scripts: Path = SCRIPTS, connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file; `connection` is the one that migrations use."""
    from alembic.config import Config

    made = Config()
    # Config interpolates values, so a percent sign in a folder's name has to be doubled.
    made.set_main_option("script_location", str(scripts).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def _too_new(connection: Connection, revision: str, where: str) -> StorageError:
    writer = connection.scalar(select(store_info.c.value).where(store_info.c.key == WRITTEN_BY)) or "unknown"
    return StorageError(
        f"{where} was written by harness {writer} (revision {revision}), which is newer than this one "
        f"({__version__}, revision {REVISIONS[-1]}); it was left as it is",
        f"Update with `pip install --upgrade 'inference-harness>={writer}'`, or name another file with --db."
        if writer != "unknown"
        else "Update the harness, or name another file with --db.",
    )

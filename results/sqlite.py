"""All that is particular to SQLite: pragmas, locks, backup, and what its errors mean to a user."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from harness.errors import StorageError
from results.location import DB_VARIABLE
from results.schema import to_json

HEADER = b"SQLite format 3\x00"
ELSEWHERE = f"Free some space or permit writing, or name another file with --db or {DB_VARIABLE}."
WRITE = "harness_write"


def make_engine(path: Path, wait_s: float, *, foreign_keys: bool = True) -> Engine:
    """An engine on `path`; every commit reaches the disk, and waits `wait_s` seconds for another writer.

    Transactions are begun by us, as Python's driver would begin them late and not at all around DDL. One with
    the execution option WRITE takes the write lock first, so that it cannot fail half-way for want of it.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": wait_s},
        json_serializer=to_json,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def check_file(path: Path) -> bool:
    """Whether `path` exists with something in it. Raises StorageError for a folder or another kind of file."""
    try:
        if path.is_dir():
            raise StorageError(f"{path} is a folder, not a database file", "Name a file inside it.")
        with path.open("rb") as file:
            start = file.read(len(HEADER))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise cannot_open(path, error) from error
    if start and start != HEADER:
        raise StorageError(f"{path} is not a SQLite database; it was left as it is", _other_file())
    return bool(start)


def make_folder(path: Path) -> None:
    """Make the folder that `path` lies in. Raises StorageError when it cannot be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_open(path, error) from error


def cannot_open(path: Path, error: OSError) -> StorageError:
    """The error for a file or folder that the system does not give."""
    return StorageError(f"{path} cannot be opened: {error.strerror or error}", ELSEWHERE)


def use_wal(engine: Engine) -> None:
    """Write-ahead logging, so that readers and the writer do not wait for each other; kept in the file.

    Where the file system cannot do it, SQLite keeps its rollback journal, which is as safe. Raises sqlite3.Error.
    """
    # Outside any transaction: inside one the mode cannot change.
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            cursor.execute("PRAGMA journal_mode = WAL").fetchone()


def check_references(connection: Connection) -> None:
    """Raise StorageError when a row refers to one that is missing; needed where `foreign_keys` was off."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise StorageError(
            f"after migrating, {len(broken)} rows would refer to missing ones; nothing was changed"
        )


def back_up(path: Path, revision: str) -> Path:
    """Copy the database beside itself and return the copy's path, which names the date and `revision`.

    Through SQLite's backup interface, which also takes what is still in the log. Raises sqlite3.Error or
    StorageError; a copy cut short is removed.
    """
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
    target = path.with_name(f"{path.name}.{stamp}.revision-{revision}.backup")
    partial = target.with_name(target.name + ".partial")
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise cannot_open(target, error) from error
    finally:
        partial.unlink(missing_ok=True)
    return target


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of the database into StorageError with a hint; all others pass."""
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise
        raise explain(error.orig, path) from error
    except sqlite3.Error as error:
        raise explain(error, path) from error


def explain(error: sqlite3.Error, path: Path) -> StorageError:
    """What an error of SQLite means to a user. Codes: https://www.sqlite.org/rescode.html."""
    code = _primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return StorageError(f"{path}: {error}; what was saved before is kept", ELSEWHERE)
    if code == sqlite3.SQLITE_BUSY:
        return StorageError(
            f"{path} is locked by another process that is writing to it",
            "Wait until that process ends, or name another file with --db.",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return StorageError(f"{path} cannot be opened for writing: {error}", ELSEWHERE)
    if code == sqlite3.SQLITE_IOERR:
        return StorageError(
            f"{path}: {error}; what was saved before is kept",
            f"Check the disk, its free space and your quota, or name another file with --db or {DB_VARIABLE}.",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return StorageError(f"{path} is not a SQLite database; it was left as it is", _other_file())
    if code == sqlite3.SQLITE_CORRUPT:
        return StorageError(
            f"{path} is damaged ({error}); it was left as it is",
            f"Put a backup in its place (see {path.name}.*.backup beside it), save what can be read with "
            f"`sqlite3 {path.name} .recover`, or name another file with --db.",
        )
    return StorageError(
        f"{path}: {error}", f"Name another file with --db or {DB_VARIABLE} to go on without it."
    )


def _other_file() -> str:
    return f"Name another file with --db or {DB_VARIABLE}; one that does not exist is made."


def _primary_code(error: sqlite3.Error) -> int:
    # The low byte; the rest says more precisely where. Errors of the driver itself carry no code.
    code: Any = getattr(error, "sqlite_errorcode", None)
    return int(code) & 0xFF if code is not None else -1

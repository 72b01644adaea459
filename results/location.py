"""Where the database is: what a user gives by `--db` or HARNESS_DB, turned into one place.

Imports nothing heavy, so that the command line may read the help text from here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

DB_VARIABLE = "HARNESS_DB"
DB_HELP = f"Database: a URL or a SQLite file [env: {DB_VARIABLE}]"
APPLICATION = "inference-harness"
FILE_NAME = "harness.db"


@dataclass(frozen=True)
class Location:
    """A SQLite file, absolute, and who named it (`--db`, the variable, or the default)."""

    path: Path
    source: str

    @property
    def where(self) -> str:
        """The place as a user reads it."""
        return str(self.path)


def locate(given: str | None = None) -> Location:
    """The database to use: `given` (from `--db`), else HARNESS_DB, else a file in the user's data folder.

    A text without `://` is a path; `~` and relative paths are resolved. `sqlite:///FILE` is the same as FILE.
    Raises UsageError for an empty `given`, an in-memory database, a URL of another kind or one with options.
    """
    if given is not None:
        return Location(_path(given, "--db"), "--db")
    named = os.environ.get(DB_VARIABLE, "")
    if named:
        return Location(_path(named, DB_VARIABLE), DB_VARIABLE)
    from platformdirs import user_data_dir

    return Location(Path(user_data_dir(APPLICATION)).absolute() / FILE_NAME, "default")


def _path(text: str, source: str) -> Path:
    if not text.strip():
        raise UsageError(
            f"{source} is empty", "Give a SQLite file, e.g. --db results.db, or leave the option out."
        )
    if "://" in text:
        text = _file_of_url(text, source)
    if text == ":memory:":
        raise UsageError(
            f"{source} {text!r} is a database in memory, which would be lost when the command ends",
            "Give a SQLite file, e.g. --db results.db.",
        )
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:  # no home folder to put in the place of "~"
        raise UsageError(f"{source} {text!r}: {error}", "Give the file's full path.") from error


def _file_of_url(text: str, source: str) -> str:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise UsageError(
            f"{source} is not a database URL: {error}",
            "Expected a file, or a URL such as sqlite:///results.db.",
        ) from error
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() != "sqlite":
        raise UsageError(
            f"{source} {shown!r}: this release stores in SQLite only, not in {url.get_backend_name()}",
            "Give a SQLite file, e.g. --db results.db.",
        )
    if url.query or url.host:
        raise UsageError(
            f"{source} {shown!r}: a SQLite URL takes no host and no options",
            "Expected sqlite:///relative/file.db or sqlite:////absolute/file.db.",
        )
    return url.database or ":memory:"

"""A database or a file that cannot be written is told before measuring; one that fails later loses no figures."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from harness.judge.document import ComparisonDocument
from tests.cli.command import QUICK, Harness

COMPARE = ("compare", "ort", "honest", *QUICK)


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond `size` bytes, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@contextmanager
def full_log(db: Path, size: int) -> Iterator[int]:
    """Fill the database's log to `size` bytes and keep it from being emptied; gives its length."""
    with closing(sqlite3.connect(db)) as reader, closing(sqlite3.connect(db)) as writer:
        writer.execute("CREATE TABLE ballast (content BLOB)")
        writer.commit()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM ballast").fetchone()
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("INSERT INTO ballast VALUES (zeroblob(?))", (size,))
        writer.commit()
        yield Path(f"{db}-wal").stat().st_size


def test_a_disk_that_is_full_after_measuring_loses_no_figures(harness: Harness) -> None:
    assert harness("history").code == 0
    from results.store import open_store

    open_store(str(harness.db)).close()
    with full_log(harness.db, 2_000_000) as length:
        # Room for the beginning of the run, not for its results.
        done = harness(*COMPARE, preexec_fn=lambda: limit_files(length + 60_000))
    assert done.code == 2
    assert "latency p50" in done.out and "ort" in done.out
    assert "Measuring goes on; the record will be written elsewhere." in done.err
    assert "Error: " in done.err and str(harness.db) in done.err
    assert "Stored as run" not in done
    (rescued,) = harness.folder.glob("harness-unsaved-*.json")
    assert f"the record is in {rescued}" in done
    document = ComparisonDocument.model_validate_json(rescued.read_bytes())
    assert {r.case.contender.text for r in document.results if r.trials} == {"ort", "honest"}
    assert document.exit_code == 2


def test_a_disk_that_is_full_before_measuring_stops_at_once(harness: Harness) -> None:
    done = harness(*COMPARE, preexec_fn=lambda: limit_files(20_000))
    assert done.code == 2
    assert str(harness.db) in done.err
    assert "starting" not in done.err, "it measured although nothing could be stored"


@pytest.mark.parametrize("kind", ["file in the way", "folder", "text", "other program", "corrupt"])
def test_a_database_that_is_none(kind: str, harness: Harness) -> None:
    path = harness.folder / "other"
    db = path / "harness.db" if kind == "file in the way" else path
    if kind == "folder":
        path.mkdir()
    elif kind == "other program":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE songs (name TEXT)")
            connection.commit()
    elif kind == "corrupt":
        path.write_bytes(b"SQLite format 3\x00" + b"\xa5" * 8000)
    else:
        path.write_text("this is no database\n" * 100)
    before = path.read_bytes() if path.is_file() else None
    for command in (COMPARE, ("history",), ("report",)):
        done = harness(*command, "--db", db)
        assert done.code == 2, command
        assert str(db) in done.err
        assert "starting" not in done.err
        assert "latency p50" not in done.out
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_database_of_a_newer_harness_is_refused(harness: Harness) -> None:
    assert harness("compare", "honest", *QUICK).code == 0
    with closing(sqlite3.connect(harness.db)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_future'")
        connection.commit()
    for command in (COMPARE, ("history",), ("report",), (*COMPARE, "--from-history")):
        done = harness(*command)
        assert done.code == 2, command
        assert "newer" in done.err and str(harness.db) in done.err


@pytest.mark.parametrize("flag", ["--json", "--html"])
@pytest.mark.parametrize("kind", ["missing folder", "a folder", "below a file"])
def test_an_output_that_cannot_be_written_is_told_before_measuring(
    flag: str, kind: str, harness: Harness
) -> None:
    (harness.folder / "file").write_text("")
    target = {"missing folder": "no/such/out", "a folder": ".", "below a file": "file/out"}[kind]
    done = harness(*COMPARE, flag, target)
    assert done.code == 2
    assert target in done.err
    assert not harness.db.exists(), "a run was begun"
    (harness.folder / "suite.yaml").write_text(
        "schema: 1\nname: a\nmodels: [tiny-cnn]\ncontenders: [honest]\nvariants: {threads: [1]}\n"
    )
    assert harness("run", "suite.yaml", flag, target).code == 2
    assert not harness.db.exists(), "a run was begun"


def test_a_cache_that_cannot_be_written_is_told(harness: Harness) -> None:
    (harness.folder / "file").write_text("")
    harness.cache = harness.folder / "file" / "cache"
    done = harness(*COMPARE)
    assert done.code == 2
    assert str(harness.cache) in done.err and "HARNESS_CACHE" in done.err
    assert harness.results() == {}


def test_a_damaged_cache_heals_itself(harness: Harness, cache: Path) -> None:
    import shutil

    harness.cache = harness.folder / "cache"
    shutil.copytree(cache, harness.cache)
    damaged = list(harness.cache.rglob("arrays.npz"))
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[:100])
    done = harness(*COMPARE)
    assert done.code == 0, done.text
    assert "Computing reference outputs" in done.err

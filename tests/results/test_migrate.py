"""Migrations: every revision leads to the tables of the schema, with what was in the database."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from harness import __version__
from harness.errors import StorageError
from results import migrate
from results.schema import HEAD, REVISIONS, metadata
from results.store import open_store
from tests.factories import make_result, make_run

OLD = Path(__file__).parent / "revision_0001.sql"

ADD_NOTES = """
import sqlalchemy as sa
from alembic import op

revision = "test2"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("results") as batch:
        batch.add_column(sa.Column("notes", sa.Text()))
        batch.alter_column("engine_version", type_=sa.String(99))
    {then}
"""


@pytest.fixture
def filled(path):
    run = make_run()
    result = make_result(run=run)
    with open_store(str(path)) as store:
        store.begin_run(run)
        store.save_result(result)
    return result


def scripts_with(tmp_path: Path, then: str) -> Path:
    scripts = tmp_path / "50% scripts"
    shutil.copytree(migrate.SCRIPTS, scripts)
    (scripts / "versions" / "test_2.py").write_text(ADD_NOTES.format(before=HEAD, then=then))
    return scripts


def columns(path: Path, table: str) -> set[str]:
    connection = sqlite3.connect(path)
    found = {row[1] for row in connection.execute(f"pragma table_info({table})")}
    connection.close()
    return found


def test_the_listed_revisions_are_those_of_the_scripts():
    scripts = ScriptDirectory.from_config(migrate.config())
    walked = [each.revision for each in scripts.walk_revisions()]
    assert tuple(reversed(walked)) == REVISIONS
    assert scripts.get_heads() == [HEAD]


def test_migrations_lead_to_exactly_the_tables_of_the_schema(store):
    with store._reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_every_revision_can_be_reached_from_the_one_before(path):
    path.parent.mkdir()
    for revision in REVISIONS:
        migrate.bring_to_head(path, 5.0, revisions=REVISIONS[: REVISIONS.index(revision) + 1])
        with sqlite3.connect(path) as connection:
            assert connection.execute("select version_num from alembic_version").fetchall() == [(revision,)]
        connection.close()
    backups = sorted(each.name for each in path.parent.glob("*.backup"))
    assert len(backups) == len(REVISIONS) - 1


def test_a_database_of_the_first_revision_is_read(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
    connection.close()
    with open_store(str(path)) as store:
        (summary,) = store.runs()
        read = store.results_of(summary.id)
        assert [each.case.contender.text for each in read] == ["ort", "openvino"]
        assert read[0].trials[1].rounds[2].samples_ns == (1000167, 1010072, 988944, 981596, 1036005)
        assert read[1].failure is not None and read[1].failure.exit_signal == "SIGSEGV"
        assert store.metrics_of(read[0].id)["p50"].high == 0.0011
        assert len(store.checkpoints(summary.id, "group")) == 1
        assert (store.backup is None) == (HEAD == "0001")


def test_the_second_revision_adds_tables_and_keeps_a_backup_of_the_first(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
    connection.close()
    backup = migrate.bring_to_head(path, 5.0, revisions=("0001", "0002"))
    added = {"parity_checks", "conformance_outcomes"}
    for name in added:
        assert columns(path, name) >= {"run_id", "contender", "engine_version", "created_at", "record"}
    assert backup is not None and ".revision-0001." in backup.name
    assert not any(columns(backup, name) for name in added)
    with sqlite3.connect(path) as connection:
        assert connection.execute("select count(*) from samples").fetchone() == (2,)
        connection.execute("pragma foreign_keys = on")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            connection.execute(
                "insert into conformance_outcomes values ('no run', 'ort', 'abs', '2026-11-20', 'ort', '1.31.1',"
                " 'm-1', 'node', 'Abs', 13, '', 'passes', null, '{}')"
            )
    connection.close()


def test_an_older_database_is_backed_up_and_then_migrated(filled, path, tmp_path):
    scripts = scripts_with(tmp_path, "pass")
    backup = migrate.bring_to_head(path, 5.0, revisions=(*REVISIONS, "test2"), scripts=scripts)

    assert "notes" in columns(path, "results")
    with sqlite3.connect(path) as connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [("test2",)]
        assert connection.execute("select value from store_info").fetchall() == [(__version__,)]
        # Rebuilding `results` must not take along what refers to it.
        assert connection.execute("select count(*) from samples").fetchone() == (2,)
    connection.close()

    assert backup is not None and backup.parent == path.parent
    assert backup.name.startswith("harness.db.20") and f".revision-{HEAD}." in backup.name
    assert "notes" not in columns(backup, "results")
    with open_store(str(backup), create=False) as store:
        assert store.results_of(filled.run_id) == [filled]
    assert not list(path.parent.glob("*.partial*"))


def test_the_backup_has_what_is_still_in_the_log(path, tmp_path):
    run = make_run()
    with open_store(str(path)) as store:
        store.begin_run(run)
        assert path.with_name("harness.db-wal").stat().st_size > 0
        backup = migrate.bring_to_head(
            path, 5.0, revisions=(*REVISIONS, "test2"), scripts=scripts_with(tmp_path, "pass")
        )
    with open_store(str(backup), create=False) as store:
        assert store.run(run.id) == run


def test_a_migration_that_fails_changes_nothing(filled, path, tmp_path):
    scripts = scripts_with(tmp_path, 'raise RuntimeError("half-way")')
    with pytest.raises(RuntimeError, match="half-way"):
        migrate.bring_to_head(path, 5.0, revisions=(*REVISIONS, "test2"), scripts=scripts)
    assert "notes" not in columns(path, "results")
    with open_store(str(path)) as store:
        assert store.backup is None
        assert store.results_of(filled.run_id) == [filled]


def test_a_migration_that_orphans_rows_is_undone(filled, path, tmp_path):
    scripts = scripts_with(tmp_path, 'op.execute("delete from results")')
    with pytest.raises(StorageError, match="2 rows would refer to missing ones"):
        migrate.bring_to_head(path, 5.0, revisions=(*REVISIONS, "test2"), scripts=scripts)
    with open_store(str(path)) as store:
        assert store.results_of(filled.run_id) == [filled]


def test_the_tables_can_be_made_on_postgresql():
    dialect = postgresql.dialect()
    statements = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    statements += [
        str(CreateIndex(index).compile(dialect=dialect))
        for table in metadata.sorted_tables
        for index in table.indexes
    ]
    assert any("TIMESTAMP WITH TIME ZONE" in each for each in statements)
    # PostgreSQL cuts longer names, and two that are cut may become the same.
    for table in metadata.sorted_tables:
        for each in (*table.indexes, *table.constraints):
            assert each.name is not None and len(str(each.name)) <= 63

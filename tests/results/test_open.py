"""Opening: where, what is refused, and what is left as it was."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.errors import StorageError, UsageError
from results.location import DB_VARIABLE, locate
from results.schema import HEAD
from results.store import NoDatabaseError, open_store
from tests.factories import make_result, make_run


@pytest.fixture(autouse=True)
def no_variable(monkeypatch, tmp_path):
    monkeypatch.delenv(DB_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


def fill(path: Path):
    run = make_run()
    result = make_result(run=run)
    with open_store(str(path)) as store:
        store.begin_run(run)
        store.save_result(result)
    return result


class TestLocation:
    def test_the_default_is_in_the_users_data_folder(self, tmp_path):
        assert locate().path == tmp_path / "home" / "inference-harness" / "harness.db"

    def test_the_variable_comes_before_the_default_and_the_option_before_both(self, monkeypatch, tmp_path):
        monkeypatch.setenv(DB_VARIABLE, str(tmp_path / "named.db"))
        assert locate().path == tmp_path / "named.db"
        assert locate().source == DB_VARIABLE
        assert locate(str(tmp_path / "given.db")).path == tmp_path / "given.db"
        monkeypatch.setenv(DB_VARIABLE, "")
        assert locate().source == "default"

    def test_relative_paths_and_the_home_folder(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path / "me"))
        assert locate("x.db").path == tmp_path / "x.db"
        assert locate("~/x.db").path == tmp_path / "me" / "x.db"

    def test_a_sqlite_url_is_a_file(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        assert locate("sqlite:///x.db").path == tmp_path / "x.db"
        assert locate("sqlite:////srv/x.db").path == Path("/srv/x.db")

    @pytest.mark.parametrize(
        "given", ["", "  ", ":memory:", "sqlite://", "sqlite:///:memory:", "sqlite:///x?mode=ro"]
    )
    def test_places_that_are_no_file_are_refused(self, given):
        with pytest.raises(UsageError, match="--db"):
            locate(given)

    def test_another_kind_of_database_is_refused_without_showing_its_password(self):
        with pytest.raises(UsageError, match="postgresql") as caught:
            locate("postgresql://me:secret@host/db")
        assert "secret" not in str(caught.value)
        with pytest.raises(UsageError, match="--db"):
            locate("://x")

    @pytest.mark.parametrize("name", ["a b.db", "50%.db", "q?x=1#y.db", "数据.db", "it's.db", "sqlite.db"])
    def test_any_file_name_works(self, tmp_path, name):
        result = fill(tmp_path / name)
        assert (tmp_path / name).is_file()
        with open_store(str(tmp_path / name), create=False) as store:
            assert store.where == str(tmp_path / name)
            assert store.results_of(result.run_id) == [result]
            url = store.url
        with open_store(url, create=False) as store:
            assert store.results_of(result.run_id) == [result]


class TestCreating:
    def test_missing_folders_are_made(self, tmp_path):
        path = tmp_path / "a" / "b" / "harness.db"
        with open_store(str(path)) as store:
            assert store.where == str(path)
            assert store.runs() == []
            assert store.backup is None
        assert path.is_file()

    def test_without_create_a_missing_database_stays_missing(self, tmp_path):
        path = tmp_path / "a" / "harness.db"
        with pytest.raises(NoDatabaseError, match=str(path)) as caught:
            open_store(str(path), create=False)
        assert "harness compare" in caught.value.hint
        assert not path.parent.exists()

    def test_an_empty_file_becomes_a_database(self, tmp_path):
        path = tmp_path / "harness.db"
        path.touch()
        fill(path)

    def test_the_file_is_in_wal_mode_and_commits_reach_the_disk(self, path, store):
        with sqlite3.connect(path) as connection:
            assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
        with store._writing() as connection:
            assert connection.exec_driver_sql("pragma synchronous").scalar() == 2
            assert connection.exec_driver_sql("pragma foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("pragma busy_timeout").scalar() == 30_000

    def test_opening_again_migrates_nothing_and_does_not_import_alembic(self, tmp_path):
        path = tmp_path / "harness.db"
        fill(path)
        code = (
            "import sys\n"
            "from results.store import open_store\n"
            f"with open_store({str(path)!r}) as store:\n"
            "    assert len(store.runs()) == 1\n"
            "heavy = {'alembic', 'numpy', 'scipy', 'sqlalchemy.orm', 'rich', 'torch', 'onnx'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
        assert sorted(each.name for each in tmp_path.iterdir()) == ["harness.db"]


class TestRefusing:
    def test_a_text_file_is_left_as_it_is(self, tmp_path):
        path = tmp_path / "notes.txt"
        path.write_text("these are my notes, and not a database at all\n" * 100)
        before = path.read_bytes()
        with pytest.raises(StorageError, match=r"notes\.txt is not a SQLite database"):
            open_store(str(path))
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_a_short_file_is_left_as_it_is(self, tmp_path):
        path = tmp_path / "short"
        path.write_text("x")
        with pytest.raises(StorageError, match="not a SQLite database"):
            open_store(str(path))
        assert path.read_text() == "x"

    def test_a_folder_is_refused(self, tmp_path):
        with pytest.raises(StorageError, match="is a folder"):
            open_store(str(tmp_path))

    @pytest.mark.parametrize("extra", ["", "create table alembic_version (version_num text)"])
    def test_another_programs_database_is_left_as_it_is(self, tmp_path, extra):
        path = tmp_path / "other.db"
        with sqlite3.connect(path) as connection:
            connection.executescript(
                f"create table photos (id integer); insert into photos values (1); {extra}"
            )
        connection.close()
        before = path.read_bytes()
        with pytest.raises(StorageError, match="another program"):
            open_store(str(path))
        assert path.read_bytes() == before

    def test_a_newer_database_is_refused_and_says_who_wrote_it(self, tmp_path):
        path = tmp_path / "harness.db"
        fill(path)
        with sqlite3.connect(path) as connection:
            connection.execute("update alembic_version set version_num = '9999'")
            connection.execute("update store_info set value = '7.8.9'")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(StorageError, match=r"written by harness 7\.8\.9 \(revision 9999\)") as caught:
            open_store(str(path))
        assert HEAD in caught.value.message
        assert "inference-harness>=7.8.9" in caught.value.hint
        assert path.read_bytes() == before

    def test_damage_names_the_file_and_is_left_as_it_is(self, tmp_path):
        path = tmp_path / "harness.db"
        fill(path)
        whole = bytearray(path.read_bytes())
        whole[100:8192] = b"\xa5" * (8192 - 100)
        path.write_bytes(whole)
        with pytest.raises(StorageError, match=r"harness\.db is damaged") as caught:
            open_store(str(path))
        assert "backup" in caught.value.hint
        assert path.read_bytes() == bytes(whole)

    def test_a_file_cut_short_is_an_error_and_not_an_empty_history(self, tmp_path):
        path = tmp_path / "harness.db"
        fill(path)
        path.write_bytes(path.read_bytes()[:20_000])
        with pytest.raises(StorageError, match=r"harness\.db"), open_store(str(path)) as store:
            store.runs()

    def test_a_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="cannot be opened") as caught:
            open_store(str(tmp_path / "file" / "below" / "harness.db"))
        assert "--db" in caught.value.hint and DB_VARIABLE in caught.value.hint

    def test_a_folder_that_takes_no_files(self):
        # The kernel lets nobody, root included, make files here.
        with pytest.raises(StorageError, match=r"/proc/self/fdinfo/harness\.db cannot be opened"):
            open_store("/proc/self/fdinfo/harness.db")

    def test_a_locked_database_says_so(self, tmp_path):
        path = tmp_path / "harness.db"
        fill(path)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("begin immediate")
        try:
            with open_store(str(path), wait_s=0.1) as store:
                assert len(store.runs()) == 1
                with pytest.raises(StorageError, match="locked by another process"):
                    store.begin_run(make_run())
        finally:
            other.close()


class TestWriteAheadLog:
    """A reader in the old journal mode keeps the change to the log waiting."""

    @pytest.fixture
    def reader(self, tmp_path):
        path = tmp_path / "harness.db"
        fill(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        assert connection.execute("pragma journal_mode = delete").fetchone() == ("delete",)
        connection.execute("begin")
        connection.execute("select * from runs").fetchone()
        yield connection
        connection.close()

    def test_opening_waits_for_the_reader(self, reader, tmp_path):
        timer = threading.Timer(0.5, reader.rollback)
        timer.start()
        with open_store(str(tmp_path / "harness.db")) as store:
            assert len(store.runs()) == 1
        timer.join()
        with sqlite3.connect(tmp_path / "harness.db") as connection:
            assert connection.execute("pragma journal_mode").fetchone() == ("wal",)

    def test_opening_gives_up_in_the_end(self, reader, tmp_path):
        with pytest.raises(StorageError, match="locked by another process"):
            open_store(str(tmp_path / "harness.db"), wait_s=0.1)

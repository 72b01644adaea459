"""`harness report`: reads a stored run or a record, shows it, writes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.cli.main import cli
from harness.errors import InputError, StorageError, UsageError
from harness.judge.document import ComparisonDocument
from results.store import open_store
from tests.dashboards import documents
from tests.dashboards.documents import document, measured
from tests.factories import at, make_run


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with an older run, the full comparison, and a newer run that holds no result."""
    path = tmp_path / "history.db"
    full = documents.full()
    older = make_run(id="aa11" + "0" * 28, name="older", started_at=at(-90))
    empty = make_run(id="bb22" + "0" * 28, name="empty", started_at=at(90), plan_key="plan-2")
    with open_store(str(path)) as store:
        store.begin_run(older)
        store.save_result(measured("torch", 9.0, 1, run=older, group_id="group-0"))
        store.finish_run(older.id, "finished", 0)
        store.begin_run(full.run)
        for place, result in enumerate(full.results):
            # A store gives results back in the order of their making.
            store.save_result(result.model_copy(update={"run_id": full.run.id, "created_at": at(place)}))
        store.finish_run(full.run.id, "finished", 1)
        store.begin_run(empty)
    return path


def report(*arguments: object) -> int:
    return cli.main(["report", *map(str, arguments)], prog_name="harness", standalone_mode=False)


def test_the_newest_run_with_results_is_shown(database, capsys):
    assert report("--db", database) == 0
    shown = capsys.readouterr().out
    assert "resnet50, batch 1" in shown
    assert "openvino@bf16 computes the wrong thing." in shown


def test_a_run_is_found_by_the_beginning_of_its_id(database, capsys):
    assert report("aa11", "--db", database) == 0
    assert "Only torch could be measured" in capsys.readouterr().out


def test_the_page_and_the_record_are_written(database, tmp_path, capsys):
    page, record = tmp_path / "page.html", tmp_path / "record.json"
    assert report("--db", database, "--html", page, "--json", record) == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    found = ComparisonDocument.model_validate_json(record.read_bytes())
    assert [len(group.contenders) for group in found.groups] == [6, 2]
    assert found.exit_code == 1
    shown = capsys.readouterr().out
    assert str(page) in shown
    assert str(record) in shown


def test_a_record_is_read_without_any_database(tmp_path, capsys):
    original = document([measured("ort", 4.0, 1), measured("torch", 8.0, 2)])
    record = tmp_path / "record.json"
    record.write_text(original.model_dump_json(), encoding="utf-8")
    page, copy = tmp_path / "page.html", tmp_path / "copy.json"
    assert report(record, "--db", tmp_path / "absent.db", "--html", page, "--json", copy) == 0
    assert "ort is fastest" in page.read_text(encoding="utf-8")
    assert ComparisonDocument.model_validate_json(copy.read_bytes()) == original
    assert not (tmp_path / "absent.db").exists()


def test_quiet_prints_the_answer_only(database, capsys):
    report("--db", database, "--quiet")
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("resnet50: openvino@bf16 computes the wrong thing.")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("absent.json", None, "No such file"),
        ("broken.json", "{", "the file as a whole"),
        ("other.json", '{"kind": "history", "schema_version": 1}', "kind"),
        ("newer.json", '{"kind": "comparison", "schema_version": 99}', "schema_version"),
    ],
)
def test_a_file_that_is_no_record_is_refused_by_name(tmp_path, name, text, said):
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        report(path)
    assert str(path) in raised.value.message
    assert said in raised.value.message
    assert "--json" in raised.value.hint


def test_an_unknown_run_is_refused(database):
    with pytest.raises(InputError, match="cafe"):
        report("cafe", "--db", database)


def test_a_run_without_results_is_refused(database):
    with pytest.raises(InputError, match=r"bb220000.*holds no results"):
        report("bb22", "--db", database)


def test_an_absent_database_is_not_made(tmp_path):
    with pytest.raises(StorageError, match="no database"):
        report("--db", tmp_path / "absent.db")
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_results_says_what_to_do(tmp_path):
    with open_store(str(tmp_path / "empty.db")):
        pass
    with pytest.raises(InputError) as raised:
        report("--db", tmp_path / "empty.db")
    assert "harness compare" in raised.value.hint


def test_a_folder_that_is_not_there_is_an_error_before_anything_is_read(database, tmp_path):
    with pytest.raises(StorageError) as raised:
        report("--db", database, "--html", tmp_path / "absent" / "page.html")
    assert str(tmp_path / "absent" / "page.html") in raised.value.message


def test_a_full_disk_leaves_no_half_page(database, tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.fail("/dev/full is missing: this test needs Linux")
    target = tmp_path / "page.html"
    target.write_text("the page of yesterday", encoding="utf-8")
    # The temporary sibling that the page is written to becomes a device that is always full.
    (tmp_path / f".page.html.{os.getpid()}.tmp").symlink_to(full)
    with pytest.raises(StorageError) as raised:
        report("--db", database, "--html", target)
    assert str(target) in raised.value.message
    assert target.read_text(encoding="utf-8") == "the page of yesterday"


def test_missing_packages_are_named_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("dashboards.report.find_spec", lambda name: None)
    with pytest.raises(UsageError) as raised:
        report(tmp_path / "absent.json", "--html", tmp_path / "page.html")
    assert "inference-harness[report]" in raised.value.hint


def test_help_imports_nothing_heavy():
    import subprocess
    import sys

    script = (
        "import sys; from harness.cli.main import cli\n"
        "try: cli.main(['report', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pydantic', 'sqlalchemy', 'rich', 'altair', 'jinja2'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Exit codes" in done.stdout

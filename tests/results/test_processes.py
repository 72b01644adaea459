"""Several processes, killed processes, and disks that are full: with real processes and real limits."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from harness.errors import StorageError
from harness.records import Result
from results.store import open_store
from tests.factories import make_result, make_run, make_trials

ROOT = Path(__file__).parents[2]

CREATE = """
import sys
from results.store import open_store
from tests.factories import make_result, make_run
sys.stdin.readline()
run = make_run()
with open_store(sys.argv[1]) as store:
    store.begin_run(run)
    for _ in range(5):
        store.save_result(make_result(run=run))
"""

WRITE_FOR_EVER = """
import sys
from results.store import open_store
from tests.factories import make_result, make_run
run = make_run()
with open_store(sys.argv[1]) as store:
    store.begin_run(run)
    store.save_checkpoint(run.id, "group", 0, {"trial": 0})
    while True:
        result = make_result(run=run)
        store.save_result(result)
        print(result.model_dump_json(), flush=True)
"""

KILLED_INSIDE = """
import sys, time
from results import write
from results.store import open_store
from tests.factories import make_result, make_run
run = make_run(id="1" * 32)
with open_store(sys.argv[1]) as store:
    store.begin_run(run)
    store.save_result(make_result(run=run, id="a" * 32))
    with store._writing() as connection:
        write.save_result(connection, make_result(run=run, id="b" * 32), None)
        print("inside", flush=True)
        time.sleep(600)
"""

RUN_ONCE = """
import sys
from results.store import open_store
from tests.factories import make_run
with open_store(sys.argv[1]) as store:
    store.begin_run(make_run(id=sys.argv[2]))
    print("begun", flush=True)
    sys.stdin.readline()
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "harness.db"


def test_processes_that_open_a_fresh_database_at_once_all_write(path):
    writers = [start(CREATE, path) for _ in range(4)]
    for each in writers:
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in writers:
        _, errors = each.communicate(timeout=120)
        assert each.returncode == 0, errors
    with open_store(str(path), create=False) as store:
        assert [each.results for each in store.runs()] == [5, 5, 5, 5]
    # Made once, and never taken for an older one that needs a backup.
    assert not list(path.parent.glob("*.backup*"))


def test_what_was_saved_before_a_kill_is_there_and_equal(path):
    writer = start(WRITE_FOR_EVER, path)
    lines = [writer.stdout.readline() for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    lines += writer.stdout.readlines()
    writer.wait()
    # The last line may have been cut short; the result that it tells of was saved all the same.
    told = [Result.model_validate(json.loads(line)) for line in lines if line.endswith("\n")]
    assert len(told) >= 20

    with open_store(str(path), create=False) as store:
        (summary,) = store.runs()
        assert summary.status == "killed"
        saved = {each.id: each for each in store.results_of(summary.id)}
        assert {each.id: saved[each.id] for each in told} == {each.id: each for each in told}
        assert store.checkpoints(summary.id, "group") == [{"trial": 0}]


def test_a_writer_killed_inside_a_transaction_leaves_none_of_it(path):
    writer = start(KILLED_INSIDE, path)
    assert writer.stdout.readline() == "inside\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    with open_store(str(path), create=False) as store:
        assert [each.id for each in store.results_of("1" * 32)] == ["a" * 32]
        store.save_result(make_result(run=make_run(id="1" * 32)))
    with sqlite3.connect(path) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)


def test_a_killed_run_is_found_and_a_living_one_is_not(path):
    living, killed = start(RUN_ONCE, path, "a" * 32), start(RUN_ONCE, path, "b" * 32)
    try:
        for each in (living, killed):
            assert each.stdout.readline() == "begun\n"
        with open_store(str(path)) as store:
            machine = make_run().machine.id
            ever = timedelta(days=36_500)
            assert store.unfinished_run("plan-1", machine, ever) is None
            killed.kill()
            # Nobody has waited for it: a zombie measures nothing.
            while store.unfinished_run("plan-1", machine, ever) is None:
                pass
            found = store.unfinished_run("plan-1", machine, ever)
            assert found is not None and found.id == "b" * 32
            assert {each.id[0]: each.status for each in store.runs()} == {"a": "running", "b": "killed"}
    finally:
        for each in (living, killed):
            each.kill()
            each.communicate()


def test_a_disk_that_takes_no_more_is_an_error_and_loses_nothing(path):
    run = make_run()
    saved: list[Result] = []
    with open_store(str(path)) as store:
        store.begin_run(run)
        with store._writing() as connection:
            connection.exec_driver_sql("pragma max_page_count = 60")
        with pytest.raises(StorageError, match="full") as caught:
            for seed in range(1000):
                result = make_result(run=run, trials=make_trials(4, samples=200, seed=seed))
                store.save_result(result)
                saved.append(result)
        assert str(path) in caught.value.message and "--db" in caught.value.hint
        assert {each.id for each in store.results_of(run.id)} == {each.id for each in saved}
    with open_store(str(path)) as store:
        store.save_result(make_result(run=run))


LIMITED = """
import resource, sys
from harness.errors import StorageError
from results.store import open_store
from tests.factories import make_result, make_run, make_trials
limit = int(sys.argv[2])
run = make_run(id="1" * 32)
try:
    if limit < 100_000:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    with open_store(sys.argv[1]) as store:
        store.begin_run(run)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        for seed in range(1000):
            result = make_result(run=run, trials=make_trials(4, samples=200, seed=seed))
            store.save_result(result)
            print(result.id, flush=True)
except StorageError as error:
    sys.exit(f"StorageError: {error}")
"""


@pytest.mark.parametrize("limit", [20_000, 1_000_000])
def test_a_write_that_the_system_refuses_is_an_error_and_loses_nothing(path, limit):
    writer = start(LIMITED, path, limit)
    told, errors = writer.communicate(timeout=120)
    assert writer.returncode == 1
    assert errors.startswith(f"StorageError: {path}"), errors
    assert "Check the disk" in errors
    assert (len(told.split()) > 0) == (limit == 1_000_000)
    # With room again, what was saved is there and more can be.
    with open_store(str(path)) as store:
        assert {each.id for each in store.results_of("1" * 32)} == set(told.split())
        store.begin_run(make_run(id="1" * 32))
        store.save_result(make_result(run=make_run(id="1" * 32)))

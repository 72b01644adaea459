"""What is written is read back, exactly."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import StorageError
from harness.judge.comparison import Estimate
from harness.records import OutputParity
from results.packing import DamagedError, pack_samples, unpack_samples
from results.schema import metrics
from results.store import open_store
from tests.factories import (
    START,
    at,
    make_environment,
    make_failure,
    make_machine,
    make_parity,
    make_result,
    make_run,
    make_trials,
)


@pytest.fixture
def run(store):
    begun = make_run()
    store.begin_run(begun)
    return begun


def test_a_result_is_read_back_equal(store, run):
    written = make_result(run=run)
    store.save_result(written)
    (read,) = store.results_of(run.id)
    assert read == written
    assert read.model_dump_json() == written.model_dump_json()


def test_a_result_survives_closing_the_database(path):
    run = make_run()
    written = make_result(run=run)
    with open_store(str(path)) as store:
        store.begin_run(run)
        store.save_result(written)
    with open_store(str(path), create=False) as store:
        assert store.run(run.id) == run
        assert store.results_of(run.id) == [written]


def test_a_failed_result_is_read_back_equal(store, run):
    written = make_failure(run=run)
    store.save_result(written)
    assert store.results_of(run.id) == [written]


def test_infinite_errors_come_back_as_numbers(store, run):
    broken = (
        make_parity("fail")
        .outputs[0]
        .model_copy(update={"error_rms": float("inf"), "error_max": float("-inf"), "yardstick_rms": 5e-324})
    )
    written = make_result(run=run, parity=make_parity("fail").model_copy(update={"outputs": (broken,)}))
    store.save_result(written)
    (read,) = store.results_of(run.id)
    assert read == written


def test_not_a_number_comes_back_as_not_a_number(store, run):
    broken: OutputParity = make_parity("fail").outputs[0].model_copy(update={"error_rms": float("nan")})
    written = make_result(run=run, parity=make_parity("fail").model_copy(update={"outputs": (broken,)}))
    store.save_result(written)
    (read,) = store.results_of(run.id)
    assert read.parity is not None
    error = read.parity.outputs[0].error_rms
    assert error is not None and error != error
    assert read.model_dump_json() == written.model_dump_json()


def test_trials_without_rounds_and_rounds_without_samples(store, run):
    first, second = make_trials(2)
    empty_round = first.rounds[0].model_copy(update={"samples_ns": ()})
    trials = (
        first.model_copy(update={"rounds": (empty_round, first.rounds[1])}),
        second.model_copy(update={"rounds": (), "warmup_ns": ()}),
    )
    written = make_result(run=run, trials=trials)
    store.save_result(written)
    assert store.results_of(run.id) == [written]


def test_many_results_come_oldest_first_each_with_its_own_samples(store, run):
    written = [make_result(run=run, created_at=at(i), trials=make_trials(3, seed=i)) for i in range(7)]
    for result in reversed(written):
        store.save_result(result)
    assert store.results_of(run.id) == written


def test_a_time_in_another_zone_is_the_same_moment(store):
    local = datetime(2026, 11, 3, 6, 5, 6, 789012, tzinfo=timezone(timedelta(hours=2)))
    run = make_run(started_at=local)
    store.begin_run(run)
    (summary,) = store.runs()
    assert summary.started_at == START == local
    assert summary.started_at.tzinfo is UTC
    assert store.run(run.id).started_at == local


def test_a_time_without_a_zone_is_refused(store):
    with pytest.raises(Exception, match="without a time zone"):
        store.begin_run(make_run(started_at=datetime(2026, 11, 3)))


def test_machine_and_environment_are_kept_once(store, run, path):
    other = make_environment(commit="f" * 40)
    store.save_result(make_result(run=run))
    store.save_result(make_result(run=run))
    store.save_result(make_result(run=run, environment=other))
    store.save_result(make_result(run=run, machine=make_machine(kernel="6.2.0")))
    with sqlite3.connect(path) as connection:
        assert connection.execute("select count(*) from environments").fetchone() == (2,)
        assert connection.execute("select count(*) from machines").fetchone() == (2,)
    assert [each.environment.commit for each in store.results_of(run.id)].count(other.commit) == 1


def test_raw_samples_lie_apart_from_the_record(store, run, path):
    marked = 123_454_321_234
    trial = make_trials(1)[0]
    block = trial.rounds[0].model_copy(update={"samples_ns": (marked,)})
    store.save_result(make_result(run=run, trials=(trial.model_copy(update={"rounds": (block,)}),)))
    with sqlite3.connect(path) as connection:
        (record,) = connection.execute("select record from results").fetchone()
        assert "calls_per_sample" in record
        assert str(marked) not in record and "samples_ns" not in record and "warmup_ns" not in record


def test_missing_samples_are_an_error_and_not_an_empty_result(store, run, path):
    store.save_result(make_result(run=run))
    with sqlite3.connect(path) as connection:
        connection.execute("delete from samples where trial = 1")
    with pytest.raises(StorageError, match="samples of 1 of 2 trials"):
        store.results_of(run.id)


def test_a_record_of_a_newer_harness_is_refused(store, run, path):
    store.save_result(make_result(run=run))
    with sqlite3.connect(path) as connection:
        connection.execute("update results set record = json_set(record, '$.telepathy', 1)")
    with pytest.raises(StorageError, match=r"telepathy") as caught:
        store.results_of(run.id)
    assert "update the harness" in caught.value.hint


def test_saving_the_same_result_twice_keeps_one(store, run):
    written = make_result(run=run)
    store.save_result(written)
    store.save_result(written)
    assert store.results_of(run.id) == [written]


@pytest.mark.parametrize("change", [{"status": "interrupted"}, {"trials": make_trials(2, seed=9)}])
def test_another_result_with_the_same_id_is_refused(store, run, change):
    written = make_result(run=run)
    store.save_result(written)
    with pytest.raises(StorageError, match=written.id):
        store.save_result(written.model_copy(update=change))
    assert store.results_of(run.id) == [written]


def test_a_result_without_its_run_is_refused(store):
    with pytest.raises(StorageError, match="has not begun"):
        store.save_result(make_result())


def test_a_refused_result_leaves_nothing_behind(store, run, path):
    trial = make_trials(1)[0].model_copy(update={"warmup_ns": (2**63,)})
    with pytest.raises(StorageError, match="64 bits"):
        store.save_result(make_result(run=run, trials=(trial,), machine=make_machine(kernel="other")))
    with sqlite3.connect(path) as connection:
        assert connection.execute("select count(*) from machines").fetchone() == (1,)
    assert store.results_of(run.id) == []


def test_metrics_are_read_back_equal(store, run):
    result = make_result(run=run)
    written = {
        "p50": Estimate(value=0.001, low=0.0009, high=0.0011, unit="s", confidence=0.9, samples=30, trials=2),
        "p99": Estimate(value=None, unit="s", reason="too few samples", samples=30, trials=2),
        "load": Estimate(value=0.05, unit="s", reason="one trial", trials=1),
    }
    store.save_result(result, metrics=written)
    assert store.metrics_of(result.id) == written


def test_metrics_take_the_place_of_those_before_and_none_leaves_them(store, run):
    result = make_result(run=run)
    store.save_result(result, metrics={"p50": Estimate(value=1.0), "p90": Estimate(value=2.0)})
    store.save_result(result, metrics={"p50": Estimate(value=3.0)})
    store.save_result(result)
    assert store.metrics_of(result.id) == {"p50": Estimate(value=3.0)}


def test_the_table_of_metrics_has_every_field_of_an_estimate():
    assert set(metrics.c.keys()) == {"result_id", "name", *Estimate.model_fields}


@given(st.lists(st.lists(st.integers(min_value=-(2**63), max_value=2**63 - 1))))
def test_packing_and_unpacking_give_the_same(arrays):
    assert unpack_samples(pack_samples(arrays), 1) == [tuple(values) for values in arrays]


def test_the_layout_is_the_documented_one():
    import struct
    import zlib

    assert zlib.decompress(pack_samples([[7, 8], [], [9]])) == struct.pack("<7q", 3, 2, 0, 1, 7, 8, 9)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not zlib",
        pack_samples([[1, 2, 3]])[:-4],
        __import__("zlib").compress(b""),
        __import__("zlib").compress(b"\x01" * 8),
        __import__("zlib").compress(b"\x01" * 7),
        __import__("zlib").compress(b"\xff" * 16),
    ],
)
def test_damaged_samples_are_an_error(data):
    with pytest.raises(DamagedError):
        unpack_samples(data, 1)


def test_an_unknown_layout_is_an_error():
    with pytest.raises(DamagedError, match="layout 2"):
        unpack_samples(pack_samples([[1]]), 2)

"""Parity checks in the database: whole, in order, replaced when they gain something, and refused without a run."""

from __future__ import annotations

import pytest

from harness.errors import StorageError
from harness.records import Run
from harness.records.parity_check import ParityCheck, ParityRecord
from results.store import Store
from tests.dashboards.parities import check, crashed, document, output
from tests.factories import make_run


def begun(store: Store, *checks: ParityCheck, batches: tuple[int, ...] = (1,)) -> tuple[Run, ParityRecord]:
    """A run whose checks were saved one after the other."""
    run = make_run(kind="parity")
    record = document(*checks, batches=batches).record.model_copy(
        update={
            "id": run.id, "created_at": run.started_at, "machine": run.machine, "environment": run.environment,
        }
    )  # fmt: skip
    store.begin_run(run)
    for each in checks:
        store.save_parity_check(alone(record, each))
    return run, record


def alone(record: ParityRecord, one: ParityCheck) -> ParityRecord:
    variants = tuple(variant for variant in record.variants if variant.variant == one.variant)
    return record.model_copy(update={"checks": (one,), "variants": variants})


def test_a_record_comes_back_whole(store: Store) -> None:
    checks = (check("ort", output()), crashed("tvm"), check("ort", output(broken=True), batch=8))
    run, record = begun(store, *checks, batches=(1, 8))
    assert store.parity_record(run) == record
    store.finish_run(run.id, "interrupted", 130)
    told = store.parity_record(run)
    assert told is not None and told.interrupted


def test_a_check_that_gains_something_takes_the_place_of_the_old_one(store: Store) -> None:
    first = check("ort", output())
    run, record = begun(store, first)
    changed = first.model_copy(update={"effective": {"threads": 2}})
    store.save_parity_check(alone(record, changed))
    told = store.parity_record(run)
    assert told is not None and told.checks == (changed,)
    assert len(store.parity_points("resnet50")) == 1


def test_points_are_oldest_first_with_their_worst_error(store: Store) -> None:
    begun(store, check("ort", output()), crashed("tvm"))
    bad = check("ort", output(off=0.5))
    begun(store, bad)
    points = store.parity_points("resnet50")
    assert [(p.contender, p.status, p.parity) for p in points] == [
        ("ort", "measured", "pass"), ("tvm", "crashed", None), ("ort", "measured", "fail"),
    ]  # fmt: skip
    assert bad.parity is not None
    assert points[2].ratio == bad.parity.outputs[0].ratio_rms
    assert points[1].ratio is None
    assert store.parity_points("resnet50", "ort", limit=1) == [points[2]]
    assert store.parity_points("other") == []
    assert store.parity_contenders("resnet50") == ["ort", "tvm"]
    assert list(store.parity_models()) == ["resnet50"]


def test_runs_count_their_checks(store: Store) -> None:
    run, _ = begun(store, check("ort", output()), crashed("tvm"))
    (summary,) = store.runs(model="resnet50")
    assert (summary.id, summary.kind, summary.results, summary.measured) == (run.id, "parity", 2, 1)
    assert (summary.models, summary.contenders) == (("resnet50",), ("ort", "tvm"))


def test_a_run_without_checks_and_a_check_without_a_run(store: Store) -> None:
    run = make_run(kind="parity")
    store.begin_run(run)
    assert store.parity_record(run) is None
    with pytest.raises(StorageError, match="which has not begun"):
        store.save_parity_check(document(check("ort", output())).record)

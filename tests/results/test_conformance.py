"""Conformance outcomes in the database: by run, by version, and what changed between versions."""

from __future__ import annotations

import pytest

from harness.errors import InputError, StorageError
from harness.judge.conformance.versions import version_key
from harness.plan.contender import parse_contender
from harness.run.conformance.stored import compared, previous_side, recorded, side_of, two_newest
from tests.factories import make_run
from tests.judge.conformance.cases import WRONG, result


def save(store, version, *results, contender="ort", started=None):
    run = make_run(kind="conformance")
    store.begin_run(run)
    store.save_conformance(run.id, contender, contender.partition("@")[0], version, results)
    store.finish_run(run.id, "finished", 0)
    return run


@pytest.fixture
def two(store):
    """Two versions: `b` broke, `a` was fixed, `c` is as it was; then an older version again for one case."""
    old = save(store, "1.30.0", result("fails", "a"), result("passes", "b"), result("passes", "c"))
    new = save(
        store, "1.31.1", result("passes", "a"), result("fails", "b", error=WRONG), result("passes", "c")
    )
    return old, new


def test_what_was_saved_is_read_back(store):
    infinite = WRONG.model_copy(update={"share": float("inf"), "ulp": float("inf")})
    saved = (
        result("fails", "a", error=infinite, note="n"),
        result("unsupported", "b", reason="r", phase="load"),
    )
    run = save(store, "1.0", *saved)
    assert store.conformance_of(run.id) == {"ort": ("1.0", list(saved))}
    assert store.conformance_contenders() == ["ort"]


def test_saving_again_in_a_run_replaces(store):
    run = save(store, "1.0", result("fails", "a"), result("passes", "b"))
    store.save_conformance(run.id, "ort", "ort", "1.0", [result("passes", "a")])
    assert [r.outcome for r in store.conformance_of(run.id)["ort"][1]] == ["passes", "passes"]


def test_more_cases_than_fit_into_one_statement(store):
    many = [result("passes", f"case{index:04}") for index in range(2100)]
    run = save(store, "1.0", *many)
    assert store.conformance_of(run.id)["ort"][1] == many


def test_a_run_that_has_not_begun_is_refused(store):
    with pytest.raises(StorageError, match="has not begun"):
        store.save_conformance("nothing", "ort", "ort", "1.0", [result("passes")])


def test_the_newest_outcome_of_every_case_is_on_record(store, two):
    save(store, "1.31.1", result("crashes", "b"))
    found = {r.case.name: r.outcome for r in store.conformance_on_record("ort", "1.31.1")}
    assert found == {"a": "passes", "b": "crashes", "c": "passes"}
    versions = store.conformance_versions("ort")
    assert [each.engine_version for each in versions] == ["1.31.1", "1.30.0"]
    assert versions[1].run_id == two[0].id


def test_what_a_release_broke(store, two):
    ref = parse_contender("ort")
    found = compared(ref, *two_newest(store, ref, None))
    assert (found.before, found.after) == ("ort 1.30.0", "ort 1.31.1")
    assert [(c.case.name, c.direction) for c in found.changes] == [("b", "broken"), ("a", "fixed")]


def test_a_named_version_looks_back_from_there(store, two):
    ref = parse_contender("ort==1.30.0")
    found = compared(ref, *two_newest(store, ref, "1.31.1"))
    assert [(c.case.name, c.direction) for c in found.changes] == [("a", "broken"), ("b", "fixed")]


def test_an_old_version_that_was_run_last_is_still_the_older_one(store, two):
    save(store, "1.9.0", result("passes", "a"), result("passes", "b"))
    ref = parse_contender("ort")
    assert [side.words for side in two_newest(store, ref, None)] == ["ort 1.30.0", "ort 1.31.1"]
    assert recorded(store, [ref]).engines[0].engine_version == "1.31.1"
    before, after = two_newest(store, parse_contender("ort==1.30.0"), None)
    assert (before.words, after.words) == ("ort 1.9.0", "ort 1.30.0")
    assert previous_side(store, ref, "1.9.0") is None


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.2", "1.31.0"),
        ("1.31.0rc1", "1.31.0"),
        ("2026.4", "2026.4.1"),
        ("1.31.0", "1.31.0+cpu"),
        ("?", "0.1"),
    ],
)
def test_the_order_of_versions(older, newer):
    assert version_key(older) < version_key(newer)


def test_precisions_and_options_are_series_of_their_own(store, two):
    save(store, "1.32.0", result("crashes", "a"), contender="ort@fp16")
    assert len(store.conformance_versions("ort")) == 2


def test_one_side_may_be_a_version_a_contender_or_a_run(store, two):
    save(store, "2026.4", result("crashes", "a"), contender="openvino")
    ref = parse_contender("ort")
    assert side_of(store, ref, "1.30.0").words == "ort 1.30.0"
    assert side_of(store, ref, "ort==1.30.0").words == "ort 1.30.0"
    assert side_of(store, ref, "openvino").words == "openvino 2026.4"
    assert side_of(store, ref, two[0].id[:12]).results[0].outcome == "fails"


@pytest.mark.parametrize(
    ("against", "words"),
    [("9.9", "versions on record: 1.31.1, 1.30.0"), ("ort==9.9", "not on record"), ("zzz", "--against zzz")],
)
def test_what_is_not_on_record_is_said(store, two, against, words):
    with pytest.raises(InputError, match="--against") as caught:
        side_of(store, parse_contender("ort"), against)
    assert words in str(caught.value)


def test_one_version_alone_has_no_changes(store):
    save(store, "1.0", result("passes"))
    with pytest.raises(InputError, match=r"no version of ort before 1\.0"):
        two_newest(store, parse_contender("ort"), None)
    with pytest.raises(InputError, match="openvino has no conformance outcomes on record"):
        recorded(store, [parse_contender("openvino")])


def test_the_record_on_record_is_of_the_newest_run(store, two):
    found = recorded(store, [parse_contender("ort")])
    assert found.run_id == two[1].id and found.cases == 3
    assert {r.case.name: r.outcome for r in found.engines[0].results}["b"] == "fails"


def test_deleting_a_run_takes_its_outcomes_along(store, two):
    from sqlalchemy import delete

    from results import schema

    with store._writing() as connection:
        connection.execute(delete(schema.runs).where(schema.runs.c.id == two[1].id))
    assert [v.engine_version for v in store.conformance_versions("ort")] == ["1.30.0"]


def test_a_list_of_runs_names_the_contenders_and_counts_the_cases(store):
    save(store, "1.0", result("passes", "a"), result("fails", "b"), result("excluded", "c"))
    (summary,) = store.runs()
    assert (summary.kind, summary.models, summary.contenders) == ("conformance", (), ("ort",))
    assert (summary.results, summary.measured) == (3, 2)

"""What the history can be asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harness.errors import InputError, StorageError
from harness.judge.comparison import Estimate
from harness.records import now
from tests.factories import (
    at,
    make_environment,
    make_failure,
    make_machine,
    make_parity,
    make_result,
    make_run,
)

EVER = timedelta(days=36_500)


def p50(value: float) -> dict[str, Estimate]:
    return {"p50": Estimate(value=value, low=value * 0.9, high=value * 1.1, unit="s", samples=30)}


def save_group(store, run, group_id, contenders, minute, **overrides):
    saved = [
        make_result(each, run=run, group_id=group_id, created_at=at(minute + i / 100), **overrides)
        for i, each in enumerate(contenders)
    ]
    for each in saved:
        store.save_result(each)
    return saved


@pytest.fixture
def run(store):
    begun = make_run()
    store.begin_run(begun)
    return begun


class TestOneRun:
    def test_by_id_and_by_unique_prefix(self, store):
        first, second = make_run(id="abc1" + "0" * 28), make_run(id="abd2" + "0" * 28)
        store.begin_run(first)
        store.begin_run(second)
        assert store.run(first.id) == first
        assert store.run("abc") == first
        assert store.run("abd") == second

    def test_several_none_and_nothing(self, store):
        store.begin_run(make_run(id="abc1"))
        store.begin_run(make_run(id="abc12"))
        assert store.run("abc1").id == "abc1"
        with pytest.raises(InputError, match=r"abc1, abc12|abc12, abc1"):
            store.run("ab")
        with pytest.raises(InputError, match="'xyz'") as caught:
            store.run("xyz")
        assert "harness history" in caught.value.hint
        with pytest.raises(InputError):
            store.run("")

    @pytest.mark.parametrize("text", ["%", "_bc1", "a%"])
    def test_wildcards_are_plain_characters(self, store, text):
        store.begin_run(make_run(id="abc1"))
        with pytest.raises(InputError):
            store.run(text)

    def test_results_of_another_run_are_not_among_them(self, store, run):
        other = make_run()
        store.begin_run(other)
        mine, theirs = make_result(run=run), make_result(run=other)
        store.save_result(mine)
        store.save_result(theirs)
        assert store.results_of(run.id) == [mine]
        assert store.results_of("nothing") == []


class TestListOfRuns:
    def test_newest_first_with_what_they_have(self, store):
        old, new = make_run(started_at=at(0), name="old"), make_run(started_at=at(5), name="new")
        store.begin_run(new)
        store.begin_run(old)
        store.save_result(make_result("ort", run=old))
        store.save_result(make_failure("openvino", run=old))
        store.save_result(make_result("ort", run=old, model="tiny-cnn"))
        store.finish_run(old.id, "finished", 1)
        first, second = store.runs()
        assert (first.name, first.status, first.results, first.models) == ("new", "running", 0, ())
        assert (second.name, second.status, second.exit_code) == ("old", "finished", 1)
        assert (second.results, second.measured) == (3, 2)
        assert second.models == ("resnet50", "tiny-cnn")
        assert second.contenders == ("openvino", "ort")
        assert second.finished_at is not None and second.finished_at.tzinfo is not None
        assert (second.commit, second.hostname) == (old.environment.commit, "bench-1")
        assert [each.name for each in store.runs(1)] == ["new"]

    def test_of_one_model_or_machine(self, store):
        other = make_machine(id="m-2", hostname="bench-2")
        mine, theirs = make_run(), make_run(machine=other)
        for each in (mine, theirs):
            store.begin_run(each)
        store.save_result(make_result(run=theirs, model="tiny-cnn"))
        assert [each.id for each in store.runs(model="tiny-cnn")] == [theirs.id]
        assert store.runs(model="bert") == []
        assert [each.id for each in store.runs(machine_id="m-2")] == [theirs.id]


class TestUnfinishedRun:
    def test_an_interrupted_run_is_found_and_a_finished_or_failed_one_is_not(self, store):
        for status, found in (("finished", False), ("failed", False), ("interrupted", True)):
            run = make_run(plan_key=status)
            store.begin_run(run)
            store.finish_run(run.id, status, 0)
            assert (store.unfinished_run(status, run.machine.id, EVER) == run) is found

    def test_the_newest_one_of_this_plan_and_machine(self, store):
        runs = [make_run(started_at=at(i)) for i in (0, 7, 3)]
        others = [
            make_run(started_at=at(9), plan_key="x"),
            make_run(started_at=at(9), machine=make_machine(id="y")),
        ]
        for each in (*runs, *others):
            store.begin_run(each)
            store.finish_run(each.id, "interrupted", 130)
        assert store.unfinished_run("plan-1", runs[0].machine.id, EVER) == runs[1]

    def test_an_old_one_is_left_alone(self, store):
        run = make_run(started_at=now() - timedelta(hours=2))
        store.begin_run(run)
        store.finish_run(run.id, "interrupted", 130)
        assert store.unfinished_run("plan-1", run.machine.id, timedelta(hours=1)) is None
        assert store.unfinished_run("plan-1", run.machine.id, timedelta(hours=3)) == run

    def test_one_that_this_process_left_is_found(self, store, run):
        assert store.unfinished_run("plan-1", run.machine.id, EVER) == run

    def test_resuming_makes_it_run_again(self, store, run):
        store.finish_run(run.id, "interrupted", 130)
        store.begin_run(run)
        (summary,) = store.runs()
        assert (summary.status, summary.exit_code, summary.finished_at) == ("running", None, None)
        store.finish_run(run.id, "finished", 0)
        assert store.unfinished_run("plan-1", run.machine.id, EVER) is None

    def test_a_run_with_another_plan_is_not_taken_over(self, store, run):
        with pytest.raises(StorageError, match="another plan"):
            store.begin_run(run.model_copy(update={"plan_key": "other"}))

    def test_a_run_that_never_began_cannot_end(self, store):
        with pytest.raises(StorageError, match="has not begun"):
            store.finish_run("nothing", "finished", 0)


class TestCheckpoints:
    def test_in_the_order_of_trials_and_by_group(self, store, run):
        for trial in (10, 2, 0):
            store.save_checkpoint(run.id, "g1", trial, {"trial": trial, "deep": {"list": [1.5, None, "é"]}})
        store.save_checkpoint(run.id, "g2", 0, {"other": True})
        assert [each["trial"] for each in store.checkpoints(run.id, "g1")] == [0, 2, 10]
        assert store.checkpoints(run.id, "g1")[0]["deep"] == {"list": [1.5, None, "é"]}
        store.drop_checkpoints(run.id, "g1")
        assert store.checkpoints(run.id, "g1") == []
        assert store.checkpoints(run.id, "g2") == [{"other": True}]

    def test_a_trial_is_replaced(self, store, run):
        store.save_checkpoint(run.id, "g", 0, {"a": 1})
        store.save_checkpoint(run.id, "g", 0, {"a": 2})
        assert store.checkpoints(run.id, "g") == [{"a": 2}]

    def test_kept_when_interrupted_and_dropped_at_the_end(self, store, run):
        other = make_run()
        store.begin_run(other)
        for each in (run, other):
            store.save_checkpoint(each.id, "g", 0, {"a": 1})
        store.finish_run(run.id, "interrupted", 130)
        assert len(store.checkpoints(run.id, "g")) == 1
        store.begin_run(run)
        store.finish_run(run.id, "finished", 0)
        assert store.checkpoints(run.id, "g") == []
        assert len(store.checkpoints(other.id, "g")) == 1

    def test_a_run_that_never_began_and_a_payload_that_is_not_json(self, store, run):
        with pytest.raises(StorageError, match="has not begun"):
            store.save_checkpoint("nothing", "g", 0, {})
        with pytest.raises(TypeError):
            store.save_checkpoint(run.id, "g", 0, {"a": object()})

    def test_damage_is_an_error(self, store, run):
        store.save_checkpoint(run.id, "g", 0, {"a": 1})
        with store._writing() as connection:
            connection.exec_driver_sql("update checkpoints set data = x'00'")
        with pytest.raises(StorageError, match="checkpoint cannot be unpacked"):
            store.checkpoints(run.id, "g")


class TestLatestGroup:
    def test_the_newest_group_that_has_all_of_them(self, store, run):
        both = save_group(store, run, "g1", ["ort", "openvino"], 1)
        save_group(store, run, "g2", ["ort", "torch"], 2)
        alone = save_group(store, run, "g3", ["ort"], 3)
        assert store.latest_group("resnet50", ["ort", "openvino"]) == both
        assert store.latest_group("resnet50", ["openvino", "ort"]) == both[::-1]
        assert store.latest_group("resnet50", ["ort"]) == alone
        assert store.latest_group("resnet50", ["torch", "openvino"]) == []
        assert store.latest_group("resnet50", []) == alone
        assert store.group("g1") == both

    def test_only_the_contenders_asked_for(self, store, run):
        three = save_group(store, run, "g1", ["ort", "openvino", "ort@fp16"], 1)
        assert store.latest_group("resnet50", ["ort", "ort@fp16"]) == [three[0], three[2]]

    def test_an_engine_against_itself(self, store, run):
        save_group(store, run, "g1", ["ort", "ort#2"], 1)
        save_group(store, run, "g2", ["ort"], 2)
        found = store.latest_group("resnet50", ["ort", "ort#2"])
        assert [each.case.contender.text for each in found] == ["ort", "ort#2"]

    def test_two_results_of_one_contender_are_not_two_contenders(self, store, run):
        save_group(store, run, "g1", ["ort", "ort"], 1)
        assert store.latest_group("resnet50", ["ort", "openvino"]) == []

    def test_the_newer_of_two_results_of_one_case(self, store, run):
        first, second, other = save_group(store, run, "g1", ["ort", "ort", "torch"], 1)
        assert store.latest_group("resnet50", ["ort", "torch"]) == [second, other]
        assert first in store.group("g1")

    def test_variant_model_and_machine(self, store, run):
        elsewhere = make_run(machine=make_machine(id="m-2"))
        store.begin_run(elsewhere)
        batch8 = save_group(store, run, "g1", ["ort", "torch"], 1, batch=8)
        one_thread = save_group(store, run, "g2", ["ort", "torch"], 2, threads=1)
        there = save_group(store, elsewhere, "g3", ["ort", "torch"], 3)
        save_group(store, run, "g4", ["ort", "torch"], 4, model="bert")
        both = ["ort", "torch"]
        assert store.latest_group("resnet50", both, 8) == batch8
        assert store.latest_group("resnet50", both, threads=1) == one_thread
        assert store.latest_group("resnet50", both) == there
        assert store.latest_group("resnet50", both, machine_id=run.machine.id) == one_thread
        assert store.latest_group("resnet50", both, 16) == []

    def test_a_fresh_failure_is_not_hidden_by_an_older_success(self, store, run):
        measured = save_group(store, run, "g1", ["ort", "openvino"], 1)
        failed = [
            make_result("ort", run=run, group_id="g2", created_at=at(2)),
            make_failure("openvino", run=run, group_id="g2", created_at=at(2)),
        ]
        for each in failed:
            store.save_result(each)
        assert store.latest_group("resnet50", ["ort", "openvino"]) == failed
        assert store.latest_group("resnet50", ["ort", "openvino"], measured_only=True) == measured

    def test_what_there_is_to_compare(self, store, run):
        save_group(store, run, "g1", ["ort", "torch"], 1)
        save_group(store, run, "g2", ["ort"], 2, batch=8)
        save_group(store, run, "g3", ["trt"], 3, model="bert")
        assert store.contenders_of("resnet50") == {"ort": at(2), "torch": at(1.01)}
        assert store.contenders_of("resnet50", 8) == {"ort": at(2)}
        assert store.models() == {"bert": at(3), "resnet50": at(2)}


class TestSeries:
    def test_oldest_first_with_what_a_history_shows(self, store, run):
        later = make_run(environment=make_environment(commit="c2"))
        store.begin_run(later)
        second = make_result(run=later, created_at=at(2), engine_version="1.31.1", parity=make_parity("fail"))
        first = make_result(run=run, created_at=at(1))
        store.save_result(second, metrics=p50(0.002))
        store.save_result(first, metrics=p50(0.001))
        points = store.series("resnet50", "ort")
        assert [each.result_id for each in points] == [first.id, second.id]
        assert [each.created_at for each in points] == [at(1), at(2)]
        assert [(each.value, each.low, each.high, each.unit) for each in points] == [
            (0.001, 0.001 * 0.9, 0.001 * 1.1, "s"),
            (0.002, 0.002 * 0.9, 0.002 * 1.1, "s"),
        ]
        assert [each.parity for each in points] == ["pass", "fail"]
        assert [each.engine_version for each in points] == ["1.31.0", "1.31.1"]
        assert [each.commit for each in points] == [run.environment.commit, "c2"]
        assert [each.run_id for each in points] == [run.id, later.id]
        assert points[0].series == points[1].series == (first.case.key, run.machine.id)
        assert points[0].hostname == "bench-1"

    def test_a_result_without_the_metric_is_there_with_its_reason(self, store, run):
        store.save_result(make_failure("ort", run=run, created_at=at(1)))
        store.save_result(
            make_result(run=run, created_at=at(2)),
            metrics={"p50": Estimate(value=None, reason="too few samples")},
        )
        crashed, few = store.series("resnet50", "ort")
        assert (crashed.value, crashed.status, crashed.reason, crashed.parity) == (
            None,
            "crashed",
            "no p50 was saved",
            None,
        )
        assert (few.value, few.status, few.reason) == (None, "measured", "too few samples")

    def test_filters(self, store, run):
        elsewhere = make_run(machine=make_machine(id="m-2"))
        store.begin_run(elsewhere)
        wanted = {
            "batch": make_result(run=run, batch=8, created_at=at(1)),
            "threads": make_result(run=run, threads=1, created_at=at(2)),
            "contender": make_result("torch", run=run, created_at=at(3)),
            "machine": make_result(run=elsewhere, created_at=at(4)),
        }
        for each in wanted.values():
            store.save_result(each, metrics=p50(0.001))
        store.save_result(make_result(run=run, model="bert"), metrics=p50(0.001))

        def ids(*arguments, **named):
            return [each.result_id for each in store.series("resnet50", *arguments, **named)]

        assert ids() == [each.id for each in wanted.values()]
        assert ids(batch=8) == [wanted["batch"].id]
        assert ids(threads=1) == [wanted["threads"].id]
        assert ids("torch") == [wanted["contender"].id]
        assert ids(machine_id="m-2") == [wanted["machine"].id]
        assert ids(limit=2) == [wanted["contender"].id, wanted["machine"].id]
        assert len({each.series for each in store.series("resnet50")}) == 4

    def test_another_metric(self, store, run):
        result = make_result(run=run)
        store.save_result(result, metrics={**p50(0.001), "p99": Estimate(value=0.009, unit="s")})
        (point,) = store.series("resnet50", metric="p99")
        assert (point.metric, point.value, point.low) == ("p99", 0.009, None)


def test_many_results_are_read_in_one_go(store, run):
    bare = make_failure(run=run)
    results = [bare.model_copy(update={"id": f"{i:032x}", "created_at": at(i)}) for i in range(1100)]
    with store._writing() as connection:
        from results import write

        for each in results:
            write.save_result(connection, each, None)
    assert [each.id for each in store.results_of(run.id)] == [each.id for each in results]


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (
            "select * from results where model = 'a' and contender = 'b' order by created_at",
            "model_contender",
        ),
        ("select * from results where case_key = 'a' and machine_id = 'b' order by created_at", "case_key"),
        ("select * from results where run_id = 'a'", "run_id"),
        ("select * from results where group_id = 'a'", "group_id"),
        ("select * from runs where plan_key = 'a' and machine_id = 'b' order by started_at desc", "plan_key"),
        ("select * from runs order by started_at desc limit 5", "started_at"),
    ],
)
def test_queries_use_an_index(store, sql, index):
    with store._reading() as connection:
        plan = " ".join(str(row[-1]) for row in connection.exec_driver_sql("explain query plan " + sql))
    assert index in plan and "TEMP B-TREE" not in plan

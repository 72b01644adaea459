"""Plans: identities of cases, groups of comparisons and suites, the plan's key, expected time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError, UsageError
from harness.judge.gate_types import ExpectedGroup, LatencyGate, ParityGate
from harness.plan.cases import case_key, plan_comparison, plan_key, plan_suite
from harness.plan.contender import parse_contender
from harness.plan.expected_time import PREPARE_S, REFERENCE_S, START_UP_S, expected_seconds
from harness.plan.suite import Exclusion, Suite, SuiteGate, SuiteModel
from harness.records import Settings, VariantRef

SETTINGS = Settings()


def compare(contenders=("ort", "openvino"), model="resnet50", batch=(1,), threads=(2,), dims=None, **rest):
    settings = rest.get("settings", SETTINGS)
    return plan_comparison(contenders, model, batch, threads, dims or {}, settings, rest.get("inputs"))


def make_suite(**overrides) -> Suite:
    fields = {
        "path": Path("s.yaml"),
        "name": "s",
        "description": "",
        "models": (SuiteModel("resnet50", "resnet50"), SuiteModel("tiny-cnn", "tiny-cnn")),
        "contenders": (parse_contender("ort"), parse_contender("torch")),
        "batch": (1, 8),
        "threads": ("auto",),
        "scenarios": ("single_stream",),
        "settings": SETTINGS,
    }
    return Suite(**{**fields, **overrides})


def test_case_key_reads_like_a_sentence():
    ref = parse_contender("ov@bf16?b=2&a=1")
    variant = VariantRef(batch=4, threads=2, dims={"seq": 128, "len": 7})
    key = case_key("bert", ref, variant, "single_stream")
    assert key == "bert | openvino@bf16?a=1&b=2 | batch 4 | len 7 | seq 128 | threads 2 | single_stream"
    assert case_key("resnet50", parse_contender("ort"), VariantRef(threads=2), "single_stream") == (
        "resnet50 | ort | batch 1 | threads 2 | single_stream"
    )


CASES = st.tuples(
    st.text(min_size=1, max_size=8, alphabet="ab |%7C\n"),
    st.sampled_from(["ort", "ort#2", "ort@fp16", "ort==1", "ort?a=1", "ort?a=2", "ort:cuda"]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.dictionaries(st.sampled_from(["seq", "seq 1", "threads", "a | b"]), st.integers(1, 3), max_size=2),
)


@given(CASES, CASES)
def test_different_cases_have_different_keys(a, b):
    keys = []
    for model, contender, batch, threads, dims in (a, b):
        variant = VariantRef(batch=batch, threads=threads, dims=dims)
        keys.append(case_key(model, parse_contender(contender), variant, "single_stream"))
    assert (keys[0] == keys[1]) == (a == b)
    assert "\n" not in keys[0]


def test_comparison_is_batches_by_threads():
    plan = compare(batch=(1, 8, 1), threads=(2, 1), dims={"z": 1, "a": 2})
    assert [(g.variant.batch, g.variant.threads) for g in plan.groups] == [(1, 2), (1, 1), (8, 2), (8, 1)]
    assert plan.groups[0].key == "resnet50 | batch 1 | a 2 | z 1 | threads 2 | single_stream"
    assert len({g.key for g in plan.groups}) == 4
    assert (plan.kind, plan.gates, plan.name) == ("compare", (), "ort vs openvino on resnet50")


def test_an_engine_may_be_compared_with_itself():
    (group,) = compare(("ort", "ort")).groups
    assert [c.text for c in group.contenders] == ["ort", "ort#2"]
    assert len(set(group.case_keys())) == 2


def test_an_onnx_file_is_called_by_its_stem(tmp_path):
    (group,) = compare(model=str(tmp_path / "net.v2.onnx")).groups
    assert group.name == "net.v2"
    assert group.model == str(tmp_path / "net.v2.onnx")
    assert group.key.startswith("net.v2 | ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"contenders": ()}, "no contender"),
        ({"contenders": ("ort", "ort@half")}, "did you mean '@fp16'"),
        ({"batch": ()}, "--batch"),
        ({"batch": (0,)}, "--batch 0"),
        ({"threads": (-1,)}, "--threads -1"),
    ],
)
def test_comparison_refuses(arguments, words):
    with pytest.raises(UsageError) as caught:
        compare(**arguments)
    assert words in str(caught.value)


def test_inputs_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        compare(inputs=tmp_path / "x.npz")
    with pytest.raises(InputError, match="not a file"):
        compare(inputs=tmp_path)


def test_key_is_the_same_for_the_same_command_and_another_for_any_other(tmp_path):
    inputs = tmp_path / "x.npz"
    inputs.write_bytes(b"one")
    plans = [
        compare(),
        compare(("openvino", "ort")),
        compare(("ort", "torch")),
        compare(("ort", "openvino@bf16")),
        compare(model="tiny-cnn"),
        compare(batch=(2,)),
        compare(threads=(1,)),
        compare(dims={"n": 1}),
        compare(settings=Settings(budget_s=44)),
        compare(settings=Settings(input_sets=("zeros",))),
        compare(inputs=inputs),
    ]
    assert len({plan.key for plan in plans}) == len(plans)
    assert compare().key == plans[0].key == compare(("onnxruntime", "ov")).key
    inputs.write_bytes(b"two")
    assert compare(inputs=inputs).key != plans[-1].key
    moved = tmp_path / "y.npz"
    moved.write_bytes(b"two")
    assert compare(inputs=moved).key == compare(inputs=inputs).key


def test_key_follows_the_bytes_of_a_model_file(tmp_path):
    model = tmp_path / "m.onnx"
    model.write_bytes(b"one")
    before = compare(model=str(model)).key
    assert compare(model=str(model)).key == before
    model.write_bytes(b"two")
    assert compare(model=str(model)).key != before


def test_key_follows_the_gates():
    plan = compare()
    gates = [(), (ParityGate(),), *[(LatencyGate(contender="ort", at_most=s),) for s in (1.0, 2.0)]]
    assert len({plan_key(plan.groups, SETTINGS, g, None) for g in gates}) == 4


def test_suite_is_the_matrix_with_auto_threads():
    plan = plan_suite(make_suite(threads=("auto", 1, 4)), 4)
    assert [(g.model, g.variant.batch, g.variant.threads) for g in plan.groups] == [
        (model, batch, threads)
        for model in ("resnet50", "tiny-cnn")
        for batch in (1, 8)
        for threads in (4, 1)
    ]
    assert plan.gates == (ParityGate(),)
    assert (plan.name, plan.kind, plan.inputs) == ("s", "suite", None)
    assert plan.expected[0] == ExpectedGroup("resnet50", 1, 4, "single_stream", ("ort", "torch"))
    assert len(plan.expected) == len(plan.groups)


@pytest.mark.parametrize(
    ("exclusion", "left"),
    [
        (Exclusion(model="tiny-cnn"), {"resnet50": ["ort torch", "ort torch"]}),
        (Exclusion(contender="torch"), {"resnet50": ["ort", "ort"], "tiny-cnn": ["ort", "ort"]}),
        (Exclusion(model="resnet50", contender="ort", batch=8),
         {"resnet50": ["ort torch", "torch"], "tiny-cnn": ["ort torch", "ort torch"]}),
        (Exclusion(threads=3), {"resnet50": ["ort torch", "ort torch"], "tiny-cnn": ["ort torch", "ort torch"]}),
        (Exclusion(threads="auto", batch=1), {"resnet50": ["ort torch"], "tiny-cnn": ["ort torch"]}),
    ],
)  # fmt: skip
def test_exclusions(exclusion, left):
    plan = plan_suite(make_suite(exclude=(exclusion,)), 2)
    found: dict[str, list[str]] = {}
    for group in plan.groups:
        found.setdefault(group.model, []).append(" ".join(c.text for c in group.contenders))
    assert found == left


def test_a_suite_that_excludes_all_is_refused():
    with pytest.raises(InputError, match="leaves no case"):
        plan_suite(make_suite(exclude=(Exclusion(threads="auto"),)), 2)


def test_parity_gate_is_there_once():
    gate = SuiteGate(LatencyGate(contender="ort", at_most=1.0), auto_threads=True)
    plan = plan_suite(make_suite(gates=(gate, SuiteGate(ParityGate()))), 3)
    assert plan.gates == (LatencyGate(contender="ort", at_most=1.0, threads=3), ParityGate())


def test_expected_time_from_constants_and_from_history():
    plan = compare(batch=(1, 8))
    first, second = plan.groups
    fresh = expected_seconds(plan)
    assert fresh.groups[0].seconds == REFERENCE_S + 2 * PREPARE_S + SETTINGS.budget_s
    assert fresh.seconds == 2 * fresh.groups[0].seconds
    known = expected_seconds(plan, {first.key: 12.5, "other": 1.0})
    assert [(g.key, g.source) for g in known.groups] == [(first.key, "history"), (second.key, "estimate")]
    assert known.seconds == 12.5 + fresh.groups[1].seconds


def test_two_trials_are_expected_even_beyond_the_budget():
    plan = compare()
    short = replace(plan, settings=Settings(budget_s=1.0))
    assert expected_seconds(short).seconds == REFERENCE_S + 2 * PREPARE_S + 2 * 2 * START_UP_S


def test_a_model_brings_the_sizes_that_are_not_given():
    def dims(plan):
        return [group.variant.dims for group in plan.groups]

    assert dims(compare(model="bert-base")) == [{"sequence": 128}]
    assert dims(compare(model="bert-base", dims={"sequence": 7})) == [{"sequence": 7}]
    assert dims(compare(model="resnet50")) == [{}]
    texts = (SuiteModel("bert-base", "bert-base"), SuiteModel("tiny-encoder", "short", {"sequence": 9}))
    suite = plan_suite(make_suite(models=texts, batch=(1,)), default_threads=1)
    assert dims(suite) == [{"sequence": 128}, {"sequence": 9}]
    assert "sequence 128" in compare(model="bert-base").groups[0].key

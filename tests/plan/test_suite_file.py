"""Suite files: what they mean, every kind of mistake with its place, and finding them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.judge.gate_types import LatencyGate, MeasuredGate, MemoryGate, ParityGate, RatioGate
from harness.plan.cases import plan_suite
from harness.plan.suite_file import find_suite, load_suite, shipped_suites
from harness.records import Settings

HEAD = "schema: 1\nname: s\nmodels: [tiny-cnn]\ncontenders: [ort, openvino]\n"


@pytest.fixture
def suite(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "s.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path | str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_suite(path)
    return caught.value.message.splitlines()


def test_defaults_are_those_of_the_record(suite):
    loaded = load_suite(suite(HEAD))
    assert loaded.settings == Settings()
    assert (loaded.batch, loaded.threads, loaded.scenarios) == ((1,), ("auto",), ("single_stream",))
    assert [m.model for m in loaded.models] == ["tiny-cnn"]
    assert [c.text for c in loaded.contenders] == ["ort", "openvino"]


def test_everything(suite, tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.onnx").write_bytes(b"x")
    loaded = load_suite(
        suite(
            """\
schema: 1
name: full
description: |
  Two lines.
models:
  - builtin: resnet50
  - nets/net.onnx
  - {path: nets/net.onnx, name: net-128, dims: {seq: 128}}
contenders: [torch, ov@bf16, ort, ort]
variants: {batch: [1, 8, 1], threads: [2, auto]}
settings:
  margin: 3%
  confidence: 0.9
  target_ci: 0.5%
  budget: 2m
  trials: {min: 5, max: 6}
  rounds_per_trial: 7
  block: 100ms
  warmup_max: 11s
  deadline: 1h
  memory_limit: 8GiB
  seed: 9
  inputs: [zeros, "normal:3"]
exclude:
  - {model: net-128, contender: openvino@bf16}
gates:
  - measured: all
  - latency: {contender: ort, percentile: p90, at_most: 80ms, model: net, batch: 8, threads: 2}
  - ratio: {of: ov@bf16, to: "ort#2", at_most: 1.1, on_unsettled: warn, threads: auto}
  - memory: {contender: torch, at_most: 2GiB}
"""
        )
    )
    net = str((tmp_path / "nets" / "net.onnx").resolve())
    assert [(m.model, m.name, dict(m.dims)) for m in loaded.models] == [
        ("resnet50", "resnet50", {}),
        (net, "net", {}),
        (net, "net-128", {"seq": 128}),
    ]
    assert loaded.description == "Two lines."
    assert [c.text for c in loaded.contenders] == ["torch", "openvino@bf16", "ort", "ort#2"]
    assert loaded.batch == (1, 8)
    assert loaded.settings == Settings(
        margin=0.03,
        confidence=0.9,
        target_ci=0.005,
        budget_s=120,
        extension_s=0.0,
        min_trials=5,
        max_trials=6,
        rounds_per_trial=7,
        block_s=0.1,
        warmup_max_s=11,
        deadline_s=3600,
        memory_limit=8 << 30,
        seed=9,
        input_sets=("zeros", "normal:3"),
    )
    assert plan_suite(loaded, 4).gates == (
        ParityGate(),
        MeasuredGate(),
        LatencyGate(contender="ort", percentile="p90", at_most=0.08, model="net", batch=8, threads=2),
        RatioGate(of="openvino@bf16", to="ort#2", at_most=1.1, on_unsettled="warn", threads=4),
        MemoryGate(contender="torch", at_most=2 << 30),
    )


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        ("settings:\n  margn: 2%\n", "6:3: settings.margn: unknown key; did you mean 'margin'?"),
        ("settings:\n  margin: 2\n", "6:3: settings.margin: a share lies between"),
        ("settings: {budget: soon}\n", "5:12: settings.budget: expected a duration"),
        ("settings: {memory_limit: lots}\n", "5:12: settings.memory_limit: expected a size"),
        ("settings: {confidence: 5%}\n", "5:12: settings.confidence: a confidence of 0.05 is below 50%; did you"),
        ("settings:\n  trials: {min: 5, max: 4}\n", "6:3: settings.trials: min (5) is above max (4)"),
        ("settings:\n  memory_limit:\n", "6:3: settings.memory_limit: there is no value"),
        ("settings: {seed: 1.5}\n", "5:12: settings.seed: expected a whole number"),
        ("settings: {inputs: [nrml:0]}\n", "5:21: settings.inputs[0]: there is no input set 'nrml:0'"),
        ("settings: [1]\n", "5:1: settings: expected keys with values"),
        ("variants: {batch: 8}\n", "5:12: variants.batch: expected a list"),
        ("variants: {batch: []}\n", "5:12: variants.batch: this list is empty"),
        ("variants: {batch: [0]}\n", "5:20: variants.batch[0]: expected 1 or more, found 0"),
        ("variants: {batch: ['1']}\n", "5:20: variants.batch[0]: expected a whole number"),
        ("variants: {threads: [all]}\n", "5:22: variants.threads[0]: expected 'auto'"),
        ("scenarios: [server]\n", "5:13: scenarios[0]: expected 'single_stream', found 'server'"),
        ("exclude: [{}]\n", "5:11: exclude[0]: an exclusion names at least one"),
        ("exclude: [{model: tiny}]\n", "5:12: exclude[0].model: 'tiny' is not a model of this suite; did you mean"),
        ("exclude: [{batch: 3}]\n", "5:12: exclude[0].batch: batch 3 is not among variants.batch (1)"),
        ("gates: [{}]\n", "5:9: gates[0]: a gate has exactly one of the keys"),
        ("gates: [parity]\n", "5:9: gates[0]: expected keys with values"),
        ("gates: [{parity: pass, measured: all}]\n", "5:9: gates[0]: a gate has exactly one of the keys"),
        ("gates: [{parity: fail}]\n", "5:10: gates[0].parity: expected 'pass', found 'fail'"),
        ("gates: [{parity: }]\n", "5:10: gates[0].parity: there is no value"),
        ("gates: [{latency: {contender: ort}}]\n", "5:10: gates[0].latency.at_most: this key is missing"),
        (
            "gates:\n  - latency:\n      contender: ort\n      at_most: 1s\n      percentile: p95\n",
            "9:7: gates[0].latency.percentile: expected 'p50', 'p90' or 'p99', found 'p95'",
        ),
        ("gates: [{ratio: {of: ort, to: ort, at_most: 1}}]\n", "5:10: gates[0].ratio: 'of' and 'to' are the same"),
        ("gates: [{ratio: {of: ort, to: torch, at_most: 1}}]\n", "5:27: gates[0].ratio.to: 'torch' is not a contender"),
        ("gates: [{ratio: {of: ort, to: ov, at_most: .inf}}]\n", "5:35: gates[0].ratio.at_most:"),
        ("gates: [{memory: {contender: ort@fp61, at_most: 1}}]\n", "did you mean '@fp16'?"),
        ("gates: [{latncy: {}}]\n", "unknown key; did you mean 'latency'?"),
        ("gates: [{latency: {contender: ort, at_most: 1, thread: 1}}]\n", "did you mean 'threads'?"),
        ("name: again\n", "5:1: name: the key is here twice; first on line 2"),
        ('"\\e[31m": 1\n', "5:1: \N{REPLACEMENT CHARACTER}[31m: unknown key"),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_stand(suite, tail, line):
    path = suite(HEAD + tail)
    found = refusal(path)
    wanted = f"{path}:{line}" if re.match(r"\d+:", line) else line
    assert any(wanted in message for message in found), found
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: s\nmodels: [tiny-cnn]\ncontenders: [ort]\n", "schema: this key is missing"),
        (HEAD.replace("schema: 1", "schema: 2"), "1:1: schema: expected 1, found 2"),
        (HEAD.replace("name: s", "name: a b"), "2:1: name: expected letters"),
        (HEAD.replace("name: s", "name: 7"), "2:1: name: expected text"),
        (HEAD.replace("name: s", "name: on"), "2:1: name: expected text; put yes, no, on"),
        (HEAD.replace("[tiny-cnn]", "[tiny-cn]"), "3:10: models[0]: there is no built-in model 'tiny-cn'; did you"),
        (HEAD.replace("[tiny-cnn]", "[gone.onnx]"), "3:10: models[0]: there is no file"),
        (HEAD.replace("[tiny-cnn]", "[{name: x}]"), "3:10: models[0]: a model has either 'path'"),
        (HEAD.replace("[tiny-cnn]", "[7]"), "3:10: models[0]: expected the name of a model"),
        (HEAD.replace("[tiny-cnn]", "[tiny-cnn, tiny-cnn]"), "3:20: models[1]: a second model called"),
        (HEAD.replace("[tiny-cnn]", "[{builtin: tiny-cnn, dims: {n: 0}}]"), "models[0].dims.n: expected 1 or more"),
        (HEAD.replace("[tiny-cnn]", "[{path: a.onnx, name: 'a|b'}]"), "models[0].name: a name has no '|'"),
        (HEAD.replace("[ort, openvino]", "[]"), "4:1: contenders: this list is empty"),
        (HEAD.replace("[ort, openvino]", "[ort@half]"), "4:14: contenders[0]: 'ort@half': unknown precision"),
        (HEAD.replace("[ort, openvino]", "[5]"), "4:14: contenders[0]: expected text"),
    ],
)  # fmt: skip
def test_mistakes_in_the_head(suite, text, line):
    found = refusal(suite(text))
    assert any(line in message for message in found), found
    assert len(found) == 1, found


def test_all_mistakes_at_once(suite):
    found = refusal(suite(HEAD + "settings: {margn: 1, budget: x}\nvariants: {batch: [a, 0]}\nextra: 1\n"))
    assert [re.search(r":\d+:\d+: ([\w.\[\]]+)", line)[1] for line in found] == [
        "settings.margn",
        "settings.budget",
        "variants.batch[0]",
        "variants.batch[1]",
        "extra",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"- a\n", "found a list"),
        (b"hello\n", "found 'hello'"),
        (b"\x00\x01", "a binary file"),
        (b"name: \xff\n", ":1: not text in UTF-8"),
        (b"a" * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_files_that_are_no_suites(tmp_path, content, words):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    (message,) = refusal(path)
    assert message.startswith(str(path))
    assert words in message


def test_no_file_a_folder_and_a_pipe(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "no.yaml")[0]
    assert "this is a folder" in refusal(tmp_path)[0]
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "not a regular file" in refusal(tmp_path / "pipe.yaml")[0]
    assert "cannot be read" in refusal("nul\0.yaml")[0]


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    assert load_suite(path).name == "s"


def test_shipped_suites_load_and_plan():
    shipped = shipped_suites()
    assert "quick" in {s.name for s in shipped}
    for entry in shipped:
        loaded = load_suite(find_suite(entry.name))
        assert loaded.name == entry.name
        assert entry.description
        plan = plan_suite(loaded, 2)
        assert plan.groups
        assert plan.gates[0] == ParityGate()


def test_finding(tmp_path, monkeypatch):
    assert find_suite("./a/b") == Path("a/b")
    assert find_suite("own.yaml") == Path("own.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="Did you mean 'quick'"):
        find_suite("quik")
    Path("mine.yaml").write_text(HEAD)
    with pytest.raises(InputError, match=re.escape("./mine.yaml")):
        find_suite("mine")

"""`harness parity`: verdicts, exit codes, inputs that are saved and given again, other references, history."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.cli.main import cli
from harness.errors import HarnessError
from harness.judge.parity_document import ContenderVerdict, ParityDocument
from results.store import open_store
from tests.cli.command import Ended, Harness, alive

TINY = ("--model", "tiny-cnn", "--threads", "1")
ONE = (*TINY, "--input-set", "normal:0", "--batch", "1")


@dataclass
class Inside:
    """Runs commands in this process, which spares each its start; `harness` has the folder and the database."""

    harness: Harness
    capsys: pytest.CaptureFixture[str]

    @property
    def folder(self) -> Path:
        return self.harness.folder

    def __call__(self, *arguments: object) -> Ended:
        try:
            code = cli.main([str(argument) for argument in arguments], standalone_mode=False)
            error = ""
        except HarnessError as problem:
            code, error = int(problem.exit_code), str(problem)
        except click.ClickException as problem:
            code, error = 2, problem.format_message()
        out, err = self.capsys.readouterr()
        return Ended(int(code), out, err + error)


@pytest.fixture
def inside(harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    monkeypatch.chdir(harness.folder)
    for name in ("HARNESS_DB", "HARNESS_CACHE"):
        monkeypatch.setenv(name, harness.environment[name])
    return Inside(harness, capsys)


def document(harness: Harness | Inside, name: str = "p.json") -> ParityDocument:
    return ParityDocument.model_validate_json((harness.folder / name).read_bytes())


def verdicts(harness: Harness | Inside) -> dict[str, ContenderVerdict]:
    return {verdict.contender: verdict for verdict in document(harness).verdicts}


def save_linear(path: Path, scale: float = 1.0, *, name: str = "y", dtype: type = np.float32) -> Path:
    """y = x @ w (times `scale`), a model [batch, 3] -> [batch, 2] of which everything is known."""
    weights = (np.arange(6).reshape(3, 2) / 7 + 0.3) * scale
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], [name])],
        "linear",
        [helper.make_tensor_value_info("x", kind, ["batch", 3])],
        [helper.make_tensor_value_info(name, kind, ["batch", 2])],
        [numpy_helper.from_array(weights.astype(dtype), "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def test_real_engines_are_right_on_every_kind_of_input(inside: Inside) -> None:
    done = inside("parity", "torch", "ort", "openvino", "openvino@bf16", *TINY, "-b", "1", "-b", "3",
                   "--json", "p.json", "--html", "p.html")  # fmt: skip
    assert done.code == 0, done.text
    told = document(inside)
    assert [check.variant.batch for check in told.record.checks] == [1] * 4 + [3] * 4
    sets = ["normal:0", "normal:1", "uniform:0", "sparse:0", "extremes:0", "extremes:1", "zeros", "ones",
            "pictures"]  # fmt: skip
    for variant in told.record.variants:
        assert [entry.name for entry in variant.input_sets] == sets
        assert variant.left_out == ()
        assert all(
            entry.shapes == {"input": (variant.variant.batch, 3, 32, 32)} for entry in variant.input_sets
        )
        assert "float64" in variant.reference
    hashes = [entry.sha256 for variant in told.record.variants for entry in variant.input_sets]
    assert len(set(hashes)) == len(hashes)
    for verdict in told.verdicts:
        assert (verdict.verdict, verdict.compared, verdict.failed) == ("pass", 18, 0)
        assert verdict.worst is not None
        assert 0 < verdict.worst.share < 1
        assert f"pass {verdict.contender} {verdict.engine_version}: 18 outputs compared" in done
    # bf16 rounds in earnest: it passes by its own budget, far outside that of fp32.
    bf16, fp32 = (told.record.checks[place].parity for place in (3, 1))
    assert bf16 and fp32
    assert min(output.ratio_rms or 0 for output in bf16.outputs) > 100
    assert max(output.ratio_rms or 0 for output in fp32.outputs) < 10
    assert told.record.checks[1].effective["threads"] == 1
    assert all(output.diagnostics for check in (bf16, fp32) for output in check.outputs)
    graph = told.record.checks[1].graph
    assert graph is not None and graph.before is not None
    assert graph.before.operators["Conv"] == 9
    assert "Is it still the right answer?" in (inside.folder / "p.html").read_text(encoding="utf-8")


FAULTS = {
    "nan": ("fail", "measured", "10 of 10 values are NaN"),
    "wrong_value": ("fail", "measured", "the yardstick's, allowed"),
    "wrong_shape": ("fail", "measured", "shape (1, 1, 10) instead of (1, 10)"),
    "missing_output": ("fail", "measured", "output logits was not returned"),
    "extra_output": ("fail", "measured", "output surplus is not in the model's signature"),
    "wrong_dtype": ("fail", "measured", "came back as float64 instead of float32"),
    "raise_infer": ("unknown", "failed", "failed in infer: "),
    "raise_load": ("unknown", "failed", "failed in load: "),
    "raise_build": ("unknown", "failed", "failed in build: "),
    "segfault": ("unknown", "crashed", "crashed in infer: the worker crashed with SIGSEGV"),
    "exit": ("unknown", "crashed", "crashed in infer: "),
    "hang": ("unknown", "timeout", "timeout in infer: "),
}
"""Fault of the fake engine -> verdict, status, and words of the reason."""


def test_every_fault_has_its_verdict_and_stops_nobody(harness: Harness) -> None:
    contenders = [f"fake?fault={fault}" for fault in FAULTS]
    done = harness("parity", *contenders, "fake", *ONE, "--deadline", "10s", "--json", "p.json", timeout=300)
    assert done.code == 1, done.text
    found = verdicts(harness)
    for fault, (verdict, status, words) in FAULTS.items():
        told = found[f"fake?fault={fault}"]
        assert (told.verdict, told.status) == (verdict, status), fault
        assert words in told.reason
        assert f"{verdict} fake?fault={fault} " in done
        assert words in done
    assert found["fake"].verdict == "pass"


@pytest.mark.parametrize("fault", ["stale", "nan"])
def test_a_caching_engine_and_a_wrong_one_are_no_pass(fault: str, inside: Inside) -> None:
    done = inside("parity", f"fake?fault={fault}", *TINY, "--input-set", "normal:0", "--input-set", "normal:1",
                   "-b", "1", "--json", "p.json")  # fmt: skip
    assert done.code == 1
    (verdict,) = document(inside).verdicts
    assert (verdict.verdict, verdict.failed) == ("fail", 2)
    (check,) = document(inside).record.checks
    assert check.parity is not None
    # The first input set is right by itself; that nothing else ever comes is what is wrong.
    assert ("does not depend on the input" in check.parity.outputs[0].reason) is (fault == "stale")


def test_nothing_that_can_be_checked(inside: Inside) -> None:
    done = inside("parity", "nosuch", "fake?fault=segfault", *ONE, "--json", "p.json")
    assert done.code == 3
    assert [verdict.verdict for verdict in document(inside).verdicts] == ["unknown", "unknown"]
    assert "unknown nosuch: unavailable in import" in done


def test_the_worst_place_is_named(inside: Inside) -> None:
    done = inside(
        "parity", "fake?fault=wrong_value", *TINY, "--input-set", "normal:0", "-b", "2", "--json", "p.json"
    )
    (verdict,) = document(inside).verdicts
    assert verdict.worst is not None
    assert (verdict.worst.output, verdict.worst.input_set) == ("logits", "normal:0")
    assert verdict.worst.index == (0, 0)
    assert verdict.worst.share > 1
    assert "output logits on normal:0 at [0, 0]" in done


def test_quiet_is_one_line_a_contender(harness: Harness) -> None:
    done = harness("parity", "fake", "fake?fault=nan", *ONE, "--quiet")
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["pass", "fake"], ["fail", "fake?fault=nan"],
    ]  # fmt: skip
    assert done.err == ""


def test_inputs_are_saved_and_give_the_same_again(inside: Inside) -> None:
    asked = ("--input-set", "normal:3", "--input-set", "extremes:1", "-b", "1", "-b", "2")
    done = inside("parity", "fake", *TINY, *asked, "--save-inputs", "in", "--json", "p.json")
    assert done.code == 0, done.text
    first = document(inside).record
    assert (inside.folder / "in" / "inputs.json").is_file()
    done = inside("parity", "fake", *TINY, "--inputs", "in", "--json", "p.json")
    assert done.code == 0, done.text
    again = document(inside).record
    for before, after in zip(first.variants, again.variants, strict=True):
        assert before.variant == after.variant
        assert [(s.name, s.sha256) for s in before.input_sets] == [
            (s.name, s.sha256) for s in after.input_sets
        ]
        assert all(entry.file for entry in after.input_sets)
    for one, two in zip(first.checks, again.checks, strict=True):
        assert one.parity is not None
        assert one.parity == two.parity
    # One batch of the folder, or one of its files.
    assert inside("parity", "fake", *TINY, "--inputs", "in", "-b", "2", "--json", "p.json").code == 0
    assert [variant.variant.batch for variant in document(inside).record.variants] == [2]
    file = "in/batch-2/normal-3.npz"
    assert inside("parity", "fake", *TINY, "--inputs", file, "--json", "p.json").code == 0
    (variant,) = document(inside).record.variants
    assert (variant.variant.batch, variant.input_sets[0].name) == (2, "normal-3.npz")
    assert variant.input_sets[0].sha256 == first.variants[1].input_sets[0].sha256


def test_another_model_says_what_is_right(inside: Inside) -> None:
    save_linear(inside.folder / "right.onnx")
    save_linear(inside.folder / "same.onnx", 1 + 2**-20)
    save_linear(inside.folder / "wrong.onnx", 1.01)
    asked = ("--input-set", "normal:0", "-b", "1", "-t", "1", "--json", "p.json")
    for name in ("right", "wrong"):  # each is right by itself
        assert inside("parity", "ort", "-m", f"{name}.onnx", *asked).code == 0
    done = inside("parity", "ort", "-m", "wrong.onnx", "--reference", "right.onnx", *asked)
    assert done.code == 1
    told = document(inside)
    assert told.record.reference_model is not None
    assert (told.record.model.name, told.record.reference_model.name) == ("wrong", "right")
    (check,) = told.record.checks
    assert check.parity is not None
    assert check.parity.outputs[0].error_rms == pytest.approx(0.01, rel=0.01)
    assert "wrong, batch 1, judged by right" in done
    # The budget of another precision holds when it is asked for.
    done = inside(
        "parity", "ort", "-m", "wrong.onnx", "--reference", "right.onnx", *asked, "--judge-as", "int8"
    )
    assert done.code == 0, done.text
    assert "budgets of int8" in done


def test_a_converted_model_may_have_narrower_floats_than_its_reference(inside: Inside) -> None:
    save_linear(inside.folder / "right.onnx")
    save_linear(inside.folder / "half.onnx", dtype=np.float16)
    done = inside("parity", "ort", "-m", "half.onnx", "--reference", "right.onnx", "--input-set", "normal:0",
                   "--batch", "1", "--json", "p.json")  # fmt: skip
    assert done.code == 0, done.text
    (check,) = document(inside).record.checks
    assert check.parity is not None
    assert 1e-5 < (check.parity.outputs[0].error_rms or 0) < 1e-2
    assert document(inside).record.judged_as == "fp16"  # its constants are float16


def save_quantised(path: Path, zero: int) -> None:
    """y = x by way of 8 bits, with a step of 1/32."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "back"], ["y"]),
    ]
    values = {"step": np.float32(1 / 32), "zero": np.int8(0), "back": np.int8(zero)}
    graph = helper.make_graph(
        nodes,
        "quantised",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 64])],
        [numpy_helper.from_array(np.array(value), name) for name, value in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def test_the_precision_asked_for_is_the_one_that_holds(inside: Inside) -> None:
    """An offset of one step is within what 8 bits may err; who knows that both files quantise alike asks for more."""
    save_quantised(inside.folder / "right.onnx", 0)
    save_quantised(inside.folder / "off.onnx", 1)
    asked = ("--reference", "right.onnx", "--input-set", "normal:0", "-b", "1", "-t", "1")
    assert inside("parity", "ort", "-m", "off.onnx", *asked).code == 0
    done = inside("parity", "ort", "-m", "off.onnx", *asked, "--judge-as", "fp32")
    assert done.code == 1, done.text
    assert inside("parity", "ort", "-m", "right.onnx", *asked, "--judge-as", "fp32").code == 0


def test_a_model_that_has_no_number_everywhere(inside: Inside) -> None:
    """A logarithm: the default sets on which the reference is not finite are left out, and said; asked ones stay."""
    graph = helper.make_graph(
        [helper.make_node("Log", ["x"], ["y"])],
        "log",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, inside.folder / "log.onnx")
    done = inside("parity", "ort", "-m", "log.onnx", "-t", "1", "--json", "p.json")
    assert done.code == 0, done.text
    variant, second = document(inside).record.variants
    assert [entry.name for entry in variant.input_sets] == ["uniform:0", "ones"]
    assert (second.variant.batch, [entry.name for entry in second.input_sets]) == (2, ["uniform:0"])
    assert {left.name for left in variant.left_out} >= {"normal:0", "zeros"}
    assert "Not judged: zeros, because the reference itself is not finite" in done
    done = inside("parity", "ort", "-m", "log.onnx", "-t", "1", "--input-set", "zeros")
    assert done.code == 1
    assert "unknown ort" in done


def test_checks_are_history(harness: Harness) -> None:
    assert harness("parity", "fake", "fake?fault=nan", *ONE).code == 1
    assert harness("parity", "fake", *ONE).code == 0
    (newest, oldest) = harness.runs()
    assert (newest.kind, newest.exit_code, newest.models) == ("parity", 0, ("tiny-cnn",))
    assert (oldest.kind, oldest.exit_code, oldest.results) == ("parity", 1, 2)
    assert oldest.contenders == ("fake", "fake?fault=nan")
    with open_store(str(harness.db), create=False) as store:
        points = store.parity_points("tiny-cnn")
        assert [(point.contender, point.parity) for point in points] == [
            ("fake", "pass"), ("fake?fault=nan", "fail"), ("fake", "pass"),
        ]  # fmt: skip
        record = store.parity_record(store.run(oldest.id))
    assert record is not None
    assert [check.contender.text for check in record.checks] == ["fake", "fake?fault=nan"]
    done = harness("history", "--model", "tiny-cnn", "--parity")
    assert done.code == 0, done.text
    assert done.out.count("pass") == 2
    assert (
        harness("history", "--model", "tiny-cnn", "--parity", "--contender", "fake?fault=nan").out.count(
            "fail"
        )
        == 1
    )
    shown = harness("report", oldest.id[:8])
    assert shown.code == 0, shown.text
    assert "10 of 10 values are NaN" in shown


def test_an_interrupted_check_keeps_what_is_done(harness: Harness) -> None:
    running = harness.start("parity", "fake", "fake?fault=hang", "fake?time_us=1", *ONE, "--json", "p.json")
    running.wait_for("[2/3] checking fake?fault=hang")
    children = running.children()
    running.signal(signal.SIGINT)
    done = running.end()
    assert done.code == 130
    assert alive(children) == []
    told = verdicts(harness)
    assert {name: verdict.verdict for name, verdict in told.items()} == {
        "fake": "pass", "fake?fault=hang": "unknown", "fake?time_us=1": "unknown",
    }  # fmt: skip
    assert "not reached before the interruption" in done
    (run,) = harness.runs()
    assert (run.status, run.results) == ("interrupted", 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fake", "-m", "nosuch"), "there is no built-in model 'nosuch'"),
        (("fake", *TINY, "--input-set", "nrmal:0"), "did you mean 'normal:SEED'?"),
        (("fake", *TINY, "--input-set", "texts"), "its pipeline 'classify' takes pictures"),
        (("fake", "-m", "linear.onnx", "--input-set", "pictures"), "the model 'linear' has none"),
        (("fake", *TINY, "--inputs", "nothing"), "--inputs nothing: there is no file or folder"),
        (("fake", *TINY, "--inputs", "x.npz", "--input-set", "zeros"), "exclude each other"),
        (("fake", *TINY, "--inputs", "x.npz", "--dim", "a=1"), "exclude each other"),
        (("fake", *TINY, "--inputs", "x.npz", "-b", "7"), "--batch 7: --inputs x.npz holds inputs of batch 2"),
        (("fake", "-m", "linear.onnx", "--inputs", "x.npz"), "holds 'input', which the model does not take"),
        (("fake", *TINY, "--save-inputs", "full"), "--save-inputs full: the folder is not empty"),
        (("fake", *TINY, "--reference", "linear.onnx"), "--reference linear.onnx cannot judge tiny-cnn"),
        (("fake", *TINY, "--reference", "gone.onnx"), "--reference gone.onnx could not be read"),
        (("fake", *TINY, "--inputs", "junk.npz"), "cannot read junk.npz: it is no .npz file"),
        (("fake", *TINY, "--dim", "x=2"), "--dim x=2: the model has no dynamic dimension"),
        (("fake", *TINY, "--json", "no/such/folder/p.json"), "cannot be written"),
        (("ort@@", *TINY), "contender 'ort@@'"),
        (TINY, "CONTENDER"),
    ],
)  # fmt: skip
def test_bad_usage(arguments: tuple[str, ...], words: str, inside: Inside) -> None:
    save_linear(inside.folder / "linear.onnx")
    np.savez(inside.folder / "x.npz", input=np.zeros((2, 3, 32, 32), np.float32))
    (inside.folder / "junk.npz").write_text("junk")
    (inside.folder / "full").mkdir()
    (inside.folder / "full" / "x").touch()
    done = inside("parity", *arguments)
    assert done.code == 2, done.text
    assert words in done


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "other"}, "it has no output y; it has the output other, which the model lacks"),
        ({"dtype": np.float64}, ""),
    ],
)
def test_references_with_another_signature(change: dict[str, object], words: str, inside: Inside) -> None:
    save_linear(inside.folder / "linear.onnx")
    save_linear(inside.folder / "other.onnx", **change)  # type: ignore[arg-type]
    done = inside(
        "parity", "ort", "-m", "linear.onnx", "--reference", "other.onnx", "--input-set", "normal:0"
    )
    assert done.code == (2 if words else 0), done.text
    assert words in done

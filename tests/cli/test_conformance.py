"""`harness conformance` as a user runs it: outcomes, guards, resuming, history, exit codes."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from harness.judge.conformance.document import ConformanceDocument
from results.store import NoDatabaseError, open_store
from tests.cli.command import Harness, alive, wait_until
from tests.cli.plugins import make_plugin
from tests.factories import make_run
from tests.judge.conformance.cases import result

ENGINE = '''
"""The evaluator, but some cases kill it, one hangs, and one poisons all that come after in the same process."""

import os, time
from backends.base import Backend, Session
from backends.contract import Artefact, Capabilities, Probe
from backends.fake_engine import FakeBackend

poisoned = []


class Brittle(FakeBackend):
    name = "brittle"
    version = "1.0"

    def probe(self):
        return Probe(True, version=os.environ.get("BRITTLE", "1.0"), devices=("cpu",), flavours={"": ""})

    def _load(self, source, artefact, variant):
        if source.name == "test_acos":
            os.abort()
        if source.name == "test_asin":
            time.sleep(600)
        if source.name == "test_acosh":
            raise NotImplementedError("no kernel for Acosh")
        if source.name == "test_asinh" and os.environ.get("BRITTLE") == "2.0":
            raise RuntimeError("asinh went wrong")
        if source.name == "test_asinh":
            poisoned.append(True)
        if source.name == "test_atan":
            assert not poisoned, "an earlier case poisoned it"
        if source.name == "test_cos":
            bytearray(16 * 2**30)
        if os.environ.get("SLOW"):
            time.sleep(float(os.environ["SLOW"]))
        return super()._load(source, artefact, variant)
'''

CASES = ("abs", "acos", "acosh", "asin", "asinh", "atan", "cos", "sin", "equal_string", "bernoulli")
CHOSEN = tuple(word for name in CASES for word in ("--case", name))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the cases are, as exporting them takes seconds."""
    folder = tmp_path_factory.mktemp("cases")
    done = Harness(folder, folder / "cache")("conformance", "ort", "--case", "abs", "--jobs", "1")
    assert done.code == 0, done.text
    assert "once" in done
    return folder / "cache"


@pytest.fixture(scope="session")
def brittle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    return make_plugin(folder, "brittle-engine", ENGINE, {"brittle": "Brittle"})


@pytest.fixture
def harness(tmp_path: Path, exported: Path, brittle: Path) -> Harness:
    return Harness(tmp_path, exported, (brittle,))


def outcomes(harness: Harness, contender: str, name: str = "c.json") -> dict[str, str]:
    document = ConformanceDocument.model_validate_json((harness.folder / name).read_bytes())
    (engine,) = (each for each in document.record.engines if each.contender.text == contender)
    return {each.case.name.removeprefix("test_"): each.outcome for each in engine.results}


def test_every_kind_of_end_is_an_outcome_and_the_counts_add_up(harness):
    done = harness("conformance", "brittle", "--jobs", 1, "--deadline", "6s", *CHOSEN, "--json", "c.json")
    assert done.code == 1
    assert outcomes(harness, "brittle") == {
        "abs": "passes",
        "acos": "crashes",
        "acosh": "unsupported",
        "asin": "times_out",
        "asinh": "passes",
        "atan": "passes",  # alone it does, whatever an earlier case left behind
        "cos": "crashes",
        "sin": "passes",
        "equal_string": "excluded",
        "bernoulli": "excluded",
    }
    document = ConformanceDocument.model_validate_json((harness.folder / "c.json").read_bytes())
    assert document.totals[0].cases == sum(document.totals[0].counts.values()) == 10
    by_name = {each.case.name: each for each in document.record.engines[0].results}
    assert by_name["test_atan"].note == "failed beside other cases, not alone"
    assert by_name["test_acos"].exit_signal == "SIGABRT"
    assert "no kernel for Acosh" in by_name["test_acosh"].reason
    for words in ("its inputs are not all numbers: string", "random numbers open", "SIGABRT", "10 cases"):
        assert words in done, words
    schema = ConformanceDocument.model_json_schema()
    Draft202012Validator(schema).validate(json.loads((harness.folder / "c.json").read_text()))


def test_real_engines_pass_what_they_have_and_carry_types_that_numpy_lacks(harness):
    cases = ("relu", "castlike_FLOAT_to_BFLOAT16", "castlike_BFLOAT16_to_FLOAT", "castlike_INT4_to_FLOAT",
             "castlike_FLOAT_to_UINT4", "castlike_FLOAT8E4M3FN_to_FLOAT", "dropout_default",
             "reduce_l1_default_axes_keepdims_example", "single_relu_model", "AvgPool1d",
             "operator_pad")  # fmt: skip
    chosen = [word for name in cases for word in ("--case", name)]
    done = harness("conformance", "ort", "openvino", "torch", *chosen, "--json", "c.json")
    assert done.code == 0, done.text
    ort, openvino = outcomes(harness, "ort"), outcomes(harness, "openvino")
    assert set(ort) == set(openvino) == set(cases)
    assert set(openvino.values()) == {"passes"}
    # Opset 6's kernels are gone from ONNX Runtime.
    assert {name for name, outcome in ort.items() if outcome != "passes"} == {"AvgPool1d"}
    assert ort["AvgPool1d"] == "unsupported"
    assert "torch: n/a: builds from torch, not from ONNX" in done


def test_a_wrong_answer_fails_with_the_size_of_its_error(harness):
    faults = ("wrong_value", "nan", "wrong_shape", "wrong_dtype", "missing_output")
    contenders = [f"fake?fault={fault}" for fault in faults]
    done = harness("conformance", *contenders, "--case", "sin", "--json", "c.json")
    assert done.code == 1 and "× what is allowed" in done
    document = ConformanceDocument.model_validate_json((harness.folder / "c.json").read_bytes())
    errors = [engine.results[0].error for engine in document.record.engines]
    assert [error and error.what for error in errors] == ["values", "values", "shape", "dtype", "missing"]
    wrong, nan = errors[:2]
    assert wrong is not None and wrong.wrong == 1 and wrong.share is not None and 100 < wrong.share < 1e9
    assert nan is not None and nan.share == float("inf")


def test_selections(harness):
    done = harness(
        "conformance", "fake", "--operator", "relu", "--opset", 14, "--kind", "node", "--json", "c.json"
    )
    assert done.code == 0
    assert outcomes(harness, "fake") == {"relu": "passes"}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--case", "test_sofmax_axis_0"), "test_softmax_axis_0"),
        (("--operator", "Convv"), "did you mean Conv"),
        (("--opset", 99), "no case fits all of"),
        (("--against", "0.0.1"), "--against 0.0.1"),
        (("--changes",), "no conformance outcomes on record"),
        (("--changes", "--opset", 13), "--changes runs nothing"),
        (("ort",), "contender ort is named twice"),
    ],
)
def test_bad_usage_is_said_before_anything_runs(harness, flags, words):
    # An empty database: what asks for history must say that there is none.
    with open_store(str(harness.db)):
        pass
    done = harness("conformance", "ort", *flags)
    assert done.code == 2 and words in done, done.text


def test_engines_that_cannot_be_asked(harness):
    assert harness("conformance", "torch", "--case", "abs").code == 3
    done = harness("conformance", "nobody", "ort==0.1", "openvino@int8", "fake", "--case", "abs", "-q")
    assert done.code == 1
    assert "0.1 was asked for" in done and "fake" in done and "does not run int8" in done


def test_a_killed_run_goes_on_where_it_stopped(harness):
    slow = Harness(harness.folder, harness.cache, harness.plugins, {"SLOW": "0.3"})
    chosen = (
        "--operator",
        "Conv",
        "--operator",
        "Relu",
        "--operator",
        "Softmax",
        "--operator",
        "Add",
        "--jobs",
        "1",
    )
    running = slow.start("conformance", "brittle", *chosen)
    wait_until(lambda: stored(harness) >= 5)
    workers = running.children()
    running.signal(signal.SIGKILL)
    running.process.wait(30)
    kept = stored(harness)
    wait_until(lambda: not alive(workers))
    done = harness("conformance", "brittle", *chosen, "--json", "c.json")
    assert f"{kept} outcomes are from the run that was cut short before" in done
    assert done.code == 0 and len(outcomes(harness, "brittle")) > kept
    assert len(harness.runs()) == 1


def stored(harness: Harness) -> int:
    """Outcomes of the newest run, as another process sees them."""
    try:
        with open_store(str(harness.db), create=False) as store:
            runs = store.runs(1)
            return sum(len(found) for _, found in store.conformance_of(runs[0].id).values()) if runs else 0
    except NoDatabaseError:
        return 0


def test_an_interrupted_run_keeps_what_it_has_and_leaves_no_process(harness):
    slow = Harness(harness.folder, harness.cache, harness.plugins, {"SLOW": "0.3"})
    running = slow.start("conformance", "brittle", "--operator", "Conv", "--jobs", "2")
    wait_until(lambda: stored(harness) >= 2)
    workers = running.children()
    running.signal(signal.SIGINT)
    begun = time.monotonic()
    ended = running.end()
    assert ended.code == 130 and "interrupted after" in ended.text
    assert time.monotonic() - begun < 20
    wait_until(lambda: not alive(workers))
    assert stored(harness) >= 2 and harness.runs()[0].status == "interrupted"


def test_what_a_release_broke(harness):
    chosen = ("--case", "asinh", "--case", "sin", "--case", "acosh")
    new = Harness(harness.folder, harness.cache, harness.plugins, {"BRITTLE": "2.0"})
    assert harness("conformance", "brittle", *chosen).code == 0
    assert harness("conformance", "brittle", "--changes").code == 2
    assert new("conformance", "brittle", *chosen, "--fail-on", "new", "--html", "c.html").code == 1
    done = harness("conformance", "brittle", "--changes", "--json", "c.json")
    assert done.code == 1
    assert "brittle 1.0 -> brittle 2.0: 1 broken, 0 fixed" in done
    assert "broken: asinh (Asinh, opset 22) passes -> fails: asinh went wrong" in done
    document = json.loads((harness.folder / "c.json").read_text())
    assert [each["direction"] for each in document["comparisons"][0]["changes"]] == ["broken"]
    # And back: named the other way round, it is fixed.
    done = harness("conformance", "brittle==1.0", "--changes", "--against", "2.0")
    assert done.code == 0 and "0 broken, 1 fixed" in done
    # The same failure again is not a new one.
    again = new("conformance", "brittle", *chosen, "--fail-on", "new", "--against", "2.0")
    assert again.code == 0, again.text
    assert "asinh" in (harness.folder / "c.html").read_text()


def test_changes_between_stored_versions_without_the_engine(harness):
    """Two releases of an engine that is not here any more, as a history would hold them."""
    with open_store(str(harness.db)) as store:
        old = [result("passes", "test_a"), result("fails", "test_b"), result("passes", "test_c")]
        new = [result("crashes", "test_a", reason="died"), *(result("passes", f"test_{c}") for c in "bc")]
        for version, found in (("1.30.0", old), ("1.31.1", new)):
            run = make_run(kind="conformance")
            store.begin_run(run)
            store.save_conformance(run.id, "trt", "trt", version, found)
            store.finish_run(run.id, "finished", 0)
    done = harness("conformance", "trt", "--changes")
    assert done.code == 1 and "trt 1.30.0 -> trt 1.31.1: 1 broken, 1 fixed" in done
    assert done.text.index("broken: a") < done.text.index("fixed: b")
    done = harness("conformance", "trt", "--from-history", "--markdown", "m.md")
    assert done.code == 1 and "trt 1.31.1 2 0 0 1 0 0 3" in done
    text = (harness.folder / "m.md").read_text()
    assert "| trt | 1.31.1 | 2 | 0 | 0 | 1 | 0 | 0 | 3 |" in text
    # Made again into a document, it takes the place of what was made before and nothing else.
    (harness.folder / "m.md").write_text(f"# Mine\n\n{text}\nEnd.\n")
    harness("conformance", "trt==1.30.0", "--from-history", "--markdown", "m.md")
    text = (harness.folder / "m.md").read_text()
    assert text.startswith("# Mine") and text.endswith("End.\n") and "1.31.1" not in text and "1.30.0" in text

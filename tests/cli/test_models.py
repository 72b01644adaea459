"""Models and inputs given as files: what cannot be used ends with exit code 2, names the file and says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.command import Harness

FAST = ("--threads", "1", "--budget", "400ms", "--max-trials", "1", "--warmup-max", "300ms")


def write_model(path: Path, shape: tuple[int | str, ...] = ("batch", 4)) -> Path:
    """Two inputs, two outputs: the sum of `left` and `right`, and its hyperbolic tangent."""
    import onnx
    from onnx import TensorProto, helper

    def value(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    nodes = [helper.make_node("Add", ["left", "right"], ["sum"]), helper.make_node("Tanh", ["sum"], ["tanh"])]
    graph = helper.make_graph(nodes, "g", [value("left"), value("right")], [value("sum"), value("tanh")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "sums.onnx")


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def rows(batch: int = 1, width: int = 4) -> Any:
    return np.random.default_rng(0).standard_normal((batch, width)).astype(np.float32)


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "truncated", "corrupt"])
def test_a_file_that_is_no_model(kind: str, harness: Harness, model: Path) -> None:
    path = harness.folder / "bad.onnx"
    whole = model.read_bytes()
    words = {
        "missing": f"there is no model file {path}",
        "folder": f"the model {path} is a folder",
        "empty": f"the model file {path} is empty",
        "text": f"{path} is not an ONNX file",
        "truncated": f"{path} is not an ONNX file, or it was cut short",
        "corrupt": str(path),
    }[kind]
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        content = {
            "empty": b"",
            "text": b"this is no model\n",
            "truncated": whole[: len(whole) // 2],
            "corrupt": whole.replace(b"Tanh", b"Frob"),
        }
        path.write_bytes(content[kind])
    done = harness("compare", "ort", "fake", "--model", path, *FAST)
    assert done.code == 2
    assert words in done
    assert done.err.count("Error: ") == 1
    assert harness.results() == {}


def test_an_unknown_model_has_suggestions(harness: Harness) -> None:
    done = harness("compare", "ort", "--model", "tinycnn", *FAST)
    assert done.code == 2
    assert "there is no built-in model 'tinycnn'" in done and "did you mean 'tiny-cnn'?" in done


def test_two_engines_on_an_onnx_file_with_seeded_inputs(harness: Harness, model: Path) -> None:
    done = harness("compare", "ort", "openvino", "--model", model, *FAST, "--batch", "3")
    assert done.code == 0, done.text
    for result in harness.results().values():
        assert result.status == "measured"
        assert result.parity is not None and result.parity.status == "pass"
        assert {output.output for output in result.parity.outputs} == {"sum", "tanh"}
        assert result.case.model.name == "sums" and result.case.model.path == str(model)
        assert set(result.inputs_sha256) == {"normal:0", "normal:1", "uniform:0", "normal:0 turned"}


def test_inputs_of_the_users_own(harness: Harness, model: Path) -> None:
    save(harness.folder / "mine.npz", left=rows(2), right=rows(2))
    flags = ("--model", model, "--inputs", "mine.npz", *FAST)
    done = harness("compare", "ort", "fake", *flags, "--batch", "2")
    assert done.code == 0, done.text
    assert {name for r in harness.results().values() for name in r.inputs_sha256} == {
        "mine.npz",
        "mine.npz turned",
    }

    done = harness("compare", "ort", "fake", *flags)
    assert done.code == 2
    assert "--inputs mine.npz: 'left' holds a batch of 2, --batch says 1 give --batch 2" in done


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"left": rows(), "wrong": rows()}, "holds 'wrong', which the model does not take"),
        ({"left": rows()}, "has no array 'right'"),
        ({"left": rows(), "right": rows().astype(np.float64)}, "is float64, the model takes float32"),
        ({"left": rows(), "right": rows(width=5)}, "has the shape [1, 5], the model takes [batch, 4]"),
        ({"left": rows(), "right": np.array([[{}] * 4], dtype=object)}, "Object arrays cannot be loaded"),
        ({}, "has no array 'left'"),
    ],
    ids=["name", "absent", "dtype", "shape", "pickled", "empty"],
)
def test_inputs_that_do_not_fit(arrays: dict[str, Any], words: str, harness: Harness, model: Path) -> None:
    save(harness.folder / "mine.npz", **arrays)
    done = harness("compare", "ort", "--model", model, "--inputs", "mine.npz", *FAST)
    assert done.code == 2
    assert words in done and "mine.npz" in done
    assert harness.results() == {}


@pytest.mark.parametrize("kind", ["missing", "folder", "text"])
def test_an_inputs_file_that_is_none(kind: str, harness: Harness, model: Path) -> None:
    path = harness.folder / "mine.npz"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("no arrays")
    done = harness("compare", "ort", "--model", model, "--inputs", "mine.npz", *FAST)
    assert done.code == 2
    assert "mine.npz" in done


def test_inputs_and_input_sets_exclude_each_other(harness: Harness, model: Path) -> None:
    save(harness.folder / "mine.npz", left=rows(), right=rows())
    flags = ("--inputs", "mine.npz", "--input-set", "zeros")
    done = harness("compare", "ort", "--model", model, *flags, *FAST)
    assert done.code == 2
    assert "--input-set zeros and --inputs mine.npz exclude each other" in done


def test_a_dynamic_dimension_needs_a_size(harness: Harness) -> None:
    model = write_model(harness.folder / "sequence.onnx", ("batch", "sequence"))
    done = harness("compare", "ort", "fake", "--model", model, *FAST)
    assert done.code == 2
    assert "dynamic dimension 'sequence' without a size pass --dim sequence=SIZE" in done

    done = harness("compare", "ort", "fake", "--model", model, *FAST, "--dim", "sequence=7")
    assert done.code == 0, done.text
    assert {r.case.variant.dims["sequence"] for r in harness.results().values()} == {7}
    assert "sequence, batch 1, sequence 7, " in done.out

    done = harness("compare", "ort", "fake", "--model", model, *FAST, "--dim", "sequnce=7")
    assert done.code == 2
    assert "--dim sequnce=7: the model has no dynamic dimension of that name" in done
    assert "its dynamic dimensions: batch, sequence" in done


def test_a_batch_that_the_model_would_ignore_is_refused(harness: Harness) -> None:
    model = write_model(harness.folder / "fixed.onnx", (1, 4))
    done = harness("compare", "ort", "fake", "--model", model, *FAST, "--batch", "8")
    assert done.code == 2
    assert "--batch 8: the model's first dimension is fixed (size 1)" in done


def test_one_bad_model_of_a_suite_does_not_stop_the_others(harness: Harness, model: Path) -> None:
    (harness.folder / "bad.onnx").write_bytes(b"")
    (harness.folder / "two.yaml").write_text(
        "schema: 1\nname: two\n"
        f"models:\n  - path: bad.onnx\n  - path: {model}\n"
        "contenders: [ort]\nvariants: {batch: [1], threads: [1]}\n"
        "settings: {budget: 1s, trials: {min: 1, max: 1}, inputs: ['normal:0']}\n"
    )
    done = harness("run", "two.yaml", "--json", "record.json")
    assert done.code == 1
    assert "bad.onnx is empty" in done
    assert harness.results()["ort"].case.model.name == "sums"
    assert harness.document().exit_code == 1


def test_a_sequence_beyond_what_the_model_takes(harness: Harness) -> None:
    done = harness("compare", "ort", "--model", "tiny-encoder", "--dim", "sequence=129", *FAST)
    assert done.code == 2
    assert "--dim sequence=129: model 'tiny-encoder' takes at most 128" in done
    assert "give a size from 1 to 128" in done
    assert harness.results() == {}


def test_an_encoder_is_measured_on_its_own_sequence_or_a_given_one(harness: Harness) -> None:
    for flags, size in ((), 32), (("--dim", "sequence=5"), 5):
        done = harness("compare", "ort", "openvino", "--model", "tiny-encoder", *FAST, *flags)
        assert done.code == 0, done.text
        results = [r for r in harness.results().values() if r.case.variant.dims == {"sequence": size}]
        assert len(results) == 2
        assert all(r.parity is not None and r.parity.status == "pass" for r in results)

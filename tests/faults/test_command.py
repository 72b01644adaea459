"""The battery from the command line: engines that go wrong in one way each, and a model that was converted wrongly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from harness.judge.parity_document import ParityDocument
from tests.cli.command import Harness
from tests.cli.conftest import engines as engines
from tests.faults.battery import FAULTS, healthy, plant

WRONG = {
    "swaps-outputs": "error is",
    "reorders-outputs": "outputs come in the order features, probabilities, logits",
    "casts-inputs": "error is",
    "ignores-batch": "error is",
    "nan-for-zeros": "values are NaN",
    "drops-out": "error is",
    "ignores-inputs": "error is",
    "stale": "error is",
}
"""Engine -> words of the reason."""


@pytest.fixture
def command(tmp_path: Path, engines: Path) -> Harness:
    onnx.save_model(healthy("vision"), tmp_path / "vision.onnx")
    return Harness(tmp_path, tmp_path / "cache", (engines,))


def told(command: Harness) -> ParityDocument:
    return ParityDocument.model_validate_json((command.folder / "told.json").read_bytes())


def test_every_faulty_engine_is_found_and_an_honest_one_is_not(command: Harness) -> None:
    done = command(
        *("parity", "honest", *WRONG, "--model", "vision.onnx", "--batch", "2", "--threads", "1"),
        *("--json", "told.json", "--quiet"),
        timeout=400,
    )
    assert done.code == 1
    verdicts = {one.contender: one for one in told(command).verdicts}
    assert verdicts["honest"].verdict == "pass", verdicts["honest"].reason
    for engine, words in WRONG.items():
        assert verdicts[engine].verdict == "fail", engine
        assert words in verdicts[engine].reason, verdicts[engine].reason


@pytest.mark.engine("openvino")
def test_a_wrongly_converted_model_fails_against_its_original_and_the_layer_is_named(
    command: Harness,
) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "wrong epsilon in one batch norm")
    onnx.save_model(plant(fault).model, command.folder / "converted.onnx")
    done = command(
        *("parity", "openvino", "--model", "converted.onnx", "--reference", "vision.onnx"),
        *(
            "--layers",
            "--reproduction",
            "folder",
            "--input-set",
            "normal:0",
            "--batch",
            "1",
            "--threads",
            "1",
        ),
        *("--json", "told.json"),
        timeout=400,
    )
    assert done.code == 1
    (check,) = told(command).record.checks
    assert check.parity is not None and check.parity.status == "fail"
    assert check.layers is not None
    (place,) = check.layers.places
    assert (place.tensor, place.operator) == ("n2", "BatchNormalization")
    assert [difference.what for difference in place.differences] == ["attribute epsilon"]
    assert "n2" in done


def quantised(path: Path, scale: float, *, plain: bool = False) -> Path:
    """Two products with 8-bit tensors between them; `plain`: the same tensors without quantisation."""
    draw = np.random.default_rng(5)
    numbers = {
        "first": draw.standard_normal((16, 16), np.float32) / 4,
        "second": draw.standard_normal((16, 4), np.float32) / 4,
        "step": np.array(8 / 255, np.float32), "wide": np.array(scale, np.float32),
        "middle": np.array(128, np.uint8),
    }  # fmt: skip
    nodes = []
    for source, name, step, weight, product in (
        ("x", "x8", "step", "first", "hidden"), ("hidden", "hidden8", "wide", "second", "y"),
    ):  # fmt: skip
        if plain:
            nodes.append(helper.make_node("Identity", [source], [name]))
        else:
            nodes.append(helper.make_node("QuantizeLinear", [source, step, "middle"], [f"{name}.whole"]))
            nodes.append(helper.make_node("DequantizeLinear", [f"{name}.whole", step, "middle"], [name]))
        nodes.append(helper.make_node("MatMul", [name, weight], [product]))
    graph = helper.make_graph(
        nodes,
        "quantised",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 16])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 4])],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )
    onnx.save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path
    )
    return path


@pytest.mark.engine("ort")
def test_a_quantised_model_is_searched_by_the_budget_that_it_is_judged_by(command: Harness) -> None:
    quantised(command.folder / "original.onnx", 8 / 255, plain=True)
    # A step so fine that most of what comes is beyond the range: far more than quantisation explains.
    quantised(command.folder / "converted.onnx", 1 / 255)
    done = command(
        *("parity", "ort", "--model", "converted.onnx", "--reference", "original.onnx"),
        *(
            "--layers",
            "--reproduction",
            "folder",
            "--input-set",
            "normal:0",
            "--batch",
            "1",
            "--threads",
            "1",
        ),
        *("--json", "told.json"),
        timeout=400,
    )
    assert done.code == 1
    document = told(command)
    assert document.record.judged_as == "int8"
    (check,) = document.record.checks
    assert check.layers is not None
    (place,) = check.layers.places
    assert place.tensor == "hidden8", place.words  # not x8, where float32's budget would be left

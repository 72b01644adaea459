"""The battery from the command line: engines that go wrong in one way each, and a model that was converted wrongly."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

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
        *("--layers", "--reproduction", "folder", "--input-set", "normal:0", "--threads", "1"),
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

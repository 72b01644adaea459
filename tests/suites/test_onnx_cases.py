"""The export of ONNX's test cases: complete, the same every time, and as onnx's own runner would have it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backends.dtypes import dtype_of
from suites import onnx_cases
from suites.onnx_case_writer import array_of


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        answer, _ = onnx_cases.export({}, {})
        again, _ = onnx_cases.export({}, {})
    assert answer == again
    return Path(answer["folder"])


@pytest.fixture(scope="module")
def index(exported):
    return {entry["name"]: entry for entry in json.loads((exported / onnx_cases.INDEX).read_text())}


def read(exported, place):
    with (exported / onnx_cases.TENSORS).open("rb") as file:
        file.seek(place["offset"])
        data = np.frombuffer(file.read(place["bytes"]), dtype=dtype_of(place["dtype"]))
    return data.reshape(place["shape"])


def model(exported, entry):
    import onnx

    with (exported / onnx_cases.MODELS).open("rb") as file:
        file.seek(entry["model"]["offset"])
        return onnx.load_model_from_string(file.read(entry["model"]["bytes"]))


def test_every_case_of_onnx_is_there_once(index):
    from onnx.backend.test.loader import load_model_tests

    kinds = {"node": "node", "simple": "simple", "pytorch-converted": "pytorch-converted",
             "pytorch-operator": "pytorch-operator", "light": "real"}  # fmt: skip
    assert tuple(kinds) == onnx_cases.KINDS
    for kind, theirs in kinds.items():
        names = {case.name for case in load_model_tests(kind=theirs)}
        assert {name for name, entry in index.items() if entry["kind"] == kind} == names


def test_what_is_not_carried_has_a_reason_and_nothing_else(index):
    for entry in index.values():
        uncarried = any(word in entry["reason"] for word in ("string", "sequence", "optional"))
        assert bool(entry["reason"]) == uncarried == ("model" not in entry)
    assert sum(bool(entry["reason"]) for entry in index.values()) < 0.04 * len(index)


def test_content_is_that_of_onnx(exported, index):
    from onnx.backend.test.loader import load_model_tests

    for case in load_model_tests(kind="node")[::97]:
        entry = index[case.name]
        if entry["reason"]:
            continue
        assert model(exported, entry) == case.model
        for given, (inputs, outputs) in zip(entry["data_sets"], case.data_sets, strict=True):
            for places, arrays in ((given["inputs"], inputs), (given["outputs"], outputs)):
                for place, array in zip(places, arrays, strict=True):
                    right = np.asarray(array_of(array))
                    found = read(exported, place)
                    assert (found.dtype, found.shape) == (right.dtype, right.shape)
                    assert found.tobytes() == right.tobytes()


def test_folders_and_light_models_are_read_as_the_runner_does(exported, index):
    light = index["test_squeezenet"]
    (data,) = light["data_sets"]
    picture = read(exported, data["inputs"][0])
    assert picture.shape == (1, 3, 224, 224) and picture.reshape(-1)[-1] == np.float32(1 - 1 / picture.size)
    assert read(exported, data["outputs"][0]).size == 1000
    assert [spec["name"] for spec in light["inputs"]] == ["data_0"]
    converted = index["test_Conv2d"]
    assert converted["operator"] == "Conv" and len(converted["inputs"]) == 1
    assert read(exported, converted["data_sets"][0]["inputs"][0]).dtype == np.float32


def test_facts_of_cases(index):
    assert (index["test_abs"]["operator"], index["test_abs"]["opset"]) == ("Abs", 13)
    assert index["test_celu_expanded"]["operator"] == "Celu"
    assert index["test_ai_onnx_ml_binarizer"]["operator"] == "ai.onnx.ml:Binarizer"
    assert (
        index["test_ai_onnx_ml_binarizer"]["opset"]
        == index["test_ai_onnx_ml_binarizer"]["domains"]["ai.onnx.ml"]
    )
    assert index["test_castlike_FLOAT_to_BFLOAT16"]["dtypes"] == ["bfloat16", "float32"]
    assert {name for name, entry in index.items() if entry["random"]} == {
        *(f"test_bernoulli{seed}{expanded}" for seed in ("", "_seed", "_double") for expanded in ("", "_expanded")),
        *(f"test_training_dropout{which}" for which in ("", "_mask", "_default", "_default_mask")),
    }  # fmt: skip
    assert len({entry["sha256"] for entry in index.values()}) == len(index)

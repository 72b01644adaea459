"""Input sets of real pictures and texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from suites.catalogue import BUILTINS
from suites.errors import ModelError
from suites.pipelines.catalogue import PIPELINES
from suites.pipelines.classify import make as make_classify
from suites.sample_inputs import check_samples, sample_inputs


def made(model: str, pipeline: str, batch: int, dims: dict[str, int] | None = None) -> tuple[Any, Any]:
    builtin = BUILTINS[model]
    asked = {
        "pipeline": pipeline,
        "inputs": [spec.to_json() for spec in builtin.inputs],
        "outputs": [spec.to_json() for spec in builtin.outputs],
        "dims": dims or dict(builtin.dims),
        "batch": batch,
    }
    return sample_inputs(asked, {})


def test_pictures_are_the_shipped_ones_in_turn() -> None:
    answer, arrays = made("tiny-cnn", "classify", 3)
    assert answer["items"] == ["coffee.jpg", "cat.jpg", "coffee.jpg"]
    assert "pillow" in answer["implementation"]
    image = arrays["input"]
    assert (image.shape, image.dtype) == ((3, 3, 32, 32), np.float32)
    assert np.array_equal(image[0], image[2])
    assert not np.array_equal(image[0], image[1])
    tiny = BUILTINS["tiny-cnn"]
    own = make_classify("pillow", tiny.inputs, tiny.outputs, {})
    right = own.preprocess([path.read_bytes() for path in PIPELINES["classify"].samples])
    assert np.array_equal(image[:2], right["input"])


def test_an_implementation_can_be_named() -> None:
    answer, other = made("tiny-cnn", "classify:opencv", 1)
    assert "opencv" in answer["implementation"]
    assert not np.array_equal(other["input"], made("tiny-cnn", "classify", 1)[1]["input"])


def test_texts_are_tokens_with_their_mask() -> None:
    _, arrays = made("tiny-encoder", "embed", 2, {"sequence": 16})
    assert list(arrays) == ["input_ids", "attention_mask", "token_type_ids"]
    assert all(array.shape == (2, 16) and array.dtype == np.int64 for array in arrays.values())
    assert (np.diff(arrays["attention_mask"]) <= 0).all()
    assert len(np.unique(arrays["input_ids"])) > 10


@pytest.mark.parametrize(
    ("kind", "pipeline", "words"),
    [
        ("pictures", "", "needs a pipeline, and the model 'm' has none"),
        ("pictures", "none", "needs a pipeline, and the model 'm' has none"),
        ("pictures", "embed", "its pipeline 'embed' takes texts"),
        ("texts", "classify:opencv", "its pipeline 'classify' takes pictures"),
        ("texts", "nosuch", "there is no pipeline 'nosuch'"),
    ],
)
def test_a_pipeline_that_does_not_fit(kind: str, pipeline: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        check_samples(kind, pipeline, "m")


@pytest.mark.parametrize("name", [name for name, model in BUILTINS.items() if model.pipeline])
def test_every_builtin_pipeline_takes_what_its_name_says(name: str) -> None:
    pipeline = BUILTINS[name].pipeline
    check_samples(PIPELINES[pipeline].takes, pipeline, name)
    suffixes = {path.suffix for path in PIPELINES[pipeline].samples}
    assert suffixes <= ({".jpg", ".png"} if PIPELINES[pipeline].takes == "pictures" else {".txt"})
    assert suffixes

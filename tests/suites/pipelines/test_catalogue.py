"""Pipelines are found by name, come with samples, and belong to models that they fit."""

from __future__ import annotations

import subprocess
import sys

import pytest

from suites.catalogue import BUILTINS
from suites.errors import ModelError
from suites.pipelines.catalogue import PIPELINES, SAMPLES, pipeline
from tests.suites.pipelines.kit import make


@pytest.mark.parametrize("name", BUILTINS)
def test_every_model_has_a_pipeline_that_takes_and_gives_what_it_does(name: str) -> None:
    import numpy as np

    model = BUILTINS[name]
    spec = pipeline(model.pipeline)
    items = [path.read_bytes() for path in spec.samples]
    for implementation in spec.implementations:
        chosen = make(spec.name, implementation, name)
        feeds = chosen.preprocess(items)
        assert list(feeds) == [spec.name for spec in model.inputs]
        for tensor in model.inputs:
            array = feeds[tensor.name]
            assert array.shape == tensor.concrete(len(items), model.dims)
            assert (array.dtype.name, array.flags.c_contiguous) == (tensor.dtype, True)
            low, high = model.value_range.get(tensor.name, (-10, 10))
            assert low <= array.min() <= array.max() < high
        (output,) = model.outputs
        rng = np.random.default_rng(0)
        found = rng.random(output.concrete(len(items), model.dims), dtype=np.float32)
        assert len(chosen.postprocess({output.name: found})) == len(items)
        assert set(chosen.implementation) == {"preprocess", "postprocess"}
        assert all("numpy" in text for text in chosen.implementation.values())


@pytest.mark.parametrize("name", PIPELINES)
def test_samples_are_shipped_and_described(name: str) -> None:
    described = (SAMPLES / "README.md").read_text()
    for path in pipeline(name).samples:
        assert path.is_absolute() and 0 < path.stat().st_size < 100_000
        assert f"`{path.name}`" in described


def test_a_misspelt_name_gets_a_guess() -> None:
    with pytest.raises(ModelError, match="there is no pipeline 'clasify'") as caught:
        pipeline("clasify")
    assert "did you mean 'classify'?" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "model"), [("classify", "tiny-cnn"), ("detect", "tiny-detector"), ("embed", "tiny-encoder")]
)
def test_an_unknown_implementation_gets_the_list(name: str, model: str) -> None:
    with pytest.raises(ModelError, match=f"'{name}' has no implementation 'magick'") as caught:
        make(name, "magick", model)
    assert all(known in caught.value.hint for known in pipeline(name).implementations)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("classify", "tiny-encoder"),
        ("classify", "tiny-detector"),
        ("detect", "tiny-cnn"),
        ("detect", "tiny-encoder"),
        ("embed", "tiny-cnn"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(name: str, model: str) -> None:
    with pytest.raises(ModelError, match=f"the pipeline '{name}' does not fit") as caught:
        make(name, pipeline(name).implementations[0], model)
    assert "it takes" in caught.value.hint


@pytest.mark.parametrize(
    ("module", "name", "implementation", "model", "extra"),
    [
        ("PIL", "classify", "pillow", "tiny-cnn", "vision"),
        ("cv2", "detect", "opencv", "tiny-detector", "vision"),
        ("tokenizers", "embed", "tokenizers", "tiny-encoder", "text"),
    ],
)
def test_a_missing_library_is_named_with_the_command(
    module: str, name: str, implementation: str, model: str, extra: str
) -> None:
    script = f"""
import sys
sys.modules[{module!r}] = None
from suites.errors import ModelError
import importlib
from suites.catalogue import builtin
from suites.pipelines.catalogue import pipeline
model = builtin({model!r})
place = importlib.import_module(pipeline({name!r}).factory.partition(":")[0])
try:
    place.make({implementation!r}, model.inputs, model.outputs, model.dims)
except ModelError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert f"the pipeline '{name}' needs" in found
    assert f"pip install 'inference-harness[{extra}]'" in found


def test_the_catalogue_loads_no_library() -> None:
    script = (
        "import sys, suites.pipelines.catalogue;"
        "print(sorted({'PIL', 'cv2', 'tokenizers', 'suites.pipelines.embed'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

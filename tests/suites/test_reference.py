"""The reference is right: torch and the ONNX evaluator agree, in true float64."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from backends.contract import ModelSource, TensorSpec
from suites.catalogue import builtin
from suites.errors import ModelError
from suites.inputs import make_inputs
from tests.suites.asking import ask, relative

pytestmark = pytest.mark.engine("torch")


@pytest.fixture(scope="module")
def tiny(exported: dict[str, Any]) -> ModelSource:
    return builtin("tiny-cnn").source(exported)


@pytest.fixture(scope="module")
def unfolded(tiny: ModelSource, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    """tiny-cnn as ONNX only, its batch norms not folded: the very weights of the torch module."""
    import torch

    from suites.models.tiny_cnn import build

    path = tmp_path_factory.mktemp("unfolded") / "m.onnx"
    program = torch.onnx.export(
        build(tiny.weights_path),
        (torch.zeros(2, 3, 32, 32),),
        input_names=["input"],
        output_names=["logits"],
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        optimize=False,
        verbose=False,
    )
    onnx.save_model(program.model_proto, path)
    return replace(tiny, torch_factory=None, weights_path=None, onnx_path=path)


def test_sources_survive_json(tiny: ModelSource) -> None:
    assert ModelSource.from_json(json.loads(json.dumps(tiny.to_json()))) == tiny
    bare = ModelSource("m", "0", (), ())
    assert ModelSource.from_json(bare.to_json()) == bare


def test_torch_gives_both_precisions(tiny: ModelSource) -> None:
    import torch

    feeds = make_inputs(tiny.inputs, "normal:0", 3)
    version = torch.__version__.partition("+")[0]
    description, exact = ask(tiny, "float64", feeds, threads=2)
    assert description == f"torch {version} float64"
    assert torch.get_num_threads() == 2
    assert (exact["logits"].dtype, exact["logits"].shape) == (np.float64, (3, 10))
    description, yardstick = ask(tiny, "float32", feeds)
    assert description == f"torch {version} float32"
    assert torch.get_num_threads() == 1
    assert yardstick["logits"].dtype == np.float32
    assert 1e-8 < relative(yardstick["logits"], exact["logits"]) < 1e-5


@pytest.mark.parametrize("set_name", ["normal:0", "uniform:1", "zeros"])
def test_the_evaluator_agrees_with_torch_in_float64(
    tiny: ModelSource, unfolded: ModelSource, set_name: str
) -> None:
    feeds = make_inputs(tiny.inputs, set_name, 2)
    _, right = ask(tiny, "float64", feeds)
    description, found = ask(unfolded, "float64", feeds)
    assert description == f"onnx {onnx.__version__} reference evaluator float64"
    assert found["logits"].dtype == np.float64
    # Not 1e-15: ONNX keeps a batch norm's epsilon as float32.
    assert relative(found["logits"], right["logits"]) < 1e-11


def test_the_evaluator_in_float32_is_a_yardstick(tiny: ModelSource, unfolded: ModelSource) -> None:
    feeds = make_inputs(tiny.inputs, "normal:0", 2)
    _, right = ask(tiny, "float64", feeds)
    description, found = ask(unfolded, "float32", feeds)
    assert description == f"onnx {onnx.__version__} reference evaluator float32"
    assert found["logits"].dtype == np.float32
    assert 1e-8 < relative(found["logits"], right["logits"]) < 1e-5


def test_folding_batch_norms_costs_less_than_the_yardsticks_error(tiny: ModelSource) -> None:
    feeds = make_inputs(tiny.inputs, "normal:0", 8)
    _, right = ask(tiny, "float64", feeds)
    _, yardstick = ask(tiny, "float32", feeds)
    _, folded = ask(replace(tiny, torch_factory=None), "float64", feeds)
    unit = relative(yardstick["logits"], right["logits"])
    assert 0 < relative(folded["logits"], right["logits"]) < unit


@pytest.mark.slow
def test_resnet50_in_float32_is_close_to_float64(resnet50: Any, tmp_path: Path) -> None:
    from suites.weights import save_weights

    save_weights(resnet50, tmp_path / "weights.npz")
    model = builtin("resnet50")
    source = ModelSource(
        "resnet50", "0", model.inputs, model.outputs, None, model.factory, tmp_path / "weights.npz"
    )
    feeds = make_inputs(model.inputs, "normal:0", 1)
    _, right = ask(source, "float64", feeds, threads=2)
    _, yardstick = ask(source, "float32", feeds, threads=2)
    assert 1e-7 < relative(yardstick["logits"], right["logits"]) < 1e-5


def test_an_unknown_precision_is_refused(tiny: ModelSource) -> None:
    with pytest.raises(ModelError, match="no reference in 'float16'"):
        ask(tiny, "float16", make_inputs(tiny.inputs, "zeros"))


def test_a_missing_input_is_named(tiny: ModelSource) -> None:
    with pytest.raises(ModelError, match="'tiny-cnn' lacks the inputs input"):
        ask(tiny, "float64", {})


def test_a_model_in_no_form_is_refused(tiny: ModelSource) -> None:
    with pytest.raises(ModelError, match="neither an ONNX file nor a torch module"):
        ask(replace(tiny, onnx_path=None, torch_factory=None), "float64", make_inputs(tiny.inputs, "zeros"))


def test_another_number_of_outputs_is_refused(tiny: ModelSource) -> None:
    extra = (*tiny.outputs, TensorSpec("more", "float32", ("batch", 1)))
    with pytest.raises(ModelError, match="gives 1 outputs, 2 are declared"):
        ask(replace(tiny, outputs=extra), "float64", make_inputs(tiny.inputs, "zeros"))

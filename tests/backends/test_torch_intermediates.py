"""Values of tensors inside torch modules: against the ONNX reference evaluator, which shares nothing with torch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.base import Backend
from backends.catalogue import load_adapter
from backends.conformance.models import MODELS
from backends.contract import Array, Artefact, ContractError, Feeds, ModelSource, UnsupportedError, Variant
from backends.intermediates import read_tensors
from suites.catalogue import builtin
from suites.evaluator import evaluate
from suites.export import export
from suites.inputs import make_inputs
from suites.onnx_precision import set_precision

FLOAT32, BFLOAT16 = 3e-6, 2e-2
"""Relative error (root mean square) by rounding: some ten roundings deep, and in a format of 8 bits."""


@pytest.fixture(scope="module")
def torch() -> Backend:
    return load_adapter("torch")


class Opened:
    """A built-in model with inputs, as an adapter is asked about it."""

    def __init__(self, name: str, **more: Any) -> None:
        model = builtin(name)
        self.source: ModelSource = model.source(export({"name": name}, {})[0])
        self.feeds = make_inputs(self.source.inputs, "normal:0", 1, model.dims, model.value_range)
        self.variant = Variant(**({"threads": 1} | more))

    def ask(self, backend: Backend, folder: Path) -> tuple[ModelSource, Artefact, Variant, Feeds]:
        return self.source, backend.build(self.source, self.variant, folder), self.variant, self.feeds

    def onnx_tensors(self) -> list[str]:
        import onnx

        return [name for node in onnx.load_model(self.source.onnx_path).graph.node for name in node.output]

    def right(self, tensors: tuple[str, ...]) -> dict[str, Array]:
        import onnx

        model = onnx.load_model(self.source.onnx_path)
        set_precision(model, "float64")
        wide = {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in self.feeds.items()}
        return dict(zip(tensors, evaluate(model, "model", tensors, wide, exact=True), strict=True))


def off(actual: Array, right: Array) -> float:
    assert actual.shape == right.shape
    error = np.sqrt(np.mean(np.square(actual.astype(np.float64) - right)))
    return float(error / (np.sqrt(np.mean(np.square(right.astype(np.float64)))) or 1.0))


@pytest.mark.engine("torch")
@pytest.mark.parametrize(
    ("name", "more", "allowed"),
    [
        ("tiny-cnn", {}, FLOAT32),
        ("tiny-encoder", {}, FLOAT32),
        ("tiny-detector", {}, FLOAT32),
        ("tiny-cnn", {"options": {"memory_format": "channels_last"}}, FLOAT32),
        pytest.param("resnet50", {}, 1e-5, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_every_tensor_that_torch_computes_is_named_and_right(
    torch: Backend, name: str, more: dict[str, Any], allowed: float, tmp_path: Path
) -> None:
    opened = Opened(name, **more)
    asked = opened.ask(torch, tmp_path)
    tensors = torch.intermediate_tensors(*asked)
    # Numbered tensors are the exporter's own steps inside one operator of torch.
    assert tensors == tuple(t for t in opened.onnx_tensors() if not re.fullmatch(r"val_\d+", t))
    values = torch.intermediates(*asked, tensors)
    assert tuple(values) == tensors
    right = opened.right(tensors)
    assert {t: off(values[t], right[t]) for t in tensors if off(values[t], right[t]) > allowed} == {}
    # A tensor named by mistake would be as far off as its neighbour is.
    assert max(off(values[t], right[t]) for t in tensors) > 0

    session = torch.load(*asked[:3])
    session.prepare(opened.feeds)
    session.infer()
    for output, value in session.download().items():
        assert np.array_equal(values[output], value)
    session.close()


@pytest.mark.engine("torch")
def test_tensors_come_in_the_asked_order_and_strangers_are_left_out(torch: Backend, tmp_path: Path) -> None:
    asked = Opened("tiny-cnn").ask(torch, tmp_path)
    values = torch.intermediates(*asked, ["relu_1", "nothing", "getitem", "relu_1"])
    assert list(values) == ["relu_1", "getitem"]
    assert all(value.flags.owndata and value.dtype == np.float32 for value in values.values())
    assert torch.intermediates(*asked, []) == {}


@pytest.mark.engine("torch")
def test_other_inputs_give_other_values(torch: Backend, tmp_path: Path) -> None:
    opened = Opened("tiny-cnn")
    source, artefact, variant, feeds = opened.ask(torch, tmp_path)
    first = torch.intermediates(source, artefact, variant, feeds, ["relu"])["relu"]
    opened.feeds = {name: -value for name, value in feeds.items()}
    second = torch.intermediates(source, artefact, variant, opened.feeds, ["relu"])["relu"]
    assert off(second, opened.right(("relu",))["relu"]) < FLOAT32
    assert not np.array_equal(first, second)


@pytest.mark.engine("torch")
def test_a_part_alone_computes_the_same_and_can_be_repeated_without_us(
    torch: Backend, tmp_path: Path
) -> None:
    opened = Opened("tiny-cnn", precision="bf16")
    asked = opened.ask(torch, tmp_path)
    tensors = torch.intermediate_tensors(*asked)
    values = {**opened.feeds, **torch.intermediates(*asked, tensors)}
    right = opened.right(tensors)
    assert {
        name: off(values[name], right[name]) for name in tensors if off(values[name], right[name]) > BFLOAT16
    } == {}
    for place, target in enumerate(tensors):
        before = {name: values[name] for name in (*opened.feeds, *tensors[:place])}
        assert np.array_equal(torch.run_part(*asked, before, target, tmp_path), values[target])
    assert np.array_equal(torch.run_part(*asked, opened.feeds, "logits", tmp_path), values["logits"])

    (tmp_path / "engine.py").write_text(torch.reproduction(opened.variant))
    np.savez(tmp_path / "inputs.npz", **opened.feeds)  # type: ignore[arg-type]
    script = (
        "import numpy, runpy, sys; run = runpy.run_path('engine.py')['run'];"
        " given = dict(numpy.load('inputs.npz'));"
        " numpy.save('logits.npy', run('model.onnx', given, {'threads': 1})['logits']);"
        " print(*[name for name in ('backends', 'harness', 'suites', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ""
    assert np.array_equal(np.load(tmp_path / "logits.npy"), values["logits"])


@pytest.mark.engine("torch")
def test_a_part_that_lacks_an_input_says_so(torch: Backend, tmp_path: Path) -> None:
    asked = Opened("tiny-cnn").ask(torch, tmp_path)
    with pytest.raises(UnsupportedError, match="the part that makes 'relu' needs the input"):
        torch.run_part(*asked, {}, "relu", tmp_path)
    with pytest.raises(UnsupportedError, match="torch has no tensor 'nothing'"):
        torch.run_part(*asked, {}, "nothing", tmp_path)


@pytest.mark.engine("torch")
def test_an_engine_that_builds_from_onnx_is_no_source_of_tensors(tmp_path: Path) -> None:
    backend = load_adapter("ort")
    with pytest.raises(UnsupportedError, match="ort gives no values of intermediate tensors"):
        backend.intermediates(*Opened("tiny-cnn").ask(backend, tmp_path), ["relu"])


@pytest.mark.engine("torch")
def test_inputs_and_files_that_do_not_fit_are_refused(torch: Backend, tmp_path: Path) -> None:
    source, artefact, variant, _feeds = Opened("tiny-cnn").ask(torch, tmp_path)
    with pytest.raises(ContractError, match="missing"):
        torch.intermediates(source, artefact, variant, {}, ["relu"])
    kit = MODELS["mlp"]
    foreign = kit.source(tmp_path)
    with pytest.raises(UnsupportedError, match=r"mlp\.onnx is not what this version of torch exports"):
        torch.intermediates(foreign, artefact, variant, kit.feeds(0, batch=2), ["hidden"])


class Reader:
    """An adapter's reader that promises more than it gives."""

    tensors = ("here", "promised", "words")

    def run_part(self, given: Any, target: str, folder: Path) -> Any:
        raise NotImplementedError

    def read(self, tensors: Any) -> dict[str, Any]:
        return {"here": np.ones(2), "words": np.array(["one"])}


def test_an_adapter_that_gives_less_than_it_promised_is_caught() -> None:
    assert list(read_tensors(Reader(), ["other", "here"], "odd")) == ["here"]
    with pytest.raises(ContractError, match="odd says that it has the tensors promised, and gave none"):
        read_tensors(Reader(), ["here", "promised"], "odd")
    with pytest.raises(ContractError, match="'words' of odd came back as no array of numbers"):
        read_tensors(Reader(), ["words"], "odd")

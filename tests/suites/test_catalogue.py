"""What the catalogue says of a model is what the model is."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from suites.catalogue import BUILTINS, BuiltinModel, builtin
from suites.errors import ModelError


def make(model: BuiltinModel) -> Any:
    module, _, attribute = model.factory.partition(":")
    return getattr(importlib.import_module(module), attribute)(None)


def count_macs(module: Any, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of convolutions and linear layers, seen at run time."""
    import torch
    from torch import nn

    total = 0

    def count(layer: Any, _inputs: Any, output: Any) -> None:
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        module(torch.zeros(shape))
    return total


def resnet50_by_hand() -> tuple[int, int]:
    """Parameters and multiply-accumulates from the table in the paper, stride in the 3x3."""
    parameters, macs = 0, 0

    def conv(size: int, inputs: int, outputs: int, kernel: int) -> None:
        nonlocal parameters, macs
        weights = inputs * outputs * kernel**2
        parameters += weights + 2 * outputs
        macs += weights * size**2

    conv(112, 3, 64, 7)
    inputs = 64
    for size, width, blocks in ((56, 64, 3), (28, 128, 4), (14, 256, 6), (7, 512, 3)):
        for block in range(blocks):
            before = size * 2 if block == 0 and width > 64 else size
            conv(before, inputs, width, 1)
            conv(size, width, width, 3)
            conv(size, width, 4 * width, 1)
            if block == 0:
                conv(size, inputs, 4 * width, 1)
            inputs = 4 * width
    return parameters + 2048 * 1000 + 1000, macs + 2048 * 1000


def test_resnet50_has_the_published_size() -> None:
    model = builtin("resnet50")
    assert resnet50_by_hand() == (model.parameters, model.macs)
    assert model.parameters == 25_557_032
    assert round(model.macs / 1e9, 2) == 4.09


@pytest.mark.engine("torch")
@pytest.mark.parametrize("name", BUILTINS)
def test_the_module_is_what_the_catalogue_says(name: str) -> None:
    import torch

    model = builtin(name)
    module = make(model)
    assert sum(parameter.numel() for parameter in module.parameters()) == model.parameters
    assert count_macs(module, model.inputs[0].concrete(1)) == model.macs
    assert not module.training
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    with torch.no_grad():
        answer = module(torch.zeros(model.inputs[0].concrete(3)))
    assert tuple(answer.shape) == model.outputs[0].concrete(3)


def test_tiny_cnn_is_tiny() -> None:
    assert builtin("tiny-cnn").parameters < 100_000


@pytest.mark.parametrize(("typo", "meant"), [("resnet5", "resnet50"), ("Tiny_CNN", "tiny-cnn")])
def test_a_misspelt_name_gets_a_guess(typo: str, meant: str) -> None:
    with pytest.raises(ModelError) as caught:
        builtin(typo)
    assert repr(typo) in caught.value.message
    assert f"did you mean {meant!r}?" in caught.value.hint


def test_an_unknown_name_gets_the_list() -> None:
    with pytest.raises(ModelError, match="no built-in model 'zzz'") as caught:
        builtin("zzz")
    assert "did you mean" not in caught.value.hint
    assert all(name in caught.value.hint for name in BUILTINS)


def test_source_carries_the_export() -> None:
    model = builtin("tiny-cnn")
    source = model.source({"sha256": "abc", "onnx": "/x/model.onnx", "weights": "/x/weights.npz"})
    assert (source.onnx_path, source.weights_path) == (Path("/x/model.onnx"), Path("/x/weights.npz"))
    assert (source.sha256, source.torch_factory) == ("abc", model.factory)
    assert (source.inputs, source.outputs) == (model.inputs, model.outputs)


def test_importing_the_room_imports_no_engine() -> None:
    modules = sorted(
        ".".join(path.with_suffix("").parts[-2 if path.parent.name == "suites" else -3 :])
        for path in Path(importlib.import_module("suites").__path__[0]).rglob("*.py")
        if path.stem != "__init__"
    )
    assert "suites.models.resnet50" in modules
    script = f"import sys, {', '.join(modules)}; print([m for m in ('torch', 'onnx', 'harness') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_catalogue_needs_no_third_party_package_but_numpy() -> None:
    script = (
        "import sys; before = set(sys.modules); import suites.catalogue;"
        "tops = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(tops - set(sys.stdlib_module_names) - {'numpy', 'suites', 'backends'}))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

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


def zeros(model: BuiltinModel, batch: int) -> list[Any]:
    import torch

    return [
        torch.zeros(spec.concrete(batch, model.dims), dtype=getattr(torch, spec.dtype))
        for spec in model.inputs
    ]


def count_macs(module: Any, model: BuiltinModel) -> int:
    """Multiply-accumulates of one inference, as torch counts them from the operators that run."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(*zeros(model, 1))
    return int(counter.get_total_flops()) // 2


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


def mobilenetv2_by_hand() -> tuple[int, int]:
    """Parameters and multiply-accumulates from table 2 of the paper."""
    parameters, macs = 0, 0

    def conv(size: int, weights: int, outputs: int) -> None:
        nonlocal parameters, macs
        parameters += weights + 2 * outputs
        macs += weights * size**2

    conv(112, 3 * 32 * 9, 32)
    size, inputs = 112, 32
    for t, c, n, s in [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]:
        for block in range(n):
            if t > 1:
                conv(size, inputs * t * inputs, t * inputs)
            size //= s if block == 0 else 1
            conv(size, 9 * t * inputs, t * inputs)
            conv(size, t * inputs * c, c)
            inputs = c
    conv(7, 320 * 1280, 1280)
    return parameters + 1281 * 1000, macs + 1280 * 1000


def bert_by_hand(vocabulary: int, places: int, n: int, h: int, sequence: int) -> tuple[int, int]:
    """Parameters (without the pooler) and multiply-accumulates of an encoder with n layers of width h."""
    embeddings = (vocabulary + places + 2) * h + 2 * h
    layer = 4 * (h * h + h) + (h * 4 * h + 4 * h) + (4 * h * h + h) + 2 * 2 * h
    macs = n * (12 * h * h * sequence + 2 * h * sequence**2)
    return embeddings + n * layer, macs


def test_mobilenetv2_has_the_published_size() -> None:
    model = builtin("mobilenetv2")
    assert mobilenetv2_by_hand() == (model.parameters, model.macs)
    assert (model.parameters, round(model.macs / 1e6, 1)) == (3_504_872, 300.8)


def test_bert_base_has_the_published_size() -> None:
    model = builtin("bert-base")
    assert bert_by_hand(30522, 512, 12, 768, 128) == (model.parameters, model.macs)
    pooler = 768 * 768 + 768
    assert model.parameters + pooler == 109_482_240
    # Jiao et al., "TinyBERT" (2020), table 1: 22.5 G floating-point operations on 128 tokens.
    assert 2 * model.macs == pytest.approx(22.5e9, rel=0.01)


def test_tiny_encoder_is_a_small_bert() -> None:
    model = builtin("tiny-encoder")
    assert bert_by_hand(2048, 128, 2, 64, 32) == (model.parameters, model.macs)


@pytest.mark.parametrize("name", BUILTINS)
def test_every_dynamic_dimension_but_the_batch_has_a_size(name: str) -> None:
    model = builtin(name)
    named = {dim for spec in model.inputs for dim in spec.shape[1:] if isinstance(dim, str)}
    assert named == set(model.dims) == set(model.limits)
    assert all(1 < model.dims[dim] <= model.limits[dim] for dim in named)
    integers = {spec.name for spec in model.inputs if spec.dtype.startswith("int")}
    assert set(model.value_range) == integers


@pytest.mark.engine("torch")
@pytest.mark.parametrize("name", BUILTINS)
def test_the_module_is_what_the_catalogue_says(name: str) -> None:
    import torch

    model = builtin(name)
    module = make(model)
    assert sum(parameter.numel() for parameter in module.parameters()) == model.parameters
    assert count_macs(module, model) == model.macs
    assert not module.training
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    with torch.no_grad():
        answer = module(*zeros(model, 3))
    assert tuple(answer.shape) == model.outputs[0].concrete(3, model.dims)
    assert answer.dtype == torch.float32


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
    root = Path(importlib.import_module("suites").__path__[0])
    modules = sorted(
        ".".join(("suites", *path.relative_to(root).with_suffix("").parts))
        for path in root.rglob("*.py")
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

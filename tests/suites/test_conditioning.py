"""Seeded weights make a network that behaves like a trained one."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suites.catalogue import builtin
from suites.conditioning import BATCH, BATCHES, DAMPING, calibration_batches
from suites.inputs import make_inputs
from tests.suites.conftest import conditioned

pytestmark = pytest.mark.engine("torch")

SETS = ("normal:0", "normal:1", "uniform:0")
CONSTANT = ("ones", "zeros")
CALIBRATED = {"tiny-detector": ("uniform:0",)}
"""The input sets that are like what a model was calibrated for, where these are not all: a detector takes 0 to 1."""
SLOW = ("resnet50", "mobilenetv2", "bert-base")


def tiny(seed: int = 0) -> Any:
    return conditioned(replace(builtin("tiny-cnn"), seed=seed))


@pytest.fixture(
    params=[
        "tiny-cnn",
        "tiny-encoder",
        "tiny-detector",
        *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW),
    ],
    scope="module",
)
def network(request: pytest.FixtureRequest) -> tuple[Any, str]:
    name = request.param
    return (request.getfixturevalue("resnet50") if name == "resnet50" else conditioned(builtin(name))), name


def answer(module: Any, name: str, set_name: str, batch: int = 4, dtype: str = "float32") -> Any:
    """The output for an input set, one row for each entry of the batch."""
    import torch

    model = builtin(name)
    feeds = make_inputs(model.inputs, set_name, batch, model.dims, model.value_range)
    tensors = [torch.from_numpy(a.astype(dtype) if a.dtype.kind == "f" else a) for a in feeds.values()]
    with torch.no_grad():
        return module(*tensors).numpy().reshape(batch, -1)


def scales_by_layer(module: Any, name: str, set_name: str) -> dict[str, float]:
    """The deviation of every layer's output."""
    from torch import nn

    scales: dict[str, float] = {}
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.LayerNorm, nn.Embedding)
    handles = [
        layer.register_forward_hook(
            lambda _layer, _inputs, output, key=layer_name: scales.update({key: float(output.std())})
        )
        for layer_name, layer in module.named_modules()
        if isinstance(layer, kinds)
    ]
    answer(module, name, set_name)
    for handle in handles:
        handle.remove()
    return scales


@pytest.mark.parametrize("set_name", SETS)
def test_every_layer_has_about_unit_scale(network: tuple[Any, str], set_name: str) -> None:
    module, name = network
    scales = scales_by_layer(module, name, set_name)
    assert len(scales) > 10
    most = 5 if set_name in CALIBRATED.get(name, SETS) else 25
    outside = {key: scale for key, scale in scales.items() if not 0.1 < scale < most}
    assert not outside


@pytest.mark.parametrize("set_name", [*SETS, *CONSTANT])
def test_outputs_have_about_unit_deviation(network: tuple[Any, str], set_name: str) -> None:
    module, name = network
    found = answer(module, name, set_name)
    if builtin(name).family == "detector":
        found = found.reshape(len(found), -1, 24)[..., 4:]
        assert (found.min(), found.max()) == (pytest.approx(0, abs=0.1), pytest.approx(0.8, abs=0.2))
    else:
        assert 0.4 < found.std() < 4


def test_logits_have_unit_deviation_on_the_calibration_images() -> None:
    import torch

    images = np.concatenate([images for (images,) in calibration_batches(builtin("tiny-cnn"))])
    assert images.shape == (BATCHES * BATCH, 3, 32, 32)
    with torch.no_grad():
        found = tiny()(torch.from_numpy(images.astype("float32"))).numpy()
    assert found.mean(axis=0) == pytest.approx(np.zeros(10), abs=1e-4)
    assert found.std() == pytest.approx(1, abs=1e-4)


def test_outputs_depend_on_the_input(network: tuple[Any, str]) -> None:
    module, name = network
    one, other = answer(module, name, "normal:0", 8), answer(module, name, "uniform:0", 8)
    between_kinds = np.corrcoef(one, other)[:8, 8:]
    within = np.corrcoef(one)[np.triu_indices(8, 1)]
    if builtin(name).family == "detector":
        # Boxes lie where their cells are, whatever the picture: the scores alone are compared.
        one, other = (found.reshape(8, -1, 24)[..., 4:].reshape(8, -1) for found in (one, other))
        between_kinds, within = np.corrcoef(one, other)[:8, 8:], np.corrcoef(one)[np.triu_indices(8, 1)]
    assert np.abs(between_kinds).max() < 0.9
    assert np.median(within) < 0.9
    assert len(set(one.argmax(axis=1))) >= 3


def test_float32_is_as_calm_as_in_a_trained_network(network: tuple[Any, str]) -> None:
    module, name = network
    exact = answer(copy.deepcopy(module).double(), name, "normal:0", dtype="float64")
    error = np.sqrt(np.mean((answer(module, name, "normal:0") - exact) ** 2) / np.mean(exact**2))
    assert 1e-8 < error < 1e-5


@pytest.fixture(scope="module")
def encoder() -> Any:
    return conditioned(builtin("tiny-encoder"))


def hidden(module: Any, change: Any = None) -> Any:
    """The hidden state [32, 64] of one text of 20 tokens and 12 places of padding."""
    import torch

    model = builtin("tiny-encoder")
    feeds = make_inputs(model.inputs, "normal:0", 1, model.dims, model.value_range)
    feeds["attention_mask"][:] = np.arange(32) < 20
    if change:
        change(feeds)
    with torch.no_grad():
        return module(*(torch.from_numpy(array) for array in feeds.values())).numpy()[0]


def test_a_token_reaches_every_other_and_padding_none(encoder: Any) -> None:
    def another(place: int) -> Any:
        def change(feeds: Any) -> None:
            feeds["input_ids"][0, place] = (feeds["input_ids"][0, place] + 1) % 2048

        return change

    base = hidden(encoder)
    moved = np.sqrt(np.mean((hidden(encoder, another(5)) - base) ** 2, axis=1))
    assert moved[5] > 0.5
    assert (moved[:20] > 0.003).all()
    padded = hidden(encoder, another(25))
    assert np.array_equal(padded[:20], base[:20])
    assert not np.array_equal(padded[25], base[25])


@pytest.mark.parametrize("name", ["attention_mask", "token_type_ids"])
def test_mask_and_segment_have_a_say(encoder: Any, name: str) -> None:
    def change(feeds: Any) -> None:
        feeds[name][0, 10:20] = 1 - feeds[name][0, 10:20]

    assert np.sqrt(np.mean((hidden(encoder, change) - hidden(encoder))[:10] ** 2)) > 0.01


def test_residual_branches_are_damped() -> None:
    weights = {name: value for name, value in tiny().state_dict().items() if name.endswith("norm.weight")}
    damped = {name for name, value in weights.items() if bool((value == DAMPING).all())}
    assert damped == {f"block{index}.body.second.norm.weight" for index in range(3)}
    assert all(bool((weights[name] == 1).all()) for name in weights.keys() - damped)


def test_the_seed_decides_the_weights_to_the_bit() -> None:
    import torch

    first = tiny().state_dict()
    threads = torch.get_num_threads()
    torch.manual_seed(12345)  # torch's own stream has no say
    torch.set_num_threads(1 if threads > 1 else 2)
    try:
        second = tiny().state_dict()
    finally:
        torch.set_num_threads(threads)
    other = tiny(seed=1).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["stem.conv.weight"], other["stem.conv.weight"])


def test_layers_of_one_shape_get_different_weights() -> None:
    import torch

    state = tiny().state_dict()
    first, second = (state[f"block0.body.{name}.conv.weight"] for name in ("first", "second"))
    assert first.shape == second.shape
    assert not torch.equal(first, second)

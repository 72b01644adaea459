"""Seeded weights make a network that behaves like a trained one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from suites.catalogue import builtin
from suites.conditioning import DAMPING, calibration_batches, condition
from suites.inputs import make_inputs
from suites.models.tiny_cnn import build

pytestmark = pytest.mark.engine("torch")

SETS = ("normal:0", "normal:1", "uniform:0")


def tiny(seed: int = 0) -> Any:
    module = build(None)
    condition(module, builtin("tiny-cnn").inputs[0], seed)
    return module


@pytest.fixture(params=["tiny-cnn", pytest.param("resnet50", marks=pytest.mark.slow)])
def network(request: pytest.FixtureRequest) -> Iterator[tuple[Any, str]]:
    yield (tiny() if request.param == "tiny-cnn" else request.getfixturevalue("resnet50")), request.param


def logits(module: Any, name: str, set_name: str, batch: int = 4, dtype: str = "float32") -> Any:
    import torch

    feeds = make_inputs(builtin(name).inputs, set_name, batch)
    with torch.no_grad():
        return module(torch.from_numpy(feeds["input"].astype(dtype))).numpy()


@pytest.mark.parametrize("set_name", SETS)
def test_every_layer_has_about_unit_scale(network: tuple[Any, str], set_name: str) -> None:
    from torch import nn

    module, name = network
    scales: dict[str, float] = {}
    handles = []
    for layer_name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
            handles.append(
                layer.register_forward_hook(
                    lambda _layer, _inputs, output, key=layer_name: scales.update({key: float(output.std())})
                )
            )
    logits(module, name, set_name)
    for handle in handles:
        handle.remove()
    assert len(scales) == len(handles) > 10
    outside = {key: scale for key, scale in scales.items() if not 0.1 < scale < 5}
    assert not outside


@pytest.mark.parametrize("set_name", [*SETS, "ones", "zeros"])
def test_logits_have_about_unit_deviation(network: tuple[Any, str], set_name: str) -> None:
    assert 0.4 < logits(*network, set_name).std() < 4


def test_logits_have_unit_deviation_on_the_calibration_images() -> None:
    import torch

    images = np.concatenate(list(calibration_batches(builtin("tiny-cnn").inputs[0], seed=0)))
    with torch.no_grad():
        answer = tiny()(torch.from_numpy(images.astype("float32"))).numpy()
    assert answer.mean(axis=0) == pytest.approx(np.zeros(10), abs=1e-4)
    assert answer.std() == pytest.approx(1, abs=1e-4)


def test_outputs_depend_on_the_input(network: tuple[Any, str]) -> None:
    module, name = network
    one, other = logits(module, name, "normal:0", 8), logits(module, name, "uniform:0", 8)
    between_kinds = np.corrcoef(one, other)[:8, 8:]
    assert np.abs(between_kinds).max() < 0.9
    within = np.corrcoef(one)[np.triu_indices(8, 1)]
    assert np.median(within) < 0.9
    assert len(set(one.argmax(axis=1))) >= 3


def test_float32_is_as_calm_as_in_a_trained_network(network: tuple[Any, str]) -> None:
    import copy

    module, name = network
    exact = logits(copy.deepcopy(module).double(), name, "normal:0", dtype="float64")
    error = np.sqrt(np.mean((logits(module, name, "normal:0") - exact) ** 2) / np.mean(exact**2))
    assert 1e-8 < error < 1e-5


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

"""The battery itself: every fault changes what its model computes, from the named tensor on and not before it."""

from __future__ import annotations

import pytest

from tests.faults.battery import FAULTS, Fault, healthy, plant
from tests.faults.models import MODELS
from tests.faults.running import distance, feeds, outputs_of, reference, tensors_of, values

NOTICED = 30.0
"""Yardsticks: a planted fault is one, not a rounding error."""


def test_names_are_unique_and_every_model_is_used() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert {fault.model for fault in FAULTS} == set(MODELS)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("input_set", ["normal:0", "uniform:0"])
def test_healthy_models_are_well_conditioned(model: str, input_set: str) -> None:
    """A yardstick far above rounding would let faults hide behind it."""
    right, yardstick = reference(model, input_set)
    for name in outputs_of(healthy(model)):
        assert right[name].size
        if right[name].dtype.kind == "f":
            assert distance(yardstick[name], right[name], right[name]) < 30


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_named_tensor_is_the_first_wrong_one(fault: Fault) -> None:
    made = plant(fault)
    right, yardstick = reference(fault.model, fault.shows)
    names = tensors_of(healthy(fault.model))
    there = [name for name in names if name in set(tensors_of(made.model))]
    spoilt = values(made.model, there, feeds(fault.model, fault.shows))
    off = {name: distance(spoilt[name], right[name], yardstick[name]) for name in there}
    wrong = [name for name in there if off[name] > NOTICED]
    assert wrong, off
    assert made.tensor in wrong
    before = names[: names.index(made.tensor)]
    assert [name for name in wrong if name in before] == []
    assert any(name in wrong for name in outputs_of(made.model)), off


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.shows != "normal:0"], ids=str)
def test_rare_faults_do_not_show_on_ordinary_inputs(fault: Fault) -> None:
    right, yardstick = reference(fault.model, "normal:0")
    outputs = outputs_of(healthy(fault.model))
    spoilt = values(plant(fault).model, outputs, feeds(fault.model, "normal:0"))
    assert max(distance(spoilt[name], right[name], yardstick[name]) for name in outputs) < 2

"""Several faults in one file, each in a network of its own: one search has to tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import onnx

from backends.contract import Array
from tests.faults.battery import Fault, healthy, plant
from tests.faults.running import feeds


@dataclass(frozen=True)
class Combined:
    """A faulty model and its healthy twin; `blamed` are the tensors that a search must name, one for each fault."""

    faulty: Any
    healthy: Any
    feeds: Mapping[str, Array]
    blamed: Mapping[str, str]


def combine(faults: Sequence[Fault]) -> Combined:
    """Put `faults` beside each other; names begin with the place of the fault among them."""
    made = [plant(fault) for fault in faults]
    prefixes = [f"{place}/" for place in range(len(faults))]
    return Combined(
        _merged([planted.model for planted in made], prefixes),
        _merged([healthy(fault.model) for fault in faults], prefixes),
        {
            f"{prefix}{name}": value
            for fault, prefix in zip(faults, prefixes, strict=True)
            for name, value in feeds(fault.model, fault.shows).items()
        },
        {
            f"{prefix}{fault.blamed or planted.tensor}": fault.name
            for fault, planted, prefix in zip(faults, made, prefixes, strict=True)
        },
    )


def _merged(models: Sequence[Any], prefixes: Sequence[str]) -> Any:
    parts = [onnx.compose.add_prefix(model, prefix) for model, prefix in zip(models, prefixes, strict=True)]
    return reduce(lambda one, other: onnx.compose.merge_models(one, other, io_map=[]), parts)

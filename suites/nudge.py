"""Inputs and weights moved a little: how far a model's answers move then tells how it takes rounding at all.

One run in float32 has one error, which is small by luck where an output has few numbers; a few runs from neighbouring
numbers have errors of the size that float32 really has here (compare D. S. Parker, *Monte Carlo Arithmetic*, 1997, who
perturbs every operation). onnx is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.contract import Array

_SIZES = {"Resize": (1, 2), "Upsample": (1,), "Range": (0, 1, 2)}
"""Operators -> their inputs, in floating point, that decide how large the output is."""


@dataclass(frozen=True)
class Nudge:
    """`count` runs, each with every floating-point number of inputs and weights moved by the share `size` of itself,
    up or down by chance.
    """

    count: int
    size: float
    lanes: tuple[int, ...] = ()
    """In how many lanes each run adds up long sums (see `suites.evaluator_sums`); none: pairwise."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Nudge:
        """From a job's argument."""
        return cls(int(data["count"]), float(data["size"]), tuple(data.get("lanes", ())))

    def generators(self) -> Iterator[np.random.Generator]:
        """One for each run, the same ones every time."""
        return (np.random.default_rng([20, index]) for index in range(self.count))


def moved(array: Array, random: np.random.Generator, size: float) -> Array:
    """`array` with each number moved by the share `size`, or by one rounding of its own format; integers stay.

    Zeros stay: they are padding, masks and cut-offs, which no engine rounds.
    """
    if array.dtype.kind != "f":
        return array
    signs = random.integers(0, 2, array.shape) * 2.0 - 1.0
    # Half the distance from 1 to its neighbour: less would be rounded away.
    size = max(size, float(np.finfo(array.dtype).eps) / 2)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray((array.astype(np.float64) * (1.0 + size * signs)).astype(array.dtype))


def moved_all(arrays: Mapping[str, Array], random: np.random.Generator, size: float) -> dict[str, Array]:
    """All of `arrays`, moved."""
    return {name: moved(array, random, size) for name, array in arrays.items()}


def moved_model(model: Any, random: np.random.Generator, size: float) -> Any:
    """A copy of the `onnx.ModelProto` `model` whose floating-point initializers are moved.

    Those that decide sizes or places (the scales of a Resize) stay: moved, they would make another model of it.
    """
    from onnx import numpy_helper

    copy = type(model)()
    copy.CopyFrom(model)
    fixed = _deciding_sizes(copy.graph)
    for tensor in copy.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype.kind == "f" and tensor.name not in fixed:
            tensor.CopyFrom(numpy_helper.from_array(moved(array, random, size), tensor.name))
    return copy


def _deciding_sizes(graph: Any) -> set[str]:
    """Constants, and tensors of sizes alone, from which whole numbers are made or that an operator reads as sizes."""
    varying = {value.name for value in graph.input} - {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in ("Shape", "Size") and varying.intersection(node.input):
            varying.update(node.output)
    found: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type in _SIZES:
            read = [node.input[place] for place in _SIZES[node.op_type] if place < len(node.input)]
        elif found.intersection(node.output) or _makes_whole_numbers(node):
            read = list(node.input)
        else:
            continue
        found.update(name for name in read if name and name not in varying)
    return found


def _makes_whole_numbers(node: Any) -> bool:
    from onnx import helper

    if node.op_type != "Cast":
        return node.op_type in ("Floor", "Ceil", "Round")
    to = next(attribute.i for attribute in node.attribute if attribute.name == "to")
    return np.issubdtype(helper.tensor_dtype_to_np_dtype(to), np.integer)

"""Inputs that an engine has never seen, made from ones that are known to be fit for the model.

A turned input holds the same values in other places, so that it is as valid, as dense and as costly as the one that it
was made from: indices stay in range, pictures keep their brightness.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backends.contract import Array

KEPT = "attention_mask"
"""An input of this name says which places hold something: turned, it would leave gaps that no real input has."""
SHRINK = 2.0**-12
"""Floats are made smaller by this share for every turn: a short row has no more turns than places."""
HELD_BACK = 1
"""The turn that is kept for the end of a pass; its outputs are compared with the reference's."""


def turned(feeds: Mapping[str, Array], number: int) -> dict[str, Array]:
    """The arrays of `feeds` with every row of the batch turned by `number` places, floats a little smaller.

    `number` from 1; a number gives the same arrays in every process. Shapes and dtypes stay.
    """
    return {name: array if name == KEPT else _turned(array, number) for name, array in feeds.items()}


def held_back(feeds: Mapping[str, Mapping[str, Array]]) -> dict[str, dict[str, Array]]:
    """The first input set turned once, under a name of its own; nothing where turning it changes nothing."""
    name, first = next(iter(feeds.items()))
    made = turned(first, HELD_BACK)
    return {f"{name} turned": made} if differs(made, first) else {}


def differs(feeds: Mapping[str, Array], others: Mapping[str, Array]) -> bool:
    """Whether any array of the two is different."""
    return any(not np.array_equal(array, others[name]) for name, array in feeds.items())


def _turned(array: Array, number: int) -> Array:
    rows = array.reshape(1, -1) if array.ndim < 2 else array.reshape(array.shape[0], -1)
    made = np.roll(rows, number, axis=1).reshape(array.shape)
    if array.dtype.kind == "f":
        made *= array.dtype.type(max(0.5, 1.0 - SHRINK * number))
    return made

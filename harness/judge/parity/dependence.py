"""Does an engine's output follow its input? One that does not may be near the right one by luck, and is no answer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backends.contract import Array
from harness.judge.parity.budgets import UNIT_ROUNDOFF
from harness.judge.parity.reference_outputs import Outputs

ROUNDINGS = 4
"""Right outputs of two input sets must be so many roundings of the precision apart, relative to the largest number, for
equal ones of an engine to be a fault: a saturated softmax is rightly the same for many inputs."""

_INT8_STEP = 1 / 127


def independent_outputs(
    outputs: Mapping[str, Outputs], rights: Mapping[str, Outputs], precision: str
) -> dict[str, str]:
    """Outputs that are the same, bit for bit, on all input sets although the right ones differ: name -> why.

    `outputs` (the engine's) and `rights` (the reference's) are by input set and name.
    """
    found: dict[str, str] = {}
    sets = list(rights)
    if len(sets) < 2:
        return found
    step = UNIT_ROUNDOFF.get(precision, _INT8_STEP)
    for name in rights[sets[0]]:
        given = [outputs[each].get(name) for each in sets]
        first = given[0]
        if first is None or first.size == 0:
            continue
        if not all(other is not None and np.array_equal(first, other) for other in given[1:]):
            continue
        apart = _apart([rights[each][name] for each in sets])
        if apart > ROUNDINGS * step:
            found[name] = (
                f"the output is the same on all {len(sets)} input sets, although the right ones differ by up to "
                f"{apart:.2g} of their largest number: it does not depend on the input"
            )
    return found


def _apart(values: list[Array]) -> float:
    """Largest difference between the first and the others, relative to the largest number; inf for other shapes."""
    first = values[0].astype(np.float64)
    apart, largest = 0.0, float(np.abs(first).max(initial=0.0))
    for value in values[1:]:
        if value.shape != first.shape:
            return float("inf")
        other = value.astype(np.float64)
        apart = max(apart, float(np.abs(other - first).max(initial=0.0)))
        largest = max(largest, float(np.abs(other).max(initial=0.0)))
    return apart / largest if largest > 0 and np.isfinite(apart) else 0.0

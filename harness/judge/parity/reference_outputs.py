"""What outputs are judged by: the reference's, the yardstick's, and what these are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backends.contract import Array
from harness.judge.parity.budgets import coarser
from harness.records import ReferenceStrength, SelfAgreement

Outputs = Mapping[str, Array]
"""Of one run, by name."""


@dataclass(frozen=True)
class Reference:
    """Outputs on one input set by name: `right` in float64, `yardstick` in float32.

    `neighbours` are further runs in float32, from inputs and weights moved by one rounding; together with the
    yardstick's they show what error float32 has here. `ties`, by precision, are runs from inputs and weights moved by
    ten roundings of the precision, made where an output holds integers: what an index may rightly become. `summands`:
    how many equal numbers an item of the inputs has, where these are constant. `summed` are neighbours that add up
    long sums one number after the other, as engines do: these roundings are float32's in every precision.
    """

    right: Outputs
    yardstick: Outputs
    neighbours: tuple[Outputs, ...] = ()
    ties: Mapping[str, tuple[Outputs, ...]] = field(default_factory=dict)
    summands: int = 1
    summed: tuple[Outputs, ...] = ()


def summands_of(feeds: Outputs) -> int:
    """How many equal numbers the largest floating-point input has for each item of a batch; 1 where one varies."""
    floats = [array for array in feeds.values() if array.dtype.kind == "f" and array.size]
    if any((array != array.flat[0]).any() for array in floats):
        return 1
    return max((array.size // (array.shape[0] if array.ndim > 1 else 1) for array in floats), default=1)


@dataclass
class References:
    """Reference outputs by input set. `problem` says why there are none, when there are none.

    `disagreements` are the outputs that a second run of the reference did not give again. `engine` is the backend
    that stands in for a reference, where one does. `own_precision`: the coarsest format that the model rounds to by
    itself, whatever it is run in. `judged_as`: the precision whose budgets the user asked for; empty: the coarser of
    the engine's and the model's own.
    """

    by_set: dict[str, Reference] = field(default_factory=dict)
    reference_name: str = ""
    yardstick_name: str = ""
    problem: str = ""
    strength: ReferenceStrength = ""
    note: str = ""
    engine: str = ""
    own_precision: str = "fp32"
    judged_as: str = ""
    disagreements: tuple[SelfAgreement, ...] = ()

    def precision(self, asked: str) -> str:
        """The precision whose budget holds for an engine in the precision `asked`."""
        return self.judged_as or coarser(asked, self.own_precision)

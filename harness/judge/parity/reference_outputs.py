"""What outputs are judged by: the reference's, the yardstick's, and what these are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backends.contract import Array
from harness.records import ReferenceStrength, SelfAgreement


@dataclass(frozen=True)
class Reference:
    """Outputs on one input set by name: `right` in float64, `yardstick` in float32."""

    right: Mapping[str, Array]
    yardstick: Mapping[str, Array]


@dataclass
class References:
    """Reference outputs by input set. `problem` says why there are none, when there are none.

    `disagreements` are the outputs that a second run of the reference did not give again. `engine` is the backend
    that stands in for a reference, where one does. `quantised`: the model itself rounds to a coarse grid.
    """

    by_set: dict[str, Reference] = field(default_factory=dict)
    reference_name: str = ""
    yardstick_name: str = ""
    problem: str = ""
    strength: ReferenceStrength = ""
    note: str = ""
    engine: str = ""
    quantised: bool = False
    disagreements: tuple[SelfAgreement, ...] = ()

    def precision(self, asked: str) -> str:
        """The precision whose budget holds: an engine that is asked for fp32 still has to keep a model's own grid."""
        return "int8" if self.quantised else asked

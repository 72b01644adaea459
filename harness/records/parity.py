"""What a parity verdict holds: its figures by output and input set, and what it was judged by."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.records.base import PossiblyInfinite, Record
from harness.records.parity_figures import Diagnostics, ErrorPicture

ParityStatus = Literal["pass", "fail", "unknown", "nondeterministic"]

ReferenceStrength = Literal["", "independent", "mixed", "engine"]
"""What a reference is worth. "independent": another implementation, in float64 throughout. "mixed": the same, but
for named operators in float32. "engine": an inference engine in float32, without its optimisations."""


class OutputParity(Record):
    """One output on one input set, against the reference in float64.

    Errors are root mean squares and maxima of the difference, divided by the root mean square of the reference.
    """

    output: str
    input_set: str
    status: ParityStatus
    error_rms: float | None
    error_max: float | None
    yardstick_rms: float | None
    yardstick_max: float | None
    ratio_rms: float | None = Field(None, description="error_rms in units of the yardstick")
    ratio_max: float | None = None
    budget_rms: float
    budget_max: float
    worst_index: tuple[int, ...] | None = None
    cosine: float | None = None
    top1_agreement: float | None = None
    reason: str = ""
    note: str = Field("", description="what a pass has overlooked and why, e.g. flipped near-ties")
    diagnostics: Diagnostics | None = None
    picture: ErrorPicture | None = None


class SelfAgreement(Record):
    """Two runs of the reference on one input set, bit for bit the same or not."""

    input_set: str
    agrees: bool
    differing: int = Field(0, description="numbers that differ, in all outputs")
    total: int = 0
    difference: PossiblyInfinite = Field(
        0.0,
        description="largest difference of an output (root mean square), relative to the output's own size",
    )
    output: str = Field("", description="the output that differs most")


class Parity(Record):
    """Does the engine compute the right thing? `unknown` and `nondeterministic` are never `pass`."""

    status: ParityStatus
    reference: str = Field(description="which reference judged, e.g. 'torch 2.13.0 float64'")
    yardstick: str = Field(description="whose error is the unit, e.g. 'torch 2.13.0 float32'")
    reference_strength: ReferenceStrength = ""
    reference_note: str = Field("", description="why it was this reference, and what it is not worth")
    reason: str = ""
    contract: tuple[str, ...] = Field((), description="breaches of names, number, dtypes or shapes")
    disagreements: tuple[SelfAgreement, ...] = Field(
        (), description="input sets on which the reference disagrees with itself"
    )
    outputs: tuple[OutputParity, ...] = ()

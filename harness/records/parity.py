"""What a parity verdict holds: its figures by output and input set, and what it was judged by."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.records.base import Record

ParityStatus = Literal["pass", "fail", "unknown"]


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
    ratio_rms: float | None = Field(None, description="error_rms in units of the yardstick's own")
    ratio_max: float | None = None
    budget_rms: float
    budget_max: float
    worst_index: tuple[int, ...] | None = None
    cosine: float | None = None
    top1_agreement: float | None = None
    reason: str = ""


class Parity(Record):
    """Does the engine compute the right thing? `unknown` is never `pass`."""

    status: ParityStatus
    reference: str = Field(description="which reference judged, e.g. 'torch 2.13.0 float64'")
    yardstick: str = Field(description="whose error is the unit, e.g. 'torch 2.13.0 float32'")
    reason: str = ""
    contract: tuple[str, ...] = Field((), description="breaches of names, number, dtypes or shapes")
    outputs: tuple[OutputParity, ...] = ()

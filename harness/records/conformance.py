"""The record of conformance: what every case of the ONNX project's backend tests gave on every engine."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from harness.records import ContenderRef, Environment, Machine, Record, now
from harness.records.base import PossiblyInfinite

Outcome = Literal[
    "passes",  # every output of every data set is right
    "fails",  # an output is wrong, or the engine raised an error that does not say that it lacks something
    "unsupported",  # the engine says that it lacks something
    "crashes",  # the engine's process died, for want of memory too
    "times_out",  # it did not end before the deadline
    "excluded",  # not judged: `reason` says why
]
OUTCOMES: tuple[Outcome, ...] = ("passes", "fails", "unsupported", "crashes", "times_out", "excluded")

State = Literal[
    "ran",
    "unavailable",  # the engine, its version or its device is not here
    "not_applicable",  # it builds from something else than ONNX
    "interrupted",
]


class CaseError(Record):
    """How wrong the worst output of a failed case is."""

    output: str
    data_set: int = 0
    what: Literal["missing", "shape", "dtype", "values"]
    words: str
    share: PossiblyInfinite | None = Field(
        None, description="largest |error| / (atol + rtol · |expected|) of any element; above 1 is wrong"
    )
    absolute: PossiblyInfinite | None = Field(None, description="|error| of that element")
    ulp: PossiblyInfinite | None = Field(
        None, description="that |error| in units in the last place of the output's largest value; of floats"
    )
    wrong: int = Field(0, description="elements outside the tolerance")
    of: int = Field(0, description="elements compared")
    place: tuple[int, ...] = Field((), description="index of the worst element")


class CaseFacts(Record):
    """What a case is about."""

    name: str
    kind: Literal["node", "simple", "pytorch-converted", "pytorch-operator", "light"]
    operator: str = Field(description="the operator that the case is about; empty for a whole model")
    opset: int = Field(description="version of the operator set that the case asks for")
    dtypes: tuple[str, ...] = ()
    sha256: str = Field(description="of model, inputs, expected outputs and tolerances")


class CaseResult(Record):
    """What one case gave on one engine."""

    case: CaseFacts
    outcome: Outcome
    reason: str = Field("", description="why it did not pass, in one line")
    phase: str = Field("", description="the step that ended in an error")
    error_type: str = ""
    exit_signal: str = ""
    error: CaseError | None = None
    note: str = Field("", description="what else is to be known, e.g. that it ended otherwise beside others")


class EngineConformance(Record):
    """All that was found on one contender."""

    contender: ContenderRef
    engine_version: str = ""
    state: State = "ran"
    reason: str = Field("", description="why it did not run")
    results: tuple[CaseResult, ...] = ()


class ConformanceRecord(Record):
    """One run of `harness conformance`."""

    schema_version: Literal[1] = 1
    kind: Literal["conformance"] = "conformance"
    run_id: str
    created_at: datetime = Field(default_factory=now)
    machine: Machine
    environment: Environment
    onnx: str = Field(description="version of the onnx package that the cases come from")
    selection: str = Field("", description="the flags that chose the cases; empty for all")
    cases: int = Field(description="cases chosen")
    engines: tuple[EngineConformance, ...]

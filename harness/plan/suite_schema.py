"""The suite file as it is written, as pydantic models; `suite_file` reads it, `suite.Suite` is what it means.

Unknown keys are errors. Values are strict: no number is taken for text, and no text for a number.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from harness.judge.gate_types import OnUnsettled, Percentile
from harness.plan.contender import read_contender
from harness.plan.quantities import (
    DURATION_PATTERN,
    SHARE_PATTERN,
    SIZE_PATTERN,
    parse_duration,
    parse_share,
    parse_size,
)
from harness.records import Settings
from suites.errors import ModelError
from suites.inputs import parse_set

Scenario = Literal["single_stream"]
"""Scenarios that this release runs."""

SCHEMA_ID = "inference-harness/suite.schema.json"


def _unbool(value: object) -> object:
    # YAML 1.1 reads yes, no, on and off as booleans, which pydantic's strict integers refuse; text needs the hint.
    if isinstance(value, bool):
        raise ValueError("expected text; put yes, no, on, off, true and false in quotes")
    return value


def _contender(text: str) -> str:
    return read_contender(text).text


def _plain_name(name: str) -> str:
    if any(not c.isprintable() for c in name) or "|" in name:
        raise ValueError("a name has no '|' and no control characters")
    return name


def _either(number: dict[str, Any], pattern: str, example: str) -> WithJsonSchema:
    text = {"type": "string", "pattern": pattern, "examples": [example]}
    return WithJsonSchema({"anyOf": [number, text]})


Text = Annotated[str, BeforeValidator(_unbool)]
Name = Annotated[
    str,
    BeforeValidator(_unbool),
    StringConstraints(min_length=1, max_length=120),
    AfterValidator(_plain_name),
]
Contender = Annotated[Text, AfterValidator(_contender)]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    _either({"type": "number", "exclusiveMinimum": 0}, DURATION_PATTERN, "45s"),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    _either({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, SHARE_PATTERN, "2%"),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    _either({"type": "integer", "minimum": 1}, SIZE_PATTERN, "8GiB"),
]
Count = Annotated[int, Field(strict=True, ge=1)]


def _threads(value: object) -> object:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError(f"expected 'auto' (all usable cores) or a whole number from 1, found {value!r}")


Threads = Annotated[
    int | str,
    BeforeValidator(_threads),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1}]}),
]


def _default_threads() -> list[int | str]:
    return ["auto"]


def _default_scenarios() -> list[Scenario]:
    return ["single_stream"]


def _input_set(name: str) -> str:
    try:
        parse_set(name)
    except ModelError as error:
        raise ValueError(f"{error.message}; {error.hint}" if error.hint else error.message) from None
    return name


InputSet = Annotated[Text, AfterValidator(_input_set)]


def _confident(share: float) -> float:
    if share < 0.5:
        raise ValueError(f"a confidence of {share:.4g} is below 50%; did you mean {1 - share:.4g}?")
    return share


Confidence = Annotated[Share, AfterValidator(_confident)]


class Written(BaseModel):
    """Base of everything written in a suite file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelEntry(Written):
    """A model: a built-in name, or an ONNX file with an optional name and sizes of its dynamic dimensions."""

    builtin: Name | SkipJsonSchema[None] = Field(None, description="name of a built-in model")
    path: Text | SkipJsonSchema[None] = Field(
        None,
        description="ONNX file, or the folder of a text encoder, relative to the folder of the suite file",
        min_length=1,
    )
    name: Name | SkipJsonSchema[None] = Field(
        None, description="what the model is called; its file's name without suffix when left out"
    )
    dims: dict[Name, Count] = Field(
        default_factory=dict, description="sizes of dynamic dimensions beside the batch"
    )
    pipeline: Text = Field(
        "",
        description="pre- and post-processing, name[:implementation]; the model's own when left out, or none",
    )
    items: list[Text] = Field(
        default_factory=list,
        description="pictures or texts to feed the pipeline with, relative to the folder of the suite file",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.builtin is None) == (self.path is None):
            raise ValueError("a model has either 'path' (an ONNX file) or 'builtin' (a name)")
        if self.builtin is not None and self.name is not None:
            raise ValueError("a built-in model keeps its own name; leave 'name' out")
        return self


def _model_entry(value: object) -> object:
    if isinstance(value, str):
        return {"path": value} if value.endswith(".onnx") or "/" in value else {"builtin": value}
    if not isinstance(value, dict | ModelEntry):
        raise ValueError("expected the name of a model, or a mapping with 'path' or 'builtin'")
    return value


Model = Annotated[ModelEntry, BeforeValidator(_model_entry, json_schema_input_type=str | ModelEntry)]


class Variants(Written):
    """What is varied beside models and contenders: every batch with every number of threads."""

    batch: list[Count] = Field(default_factory=lambda: [1], min_length=1, description="batch sizes")
    threads: list[Threads] = Field(
        default_factory=_default_threads, min_length=1, description="threads; auto: all usable cores"
    )


_DEFAULT = Settings()


class Trials(Written):
    """How many fresh processes a contender gets."""

    min: Count = Field(_DEFAULT.min_trials, description="fewest before narrow intervals may end it early")
    max: Count = Field(_DEFAULT.max_trials, description="most trials")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


class SettingsEntry(Written):
    """How cases are measured and judged."""

    margin: Share = Field(_DEFAULT.margin, description="differences below this share count as the same")
    confidence: Confidence = Field(
        _DEFAULT.confidence, description="confidence of all intervals; at least 50%"
    )
    target_ci: Share = Field(
        _DEFAULT.target_ci, description="stop when every ratio's interval is within ± this share"
    )
    budget: Duration = Field(
        _DEFAULT.budget_s,
        description="time for the trials of one group; "
        "when left out, 50s more where a ratio is not known to ±5% by then",
    )
    trials: Trials = Field(default_factory=Trials, description="fresh processes per contender")
    rounds_per_trial: Count = Field(_DEFAULT.rounds_per_trial, description="most rounds in one trial")
    block: Duration = Field(_DEFAULT.block_s, description="length of one block")
    warmup_max: Duration = Field(_DEFAULT.warmup_max_s, description="longest warm-up of one trial")
    deadline: Duration = Field(_DEFAULT.deadline_s, description="longest time that any single step may take")
    memory_limit: Size | SkipJsonSchema[None] = Field(
        None, description="most memory that one worker may allocate"
    )
    seed: Annotated[int, Field(strict=True, ge=0)] = Field(
        _DEFAULT.seed, description="seed of the random order of contenders in a round"
    )
    inputs: list[InputSet] = Field(
        default_factory=lambda: list(_DEFAULT.input_sets),
        min_length=1,
        description="input sets, kind:seed",
    )


class ExcludeEntry(Written):
    """Cases to leave out: those that match every key given here."""

    model: Name | SkipJsonSchema[None] = None
    contender: Contender | SkipJsonSchema[None] = None
    batch: Count | SkipJsonSchema[None] = None
    threads: Threads | SkipJsonSchema[None] = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("an exclusion names at least one of model, contender, batch, threads")
        return self


class ScopedEntry(Written):
    """Where a gate holds; everywhere, as far as keys are left out."""

    model: Name | SkipJsonSchema[None] = Field(None, description="only for this model")
    batch: Count | SkipJsonSchema[None] = Field(None, description="only for this batch")
    threads: Threads | SkipJsonSchema[None] = Field(None, description="only for this number of threads")


class LatencyEntry(ScopedEntry):
    """A latency percentile of one contender is at most `at_most` per call."""

    contender: Contender
    percentile: Percentile = "p50"
    at_most: Duration
    on_unsettled: OnUnsettled = Field(
        "fail", description="what an interval that straddles the threshold does to the run"
    )


class RatioEntry(ScopedEntry):
    """Latency of `of` divided by latency of `to` is at most `at_most`."""

    of: Contender
    to: Contender
    at_most: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
    on_unsettled: OnUnsettled = "fail"

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.of == self.to:
            raise ValueError("'of' and 'to' are the same contender")
        return self


class MemoryEntry(ScopedEntry):
    """The resident size of one contender's worker never exceeds `at_most`."""

    contender: Contender
    at_most: Size


class GateEntry(Written):
    """One gate: exactly one of these keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    parity: Literal["pass"] | SkipJsonSchema[None] = Field(
        None, description="every contender computes the right thing; holds for every run, written or not"
    )
    measured: Literal["all"] | SkipJsonSchema[None] = Field(None, description="every case is measured")
    latency: LatencyEntry | SkipJsonSchema[None] = None
    ratio: RatioEntry | SkipJsonSchema[None] = None
    memory: MemoryEntry | SkipJsonSchema[None] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"a gate has exactly one of the keys {known}")
        return self


class SuiteEntry(Written):
    """A suite: models × contenders × variants × scenarios, how to measure them, and what must hold."""

    model_config = ConfigDict(title="Suite of inference-harness")

    schema_version: Literal[1] = Field(alias="schema", description="version of this format")
    name: Annotated[
        str,
        BeforeValidator(_unbool),
        StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80),
    ] = Field(description="letters, digits, '.', '_' and '-'")
    description: Text = ""
    models: list[Model] = Field(min_length=1)
    contenders: list[Contender] = Field(
        min_length=1, description="backend[:flavour][@precision][==version][?option=value&...]"
    )
    variants: Variants = Field(default_factory=Variants)
    scenarios: list[Scenario] = Field(default_factory=_default_scenarios, min_length=1)
    settings: SettingsEntry = Field(default_factory=SettingsEntry)
    exclude: list[ExcludeEntry] = Field(default_factory=list)
    gates: list[GateEntry] = Field(default_factory=list)


def suite_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a suite file, as published in docs/reference/suite.schema.json."""
    schema = _without_null_defaults(SuiteEntry.model_json_schema(mode="validation"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def _without_null_defaults(node: Any) -> Any:
    """Drop `default: null`: a key that may be left out may still not be empty."""
    if isinstance(node, list):
        return [_without_null_defaults(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_null_defaults(value)
        for key, value in node.items()
        if not (key == "default" and value is None)
    }


def suite_schema_text() -> str:
    """The published file: the schema as indented JSON."""
    return json.dumps(suite_json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(suite_schema_text())

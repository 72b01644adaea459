"""What all records share: frozen values with no unknown keys, identifiers, moments, and doubts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, WithJsonSchema

PossiblyInfinite = Annotated[
    float, WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity", "NaN"]}]})
]
"""A float that JSON has no number for when it is infinite; it is written as a string then."""


def new_id() -> str:
    """A fresh random identifier (32 hexadecimal digits)."""
    return uuid4().hex


def now() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


class Record(BaseModel):
    """Base of all records: frozen, and unknown keys are an error rather than silently dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Warning_(Record):
    """A doubt about the measurement: the figure, its consequence, and what to do."""

    code: str
    message: str
    figure: float | None = None
    consequence: str = ""
    advice: str = ""

"""What a reader found: a value, or the reason why there is none. Missing is never zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """`value` is None exactly when nothing could be read; `reason` then says why, and what to do where that is known.

    With a value, `reason` may hold a caveat: how it was read when the usual way was closed.
    """

    value: T | None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise ValueError("a reading without a value needs a reason")

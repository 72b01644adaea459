"""What an engine tells, as text and values that can be printed, stored and sent: an engine may answer anything."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_KEPT = "\n\t"


def plain_text(value: object, most: int | None = None) -> str:
    """`value` as text without colours and control characters (line ends and tabs stay), `most` characters long."""
    text = _ESCAPE_SEQUENCE.sub("", str(value))
    text = "".join(c if c.isprintable() or c in _KEPT else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if most is None or len(text) <= most else text[:most] + "…"


def plain_value(value: object) -> Any:
    """`value` as JSON knows it: numbers, texts, lists and dictionaries stay, all else becomes text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, Mapping):
        return {plain_text(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    return plain_text(value)

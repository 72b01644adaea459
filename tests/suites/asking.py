"""The reference as the parent asks for it, and how far apart two arrays are."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from backends.contract import ModelSource
from suites.reference import reference


def ask(source: ModelSource, dtype: str, feeds: Any, **more: Any) -> tuple[str, dict[str, Any]]:
    arguments = json.loads(json.dumps({"source": source.to_json(), "dtype": dtype, **more}))
    answer, outputs = reference(arguments, feeds)
    assert list(outputs) == [spec.name for spec in source.outputs]
    return answer["description"], outputs


def relative(found: Any, right: Any) -> float:
    return float(np.sqrt(np.mean((found - right) ** 2) / np.mean(right**2)))

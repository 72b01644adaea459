"""From what `--data` names to a data set: a shipped one, a folder, a `.npz`, or JSON lines."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from suites.datasets.arrays import ArrayFile
from suites.datasets.dataset import Asked, Dataset
from suites.datasets.folder import PictureFolder
from suites.datasets.lines import TextLines
from suites.errors import ModelError
from suites.shipped import DIGITS_TEST

SHIPPED: Mapping[str, Path] = MappingProxyType({"digits": DIGITS_TEST})
"""Data sets that come with the harness, by the name that stands for their path."""
LINES = (".jsonl", ".ndjson")
_FORMS = (
    "expected a folder of pictures, a .npz with an array for each input and 'labels', or a .jsonl of texts; "
    f"or the name of a shipped data set: {', '.join(SHIPPED)}"
)


def find_data(name: str) -> Path:
    """The path that `--data NAME` stands for; a file or folder of that name comes first. Raises ModelError."""
    path = Path(name)
    if path.exists():
        return path
    if name in SHIPPED:
        return SHIPPED[name]
    near = difflib.get_close_matches(name, SHIPPED, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise ModelError(f"there are no data at {name}", f"{guess}{_FORMS}")


def open_data(path: Path, asked: Asked) -> Dataset:
    """The labelled data at `path`, checked against the model. Raises ModelError that names file and line."""
    if any(len(spec.shape) == 3 for spec in asked.outputs) and asked.pipeline.partition(":")[0] == "detect":
        raise ModelError(
            f"{asked.model!r} is a detector, whose accuracy (mean average precision) is not measured",
            "compare its outputs with `harness parity`, without --data",
        )
    if path.is_dir():
        return PictureFolder(path, asked)
    if path.suffix == ".npz":
        return ArrayFile(path, asked)
    if path.suffix in LINES:
        return TextLines(path, asked)
    raise ModelError(f"{path} is in no form that is known", _FORMS)

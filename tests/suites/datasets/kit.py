"""Small models' signatures and data in every form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from suites.catalogue import builtin
from suites.datasets.dataset import Asked


def asked(model: str = "digits-cnn", batch: int = 4, **other: Any) -> Asked:
    """What a built-in model asks of data."""
    signature = builtin(model)
    plain = Asked(model, signature.inputs, signature.outputs, signature.dims, batch, signature.pipeline)
    return replace(plain, **other)


def digits(count: int) -> tuple[Any, Any]:
    """The first pictures of the shipped test split, float32 [count, 1, 8, 8], and their labels."""
    from suites.shipped import DIGITS_TEST

    with np.load(DIGITS_TEST) as archive:
        return archive["input"][:count], archive["labels"][:count]


def write_picture(path: Path, ink: Any) -> None:
    """A digit, float [8, 8] from 0 to 1, as a PNG."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(ink * 255).astype(np.uint8)).save(path)


def write_lines(path: Path, rows: Sequence[object]) -> Path:
    """JSON lines; a str is written as it is."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path

"""Pictures in every form, and pipelines of built-in models."""

from __future__ import annotations

import importlib
import io
from typing import Any

import numpy as np

from suites.catalogue import builtin
from suites.pipelines.catalogue import SAMPLES, pipeline

COFFEE = (SAMPLES / "coffee.jpg").read_bytes()
CAT = (SAMPLES / "cat.jpg").read_bytes()
CODECS = ("pillow", "opencv")


def make(name: str, implementation: str, model: str, **dims: int) -> Any:
    place, _, attribute = pipeline(name).factory.partition(":")
    signature = builtin(model)
    factory = getattr(importlib.import_module(place), attribute)
    return factory(implementation, signature.inputs, signature.outputs, {**signature.dims, **dims})


def encoded(pixels: Any, form: str = "PNG", mode: str = "", **options: Any) -> bytes:
    """An encoded picture of uint8 [height, width, 3] (or what `mode` takes)."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, form, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> Any:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def flat(width: int, height: int, colour: tuple[int, int, int] = (200, 100, 50)) -> Any:
    return np.full((height, width, 3), colour, np.uint8)

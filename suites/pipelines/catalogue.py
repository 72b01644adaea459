"""The pipelines: what they are called, do and need. Standard library only."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from suites.errors import ModelError

SAMPLES = Path(__file__).parent.parent / "samples"
"""Pictures and texts that come with the harness; their sources and licences are in its README."""


@dataclass(frozen=True)
class PipelineSpec:
    """Pre- and post-processing that models can be measured with.

    `factory` is "package.module:callable"; called as factory(implementation, inputs, outputs, dims) it returns a
    `suites.pipelines.pipeline.Pipeline`. `implementations` are the libraries that can do the work, the first by
    default. `samples` are files to feed it with, absolute, one item each: `takes` says whether "pictures" or "texts".
    """

    name: str
    summary: str
    factory: str
    implementations: tuple[str, ...]
    takes: str
    samples: tuple[Path, ...]


_PICTURES = (SAMPLES / "coffee.jpg", SAMPLES / "cat.jpg")

_PIPELINES = (
    PipelineSpec(
        name="classify",
        summary="decode, resize, crop the centre, normalise; softmax and the five best classes",
        factory="suites.pipelines.classify:make",
        implementations=("pillow", "opencv"),
        takes="pictures",
        samples=_PICTURES,
    ),
    PipelineSpec(
        name="digits",
        summary="decode, shrink to 8 x 8 pixels of ink; softmax and the five best digits",
        factory="suites.pipelines.digits:make",
        implementations=("pillow", "opencv"),
        samples=(SAMPLES / "digit-3.png", SAMPLES / "digit-7.png"),
        takes="pictures",
    ),
    PipelineSpec(
        name="detect",
        summary="decode, letterbox; threshold, non-maximum suppression, boxes in the picture's own pixels",
        factory="suites.pipelines.detect:make",
        implementations=("pillow", "opencv"),
        takes="pictures",
        samples=_PICTURES,
    ),
    PipelineSpec(
        name="embed",
        summary="WordPiece tokens, cut or padded to the sequence; mean over the tokens, unit length",
        factory="suites.pipelines.embed:make",
        implementations=("tokenizers",),
        takes="texts",
        samples=tuple(SAMPLES / f"{name}.txt" for name in ("bread", "harbour", "clocks")),
    ),
)

PIPELINES: Mapping[str, PipelineSpec] = MappingProxyType({spec.name: spec for spec in _PIPELINES})


def pipeline(name: str) -> PipelineSpec:
    """The pipeline called `name`; raises ModelError, with the nearest name, when there is none."""
    if name in PIPELINES:
        return PIPELINES[name]
    near = difflib.get_close_matches(name.lower(), PIPELINES, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise ModelError(f"there is no pipeline {name!r}", f"{guess}Pipelines: {', '.join(PIPELINES)}")

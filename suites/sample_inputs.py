"""Input sets of real pictures and texts: the shipped samples through a pipeline. A job: it needs Pillow, tokenizers."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from backends.contract import Array, TensorSpec
from suites.errors import ModelError
from suites.pipelines.catalogue import pipeline
from suites.pipelines.pipeline import Pipeline


def check_samples(kind: str, pipeline_name: str, model: str) -> None:
    """Raise ModelError where the pipeline of `model` does not make inputs of this kind of samples."""
    if not pipeline_name or pipeline_name == "none":
        raise ModelError(
            f"the input set {kind!r} needs a pipeline, and the model {model!r} has none",
            "name one with --pipeline, or take another input set, e.g. normal:0",
        )
    spec = pipeline(pipeline_name.partition(":")[0])
    if spec.takes != kind:
        raise ModelError(
            f"the input set {kind!r} does not fit the model {model!r}: its pipeline {spec.name!r} takes {spec.takes}",
            f"take {spec.takes!r} in its place",
        )


def sample_inputs(
    arguments: dict[str, Any], _arrays: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: the model's inputs for `arguments["batch"]` shipped samples, taken in turn from the first.

    `arguments` has "pipeline" (NAME[:IMPLEMENTATION]), "inputs" and "outputs" (signature, see `TensorSpec.to_json`),
    "dims" and "batch". Answers {"items": names of the samples, "implementation": the libraries}, and the inputs by
    name. Raises ModelError for a pipeline that does not fit the model or whose library is not installed.
    """
    name, _, implementation = str(arguments["pipeline"]).partition(":")
    spec = pipeline(name)
    module, _, attribute = spec.factory.partition(":")
    inputs, outputs = (
        tuple(TensorSpec.from_json(entry) for entry in arguments[key]) for key in ("inputs", "outputs")
    )
    made: Pipeline = getattr(importlib.import_module(module), attribute)(
        implementation or spec.implementations[0], inputs, outputs, dict(arguments["dims"])
    )
    chosen = [spec.samples[place % len(spec.samples)] for place in range(int(arguments["batch"]))]
    feeds = made.preprocess([Path(path).read_bytes() for path in chosen])
    answer = {
        "items": [path.name for path in chosen],
        "implementation": str(made.implementation.get("preprocess", "")),
    }
    return answer, {spec.name: feeds[spec.name] for spec in inputs}

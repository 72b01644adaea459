"""The pipeline that makes a model's inputs of labelled items: the one asked for, checked to take such items."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from backends.contract import TensorSpec
from suites.datasets.dataset import Asked
from suites.errors import ModelError
from suites.pipelines.catalogue import pipeline
from suites.pipelines.pipeline import Pipeline
from suites.pipelines.tokens import takes_tokens


def make_pipeline(asked: Asked, kind: str) -> Pipeline:
    """The pipeline of `asked`; `kind` is what it has to take, e.g. "pictures".

    Raises ModelError where there is none, it takes something else, or it does not fit the model.
    """
    name, _, implementation = asked.pipeline.partition(":")
    if not name or name == "none":
        raise ModelError(
            f"{kind} need a pipeline, and the model {asked.model!r} has none",
            "name one with --pipeline, e.g. --pipeline classify",
        )
    spec = pipeline(name)
    if spec.takes != kind:
        raise ModelError(
            f"the data are {kind}, the pipeline {name!r} of {asked.model!r} takes {spec.takes}",
            "give data that fit the model",
        )
    module, _, attribute = spec.factory.partition(":")
    made: Pipeline = getattr(importlib.import_module(module), attribute)(
        implementation or spec.implementations[0], asked.inputs, asked.outputs, asked.dims
    )
    return made


def fitting_pipeline(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> str:
    """The pipeline that fits a model by its signature alone; "" where that does not tell.

    Only pictures in three channels to logits are told so, and tokens: one channel may hold anything.
    """
    if inputs and takes_tokens(inputs):
        return "embed"
    shapes = [spec.shape for spec in (*inputs, *outputs)]
    picture = (
        [len(shape) for shape in shapes] == [4, 2] and shapes[0][1] == 3 and shapes[0][2] == shapes[0][3]
    )
    return "classify" if picture and inputs[0].dtype == "float32" else ""

"""What a pipeline is, its error, and the checks that all of them share."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, Protocol

import numpy as np

from backends.contract import Array, TensorSpec
from suites.errors import ModelError


class PipelineError(ModelError):
    """An item cannot be made into inputs, or outputs into an answer; the message names which one and why."""


class Pipeline(Protocol):
    """Pre- and post-processing of one model.

    `postprocess` belongs to the last `preprocess`: what it needs of the items (the size of a picture, the mask of a
    text) is kept from there. Calls that overlap take a pipeline each.
    """

    @property
    def implementation(self) -> Mapping[str, str]:
        """Which libraries do the work: "preprocess" and "postprocess" -> names and versions."""

    def preprocess(self, items: Sequence[bytes]) -> dict[str, Array]:
        """Encoded pictures, or texts in UTF-8, one for each entry of the batch -> the model's inputs by name.

        The arrays are C-contiguous and have the declared dtypes. Raises PipelineError that names the item.
        """

    def postprocess(self, outputs: Mapping[str, Array]) -> object:
        """The model's outputs by name -> the answer, a list with one entry for each item, JSON-able.

        Raises PipelineError when an output is missing, has another shape than the items ask for, or is not finite.
        """


def library(package: str, module: str, extra: str, pipeline: str) -> Any:
    """Import `module`; raises ModelError with the command that installs it when it is not here."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ModelError(
            f"the pipeline {pipeline!r} needs {package}, which cannot be imported: {error}",
            f"pip install 'inference-harness[{extra}]'",
        ) from error


def versions(*packages: str) -> str:
    """The names and versions of what is installed, e.g. "pillow 13.0.0 + numpy 2.4.6"."""
    return " + ".join(f"{package} {metadata.version(package)}" for package in packages)


def unknown_implementation(pipeline: str, implementation: str, known: Sequence[str]) -> ModelError:
    """The error for an implementation that a pipeline does not have."""
    return ModelError(
        f"the pipeline {pipeline!r} has no implementation {implementation!r}",
        f"its implementations: {', '.join(known)}",
    )


def item_name(index: int, count: int, kind: str) -> str:
    """How messages name an item, e.g. "picture 2 of 8"."""
    return f"{kind} {index + 1} of {count}"


def checked_output(outputs: Mapping[str, Array], spec: TensorSpec, shape: tuple[int, ...]) -> Array:
    """The output that `spec` names, float32; raises PipelineError where it is missing, misshapen or not finite."""
    if spec.name not in outputs:
        raise PipelineError(
            f"the output {spec.name!r} is missing",
            f"postprocessing was given: {', '.join(outputs) or 'nothing'}",
        )
    array = np.asarray(outputs[spec.name])
    if array.shape != shape:
        raise PipelineError(
            f"the output {spec.name!r} has the shape {list(array.shape)}, expected {list(shape)}",
            "pass the outputs of the inputs that the last preprocess made",
        )
    finite = np.isfinite(array)
    if not finite.all():
        entry = int(np.argmin(finite.reshape(len(array), -1).all(axis=1)))
        bad = int(np.count_nonzero(~finite))
        first = item_name(entry, len(array), "item")
        raise PipelineError(
            f"the output {spec.name!r} has {bad} values that are not finite, first for {first}",
            "check the contender's parity: an answer cannot be made of NaN or infinity",
        )
    return array.astype(np.float32, copy=False)

"""Handwritten digits: a picture of one digit, light on dark, to 8 x 8 pixels of ink; logits to the best digits.

The data set that the model is trained on counts the inked pixels in each of 8 x 8 fields (Alpaydin, Kaynak, "Cascading
Classifiers", 1998); shrinking by area does the same to a picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec
from suites.pipelines.classify import best_classes, check_classifier
from suites.pipelines.pictures import Codec, as_planes, codec, decoded
from suites.pipelines.pipeline import Pipeline, checked_output, versions


def make(
    implementation: str,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    _dims: Mapping[str, int],
) -> Pipeline:
    """The pipeline for a model with one input float32 [batch, 1, n, n], 0 to 1, and one output [batch, classes].

    Raises ModelError for another signature, an unknown implementation, or a library that is not installed.
    """
    check_classifier("digits", 1, inputs, outputs)
    return _Digits(codec(implementation, "digits"), inputs[0], outputs[0])


class _Digits:
    def __init__(self, codec: Codec, image: TensorSpec, logits: TensorSpec) -> None:
        self._codec, self._image, self._logits = codec, image, logits
        self._edge = int(image.shape[2])
        self._count = 0

    @property
    def implementation(self) -> Mapping[str, str]:
        """Pictures by Pillow or OpenCV, the rest by numpy."""
        numpy = versions("numpy")
        return {"preprocess": f"{self._codec.versions()} + {numpy}", "postprocess": numpy}

    def preprocess(self, items: Sequence[bytes]) -> dict[str, Array]:
        """See `Pipeline`."""
        batch = np.empty((len(items), 1, self._edge, self._edge), np.float32)
        for index in range(len(items)):
            picture = decoded(self._codec, items, index)
            batch[index, 0] = as_planes(self._codec.resized(picture, self._edge, self._edge)).mean(axis=0)
        self._count = len(items)
        return {self._image.name: batch}

    def postprocess(self, outputs: Mapping[str, Array]) -> list[list[dict[str, Any]]]:
        """For each item the best classes, most probable first: {"class": index, "probability": 0 to 1}."""
        logits = checked_output(outputs, self._logits, (self._count, int(self._logits.shape[1])))
        return best_classes(logits)

"""Image classification: a picture to a normalised crop, logits to the five most probable classes.

The sizes and the means and deviations of ImageNet are those of He, Zhang, Ren, Sun, "Deep Residual Learning for Image
Recognition" (2015), section 3.4, in the form in which torchvision's references evaluate it: the shorter side to
256 pixels, the centre 224 x 224, and in proportion for models of other sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec
from suites.errors import ModelError
from suites.pipelines.pictures import MAX_PIXELS, Codec, as_planes, codec, decoded
from suites.pipelines.pipeline import Pipeline, PipelineError, checked_output, item_name, versions

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
RATIO = 256 / 224
BEST = 5


def make(
    implementation: str,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    _dims: Mapping[str, int],
) -> Pipeline:
    """The pipeline for a model with one input float32 [batch, 3, n, n] and one output float32 [batch, classes].

    Raises ModelError for another signature, an unknown implementation, or a library that is not installed.
    """
    check_classifier("classify", 3, inputs, outputs)
    return _Classify(codec(implementation, "classify"), inputs[0], outputs[0])


def check_classifier(
    pipeline: str, channels: int, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> None:
    """Raise ModelError unless a model takes float32 [batch, channels, n, n] and gives [batch, classes]."""
    shapes = [spec.shape for spec in (*inputs, *outputs)]
    fits = (
        (len(inputs), len(outputs)) == (1, 1)
        and [len(shape) for shape in shapes] == [4, 2]
        and shapes[0][1] == channels
        and shapes[0][2] == shapes[0][3]
        and isinstance(shapes[0][2], int)
        and isinstance(shapes[1][1], int)
        and inputs[0].dtype == "float32"
    )
    if not fits:
        raise ModelError(
            f"the pipeline {pipeline!r} does not fit inputs {shapes[: len(inputs)]} and outputs "
            f"{shapes[len(inputs) :]}",
            f"it takes a model with one input float32 [batch, {channels}, n, n] and one output [batch, classes]",
        )


class _Classify:
    def __init__(self, codec: Codec, image: TensorSpec, logits: TensorSpec) -> None:
        self._codec, self._image, self._logits = codec, image, logits
        self._edge = int(image.shape[2])
        self._count = 0
        self._shift = (np.array(MEAN, np.float32) / np.array(DEVIATION, np.float32))[:, None, None]
        self._scale = (1 / np.array(DEVIATION, np.float32))[:, None, None]

    @property
    def implementation(self) -> Mapping[str, str]:
        """Pictures by Pillow or OpenCV, the rest by numpy."""
        numpy = versions("numpy")
        return {"preprocess": f"{self._codec.versions()} + {numpy}", "postprocess": numpy}

    def preprocess(self, items: Sequence[bytes]) -> dict[str, Array]:
        """See `Pipeline`."""
        batch = np.empty((len(items), 3, self._edge, self._edge), np.float32)
        for index in range(len(items)):
            planes = as_planes(self._crop(items, index))
            planes *= self._scale
            planes -= self._shift
            batch[index] = planes
        self._count = len(items)
        return {self._image.name: batch}

    def postprocess(self, outputs: Mapping[str, Array]) -> list[list[dict[str, Any]]]:
        """For each item the best classes, most probable first: {"class": index, "probability": 0 to 1}."""
        classes = int(self._logits.shape[1])
        logits = checked_output(outputs, self._logits, (self._count, classes))
        return best_classes(logits)

    def _crop(self, items: Sequence[bytes], index: int) -> Array:
        picture = decoded(self._codec, items, index)
        width, height = self._codec.size(picture)
        shorter = round(self._edge * RATIO)
        scale = shorter / min(width, height)
        wide, high = max(shorter, round(width * scale)), max(shorter, round(height * scale))
        if wide * high > MAX_PIXELS:
            raise PipelineError(
                f"{item_name(index, len(items), 'picture')} has {width} x {height} pixels; "
                f"with its shorter side at {shorter} it would have {wide} x {high}",
                f"give a picture that is less narrow: at most {MAX_PIXELS:,} pixels after resizing",
            )
        pixels = self._codec.resized(picture, wide, high)
        left, top = (wide - self._edge) // 2, (high - self._edge) // 2
        return pixels[top : top + self._edge, left : left + self._edge]


def best_classes(logits: Array) -> list[list[dict[str, Any]]]:
    """Logits float32 [batch, classes] -> for each row the best classes, most probable first."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :BEST]
    return [
        [{"class": int(index), "probability": float(row[index])} for index in order]
        for row, order in zip(probabilities, best, strict=True)
    ]

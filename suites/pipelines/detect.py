"""Object detection: a picture to a letterboxed square, predictions to boxes in the picture's own pixels.

The grey of the border, the thresholds and the number of detections are those that YOLO detectors use by custom:
114, a score of 0.25, an overlap of 0.45, at most 300.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec
from suites.errors import ModelError
from suites.pipelines.boxes import Letterbox, corners_of, suppress
from suites.pipelines.pictures import Codec, as_planes, codec, decoded
from suites.pipelines.pipeline import Pipeline, checked_output, library, versions

GREY = 114
SCORE = 0.25
OVERLAP = 0.45
MOST = 300

Suppress = Callable[[Array, Array, Array, float, int], Array]


def make(
    implementation: str,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    _dims: Mapping[str, int],
) -> Pipeline:
    """The pipeline for a model with one input float32 [batch, 3, n, n], 0 to 1, and one output [batch, boxes,
    4 + classes]: centre x, centre y, width and height in pixels of the input, then scores from 0 to 1.

    Raises ModelError for another signature, an unknown implementation, or a library that is not installed.
    """
    shapes = [spec.shape for spec in (*inputs, *outputs)]
    fits = (
        (len(inputs), len(outputs)) == (1, 1)
        and [len(shape) for shape in shapes] == [4, 3]
        and shapes[0][1] == 3
        and shapes[0][2] == shapes[0][3]
        and all(isinstance(dim, int) for dim in (shapes[0][2], *shapes[1][1:]))
        and int(shapes[1][2]) > 4
        and inputs[0].dtype == "float32"
    )
    if not fits:
        raise ModelError(
            f"the pipeline 'detect' does not fit inputs {shapes[: len(inputs)]} and outputs {shapes[len(inputs) :]}",
            "it takes a model with one input float32 [batch, 3, n, n] and one output [batch, boxes, 4 + classes]",
        )
    pictures = codec(implementation, "detect")
    if implementation == "opencv":
        return _Detect(pictures, inputs[0], outputs[0], _opencv_suppress(), pictures.versions())
    return _Detect(pictures, inputs[0], outputs[0], suppress, "")


def _opencv_suppress() -> Suppress:
    batched = library("opencv-python-headless", "cv2", "vision", "detect").dnn.NMSBoxesBatched

    def by_opencv(corners: Array, scores: Array, classes: Array, overlap: float, most: int) -> Array:
        if not len(scores):
            return np.empty(0, np.int64)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        kept = np.asarray(batched(boxes, scores, classes.astype(np.int32), 0.0, overlap), np.int64).ravel()
        # It answers class by class.
        return kept[np.lexsort((kept, -scores[kept]))][:most]

    return by_opencv


class _Detect:
    def __init__(
        self, codec: Codec, image: TensorSpec, predictions: TensorSpec, suppress: Suppress, suppressed_by: str
    ) -> None:
        self._codec, self._image, self._predictions, self._suppress = codec, image, predictions, suppress
        self._suppressed_by = suppressed_by
        self._edge = int(image.shape[2])
        self._boxes: list[Letterbox] = []

    @property
    def implementation(self) -> Mapping[str, str]:
        """Pictures by Pillow or OpenCV; suppression by numpy or OpenCV; the rest by numpy."""
        numpy = versions("numpy")
        after = f"{self._suppressed_by} + {numpy}" if self._suppressed_by else numpy
        return {"preprocess": f"{self._codec.versions()} + {numpy}", "postprocess": after}

    def preprocess(self, items: Sequence[bytes]) -> dict[str, Array]:
        """See `Pipeline`."""
        batch = np.empty((len(items), 3, self._edge, self._edge), np.float32)
        letterboxes = []
        for index in range(len(items)):
            picture = decoded(self._codec, items, index)
            box = Letterbox(*self._codec.size(picture), self._edge)
            (wide, high), (left, top) = box.size, box.corner
            square = np.full((self._edge, self._edge, 3), GREY, np.uint8)
            square[top : top + high, left : left + wide] = self._codec.resized(picture, wide, high)
            batch[index] = as_planes(square)
            letterboxes.append(box)
        self._boxes = letterboxes
        return {self._image.name: batch}

    def postprocess(self, outputs: Mapping[str, Array]) -> list[list[dict[str, Any]]]:
        """For each item its detections, best first: {"box": [left, top, right, bottom], "class", "score"}."""
        shape = (len(self._boxes), *(int(dim) for dim in self._predictions.shape[1:]))
        predictions = checked_output(outputs, self._predictions, shape)
        return [self._found(rows, box) for rows, box in zip(predictions, self._boxes, strict=True)]

    def _found(self, rows: Array, letterbox: Letterbox) -> list[dict[str, Any]]:
        best = rows[:, 4:].max(axis=1)
        rows = rows[best > SCORE]
        classes, scores = rows[:, 4:].argmax(axis=1), best[best > SCORE]
        corners = corners_of(rows[:, :4])
        kept = self._suppress(corners, scores, classes, OVERLAP, MOST)
        boxes = letterbox.back(corners[kept])
        return [
            {
                "box": [float(value) for value in box],
                "class": int(classes[index]),
                "score": float(scores[index]),
            }
            for box, index in zip(boxes, kept, strict=True)
        ]

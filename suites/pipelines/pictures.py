"""Decoding and resizing of pictures, by Pillow or by OpenCV, each to 8-bit RGB the right way up."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from backends.contract import Array
from suites.pipelines.pipeline import (
    PipelineError,
    item_name,
    library,
    unknown_implementation,
    versions,
)

MAX_PIXELS = 50_000_000
"""A picture with more is refused before it is decoded: a small file can claim to hold gigabytes."""
IMPLEMENTATIONS = ("pillow", "opencv")
_PIXEL_LIMIT = "OPENCV_IO_MAX_IMAGE_PIXELS"
_EXACT = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
"""Pillow's modes of 8 bits or fewer. It would cut the others (16 bits, floats) off at 255."""


class Codec(Protocol):
    """One library's way from an encoded picture to pixels. A decoded picture is opaque."""

    def versions(self) -> str:
        """Name and version of the library."""

    def decode(self, data: bytes) -> Any:
        """The picture, turned as its EXIF orientation says. Raises ValueError with the reason."""

    def size(self, picture: Any) -> tuple[int, int]:
        """Width and height in pixels."""

    def resized(self, picture: Any, width: int, height: int) -> Array:
        """uint8 [height, width, 3], red first; each new pixel is a mean over what it covers of the old ones."""


def codec(implementation: str, pipeline: str) -> Codec:
    """The codec called `implementation`; raises ModelError when there is none, or its library is not here."""
    if implementation == "pillow":
        return _Pillow(pipeline)
    if implementation == "opencv":
        return _OpenCV(pipeline)
    raise unknown_implementation(pipeline, implementation, IMPLEMENTATIONS)


def decoded(codec: Codec, items: Sequence[bytes], index: int) -> Any:
    """Item `index`, decoded; raises PipelineError that names it."""
    name = item_name(index, len(items), "picture")
    if not items[index]:
        raise PipelineError(f"{name} is empty", "give a file with a picture in it")
    try:
        return codec.decode(items[index])
    except ValueError as error:
        raise PipelineError(
            f"{name} ({len(items[index])} bytes) cannot be decoded: {error}",
            f"give a whole JPEG or PNG with 8 bits a channel and at most {MAX_PIXELS:,} pixels",
        ) from error


def as_planes(pixels: Array) -> Array:
    """uint8 [height, width, 3] -> float32 [3, height, width], C-contiguous, 0 to 1."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)
    planes *= np.float32(1 / 255)
    return planes


class _Pillow:
    def __init__(self, pipeline: str) -> None:
        self._image = library("pillow", "PIL.Image", "vision", pipeline)
        self._turn = library("pillow", "PIL.ImageOps", "vision", pipeline).exif_transpose

    def versions(self) -> str:
        return versions("pillow")

    def decode(self, data: bytes) -> Any:
        try:
            # Only the header is read here; Pillow's own guard against large pictures may raise already.
            picture = self._image.open(io.BytesIO(data))
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise ValueError(f"it has {width} x {height} pixels")
            if picture.mode not in _EXACT:
                raise ValueError(f"its pixels are {picture.mode!r}, with more than 8 bits a channel")
            return self._turn(picture).convert("RGB")
        except self._image.DecompressionBombError as error:
            raise ValueError(str(error)) from error
        except self._image.UnidentifiedImageError as error:
            raise ValueError("it is in no format that Pillow knows") from error
        except (OSError, SyntaxError, EOFError) as error:
            raise ValueError(str(error) or type(error).__name__) from error

    def size(self, picture: Any) -> tuple[int, int]:
        return int(picture.width), int(picture.height)

    def resized(self, picture: Any, width: int, height: int) -> Array:
        small = picture.resize((width, height), self._image.Resampling.BILINEAR)
        return np.asarray(small)


class _OpenCV:
    def __init__(self, pipeline: str) -> None:
        # Read once, when OpenCV is loaded.
        os.environ.setdefault(_PIXEL_LIMIT, str(MAX_PIXELS))
        self._cv = library("opencv-python-headless", "cv2", "vision", pipeline)
        # The number of threads is the contender's; OpenCV's own would come on top of them.
        self._cv.setNumThreads(1)
        self._cv.utils.logging.setLogLevel(self._cv.utils.logging.LOG_LEVEL_SILENT)

    def versions(self) -> str:
        return f"opencv {self._cv.__version__}"

    def decode(self, data: bytes) -> Any:
        try:
            picture = self._cv.imdecode(np.frombuffer(data, np.uint8), self._cv.IMREAD_COLOR_RGB)
        except self._cv.error as error:
            raise ValueError(" ".join(str(error).split())) from error
        if picture is None:
            raise ValueError("it is cut short, damaged, or in no format that OpenCV knows")
        return picture

    def size(self, picture: Any) -> tuple[int, int]:
        return int(picture.shape[1]), int(picture.shape[0])

    def resized(self, picture: Any, width: int, height: int) -> Array:
        shrinks = width < picture.shape[1] or height < picture.shape[0]
        how = self._cv.INTER_AREA if shrinks else self._cv.INTER_LINEAR
        return np.asarray(self._cv.resize(picture, (width, height), interpolation=how))

"""Labelled arrays in a `.npz`: one array for each of the model's inputs, and `labels`.

Arrays are read row by row out of the archive, compressed or not, so that memory holds one batch and not the file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from backends.contract import Array, TensorSpec
from suites.datasets.dataset import Asked, check_labels, class_output
from suites.errors import ModelError

LABELS = "labels"
_BROKEN = (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError)


class ArrayFile:
    """A `Dataset` in a `.npz`. Batches are quickest in order: going back reads the arrays from their beginning."""

    form = "npz"
    task = "classification"
    processing = ""

    def __init__(self, path: Path, asked: Asked) -> None:
        """Raises ModelError for a file, a name, a dtype, a shape or a label that does not fit."""
        self._path, self._asked = path, asked
        self.classes = int(class_output(asked).shape[1])
        self._archive = _opened(path)
        self._check_names()
        self.targets = self._labels()
        self.rows = len(self.targets)
        self._streams = {spec.name: self._stream(spec) for spec in asked.inputs}

    def batch(self, index: int) -> dict[str, Array]:
        """See `Dataset`."""
        size = self._asked.batch
        start = index * size
        count = min(size, self.rows - start)
        feeds = {}
        for spec in self._asked.inputs:
            rows = self._rows(spec, start, count)
            feeds[spec.name] = np.concatenate([rows, np.repeat(rows[-1:], size - count, axis=0)])
        return feeds

    def _rows(self, spec: TensorSpec, start: int, count: int) -> Array:
        if self._streams[spec.name].next > start:
            self._streams[spec.name] = self._stream(spec)
        try:
            return self._streams[spec.name].rows(start, count)
        except _BROKEN as error:
            raise ModelError(
                f"{self._path}: the array {spec.name!r} cannot be read: {error}", "write the file again"
            ) from error

    def _check_names(self) -> None:
        held = {name.removesuffix(".npy") for name in self._archive.namelist()}
        wanted = [spec.name for spec in self._asked.inputs]
        for name in (*wanted, LABELS):
            if name not in held:
                raise ModelError(
                    f"{self._path} has no array {name!r}; it holds {', '.join(sorted(held)) or 'nothing'}",
                    f"save one array for each input ({', '.join(wanted)}), and {LABELS!r}, with numpy.savez",
                )
        extra = sorted(held - {*wanted, LABELS})
        if extra:
            raise ModelError(
                f"{self._path} holds {extra[0]!r}, which the model does not take",
                f"the model takes: {', '.join(wanted)}; beside them only {LABELS!r} is read",
            )

    def _labels(self) -> Array:
        stream = _Stream(self._path, self._archive, LABELS)
        if len(stream.shape) != 1 or stream.dtype.kind not in "iu":
            raise ModelError(
                f"{self._path}: {LABELS!r} is {stream.dtype} {list(stream.shape)}",
                "expected whole numbers [items], e.g. int64",
            )
        if not stream.shape[0]:
            raise ModelError(f"{self._path}: {LABELS!r} is empty", "give at least one item")
        try:
            labels = stream.rows(0, stream.shape[0]).astype(np.int64)
        except _BROKEN as error:
            raise ModelError(f"{self._path}: {LABELS!r} cannot be read: {error}", "write it again") from error
        check_labels(labels, self.classes, str(self._path))
        return labels

    def _stream(self, spec: TensorSpec) -> _Stream:
        stream = _Stream(self._path, self._archive, spec.name)
        if stream.dtype != np.dtype(spec.dtype):
            raise ModelError(
                f"{self._path}: {spec.name!r} is {stream.dtype}, the model takes {spec.dtype}",
                f"save it with .astype({spec.dtype!r})",
            )
        wanted = _row_shape(spec, self._asked.dims)
        fits = len(stream.shape) == len(spec.shape) and all(
            dim is None or dim == size for dim, size in zip(wanted, stream.shape[1:], strict=True)
        )
        if not fits or stream.shape[0] != self.rows:
            raise ModelError(
                f"{self._path}: {spec.name!r} has the shape {list(stream.shape)}",
                f"the model takes {list(spec.shape)}, and there are {self.rows} labels: one row for each is expected",
            )
        return stream


def _row_shape(spec: TensorSpec, dims: Mapping[str, int]) -> tuple[int | None, ...]:
    return tuple(dim if isinstance(dim, int) else dims.get(dim) for dim in spec.shape[1:])


class _Stream:
    """An array of the archive, its rows read in order. `next` is the first row that was not read yet."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, name: str) -> None:
        try:
            self._file: IO[bytes] = archive.open(f"{name}.npy")
            version = np.lib.format.read_magic(self._file)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            self.shape, fortran, self.dtype = read(self._file)
        except _BROKEN as error:
            raise ModelError(
                f"{path}: the array {name!r} cannot be read: {error}", "save it with numpy.savez"
            ) from error
        if self.dtype.hasobject:
            raise ModelError(
                f"{path}: {name!r} holds Python objects, which are not read: loading them can run code",
                "save numbers",
            )
        if fortran and len(self.shape) > 1:
            raise ModelError(
                f"{path}: {name!r} is stored column by column, and cannot be read row by row",
                "save numpy.ascontiguousarray of it",
            )
        if not self.shape:
            raise ModelError(
                f"{path}: {name!r} is a single value", "save an array with one row for each item"
            )
        self._row_bytes = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        self.next = 0

    def rows(self, start: int, count: int) -> Array:
        """Rows `start` to `start + count`; raises ValueError where the data end before."""
        self._skip((start - self.next) * self._row_bytes)
        data = self._file.read(count * self._row_bytes)
        if len(data) != count * self._row_bytes:
            raise ValueError(f"its data end in row {start + len(data) // max(1, self._row_bytes) + 1}")
        self.next = start + count
        native = self.dtype.newbyteorder("=")
        return np.frombuffer(data, self.dtype).astype(native).reshape(count, *self.shape[1:])

    def _skip(self, left: int) -> None:
        while left > 0:
            data = self._file.read(min(left, 2**20))
            if not data:
                raise ValueError("its data end too early")
            left -= len(data)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _BROKEN as error:
        raise ModelError(
            f"cannot read {path}: {error}",
            "expected a numpy .npz file: one array for each input, and 'labels'",
        ) from error

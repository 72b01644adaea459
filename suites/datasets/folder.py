"""Pictures with labels: one sub-folder for each class, or a table `labels.csv` or `labels.jsonl` in the folder.

Which place in the model's output a class has:

- `classes.txt` in the folder says so, one name a line in the order of the output;
- without it, names that are whole numbers are the places themselves;
- without it, other names take their places in the order of their code points, and there must be as many as the model
  has classes: with fewer, the order alone would give wrong places in silence.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from backends.contract import Array
from suites.datasets.dataset import Asked, class_output, padded
from suites.datasets.pipelines import make_pipeline
from suites.errors import ModelError
from suites.pipelines.pipeline import PipelineError

CLASSES = "classes.txt"
TABLES = ("labels.csv", "labels.jsonl")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif")


class PictureFolder:
    """A `Dataset` of pictures in files, made into inputs by a pipeline."""

    form = "folder"
    task = "classification"

    def __init__(self, path: Path, asked: Asked) -> None:
        """Raises ModelError for a folder that is laid out otherwise, and a pipeline that does not fit."""
        self._asked = asked
        self.classes = int(class_output(asked).shape[1])
        self._pipeline = make_pipeline(asked, "pictures")
        self.processing = f"{asked.pipeline}: {self._pipeline.implementation['preprocess']}"
        labelled = _labelled(path, self.classes)
        self._files = [file for file, _ in labelled]
        self.targets = np.array([label for _, label in labelled], np.int64)
        self.rows = len(labelled)

    def batch(self, index: int) -> dict[str, Array]:
        """See `Dataset`."""
        size = self._asked.batch
        places = padded(list(range(index * size, min((index + 1) * size, self.rows))), size)
        encoded = []
        for place in places:
            try:
                encoded.append(self._files[place].read_bytes())
            except OSError as error:
                raise ModelError(
                    f"{self._files[place]} cannot be read: {error.strerror}", "check its permissions"
                ) from error
        try:
            return self._pipeline.preprocess(encoded)
        except PipelineError:
            self._blame(places, encoded)
            raise

    def _blame(self, places: list[int], encoded: list[bytes]) -> None:
        """Raise for the first picture that cannot be made into inputs, naming its file."""
        for place, data in zip(places, encoded, strict=True):
            try:
                self._pipeline.preprocess([data])
            except PipelineError as error:
                raise ModelError(f"{self._files[place]}: {error.message}", error.hint) from error


def _labelled(path: Path, classes: int) -> list[tuple[Path, int]]:
    """Files and labels, in the table's order or by class and name."""
    order = _class_order(path, classes)
    tables = [path / name for name in TABLES if (path / name).is_file()]
    if len(tables) > 1:
        raise ModelError(f"{path} has both {TABLES[0]} and {TABLES[1]}", "keep one of them")
    found = _from_table(tables[0], order, classes) if tables else _from_folders(path, order, classes)
    if not found:
        raise ModelError(f"{path} holds no pictures", f"known pictures: {', '.join(SUFFIXES)}")
    return found


def _class_order(path: Path, classes: int) -> dict[str, int] | None:
    """Name of a class -> its place, where `classes.txt` says so."""
    file = path / CLASSES
    if not file.is_file():
        return None
    try:
        names = [line.strip() for line in file.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file} cannot be read: {error}", "expected one class a line, in UTF-8") from error
    while names and not names[-1]:
        names.pop()
    order: dict[str, int] = {}
    for line, name in enumerate(names, 1):
        if not name:
            raise ModelError(
                f"{file}, line {line}: it is empty", "expected the name of a class in every line"
            )
        if name in order:
            raise ModelError(
                f"{file}, line {line}: {name!r} is in line {order[name] + 1} already", "name each class once"
            )
        order[name] = line - 1
    if len(names) > classes:
        raise ModelError(
            f"{file} names {len(names)} classes, the model has {classes}", "give its classes only"
        )
    return order


def _from_folders(path: Path, order: dict[str, int] | None, classes: int) -> list[tuple[Path, int]]:
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise ModelError(
            f"{path} has neither sub-folders nor a table of labels",
            f"put the pictures of each class into a sub-folder, or write {TABLES[0]} with the columns file,label",
        )
    places = _places([folder.name for folder in folders], order, classes, path)
    return [(file, places[folder.name]) for folder in folders for file in _pictures(folder)]


def _pictures(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if file.name.startswith("."):
            continue
        if file.suffix.lower() not in SUFFIXES or not file.is_file():
            raise ModelError(f"{file} is no picture by its name", f"known pictures: {', '.join(SUFFIXES)}")
        yield file


def _places(names: list[str], order: dict[str, int] | None, classes: int, path: Path) -> dict[str, int]:
    """The place of each class that a sub-folder is named after."""
    if order is not None:
        for name in names:
            if name not in order:
                raise ModelError(
                    f"{path / name}: {name!r} is not in {CLASSES}", "add it, or remove the folder"
                )
        return {name: order[name] for name in names}
    if all(name.isascii() and name.isdigit() for name in names):
        for name in names:
            if int(name) >= classes:
                raise ModelError(
                    f"{path / name}: the model has no class {name}, only 0 to {classes - 1}",
                    f"name the folders after places in the model's output, or write {CLASSES}",
                )
        return {name: int(name) for name in names}
    if len(names) != classes:
        raise ModelError(
            f"{path} has {len(names)} sub-folders, the model has {classes} classes: which is which cannot be told",
            f"write {CLASSES} into the folder: one name a line, in the order of the model's output",
        )
    return {name: place for place, name in enumerate(sorted(names))}


def _from_table(table: Path, order: dict[str, int] | None, classes: int) -> list[tuple[Path, int]]:
    rows = _csv_rows(table) if table.suffix == ".csv" else _json_rows(table)
    found = []
    for line, file, label in rows:
        where = f"{table}, line {line}"
        if not isinstance(file, str) or not file or Path(file).is_absolute() or ".." in Path(file).parts:
            raise ModelError(f"{where}: file is {file!r}", "expected a path within the folder")
        picture = table.parent / file
        if not picture.is_file():
            raise ModelError(
                f"{where}: there is no file {picture}", "paths are relative to the table's folder"
            )
        found.append((picture, _label(label, order, classes, where)))
    return found


def _label(label: object, order: dict[str, int] | None, classes: int, where: str) -> int:
    if order is not None and isinstance(label, str) and label in order:
        return order[label]
    text = str(label)
    whole = isinstance(label, int | str) and not isinstance(label, bool) and text.isascii() and text.isdigit()
    if not whole or int(text) >= classes:
        named = f", or a name in {CLASSES}" if order is not None else f"; for names write {CLASSES}"
        raise ModelError(f"{where}: label is {label!r}", f"expected a class from 0 to {classes - 1}{named}")
    return int(text)


def _csv_rows(table: Path) -> Iterator[tuple[int, object, object]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"file", "label"} - set(reader.fieldnames or ())
            if missing:
                raise ModelError(
                    f"{table}, line 1: there is no column {' and '.join(sorted(missing))}",
                    "expected the header file,label",
                )
            for row in reader:
                yield reader.line_num, row["file"], (row["label"] or "").strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelError(f"{table} cannot be read: {error}", "expected CSV in UTF-8: file,label") from error


def _json_rows(table: Path) -> Iterator[tuple[int, object, object]]:
    with table.open("rb") as file:
        for line, data in enumerate(file, 1):
            if not data.strip():
                continue
            try:
                row = json.loads(data)
            except ValueError as error:
                raise ModelError(
                    f"{table}, line {line}: {error}", "expected one JSON object a line"
                ) from error
            if not isinstance(row, dict) or "file" not in row or "label" not in row:
                raise ModelError(
                    f"{table}, line {line}: 'file' or 'label' is missing",
                    'expected e.g. {"file": "a.png", "label": 3}',
                )
            yield line, row["file"], row["label"]

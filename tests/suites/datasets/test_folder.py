"""Pictures in folders, with their labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suites.datasets.folder import PictureFolder
from suites.datasets.opening import open_data
from suites.errors import ModelError
from tests.suites.datasets.kit import asked, digits, write_lines, write_picture

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def by_class(folder: Path, names: Any = tuple("0123456789"), count: int = 30) -> dict[str, int]:
    """Digits in sub-folders called `names[label]`; answers with each file's label."""
    written = {}
    for place, (ink, label) in enumerate(zip(*digits(count), strict=True)):
        path = folder / str(names[label]) / f"{place:03}.png"
        write_picture(path, ink[0])
        written[str(path)] = int(label)
    return written


def found(data: PictureFolder) -> dict[str, int]:
    return {str(path): label for path, label in zip(data._files, data.targets.tolist(), strict=True)}


def test_sub_folders_with_whole_numbers_are_the_places_themselves(tmp_path: Path) -> None:
    written = by_class(tmp_path)
    (tmp_path / "3" / ".hidden").write_text("not looked at")
    data = open_data(tmp_path, asked())
    assert isinstance(data, PictureFolder) and found(data) == written
    assert "pillow" in data.processing and data.processing.startswith("digits: ")
    pictures, _ = digits(30)
    order = [int(Path(path).stem) for path in found(data)]
    read = np.concatenate([data.batch(index)["input"] for index in range(8)])[:30]
    # A picture holds 256 levels.
    assert np.abs(read - pictures[order]).max() <= 0.5 / 255 + 1e-6


def test_classes_txt_gives_the_places(tmp_path: Path) -> None:
    written = by_class(tmp_path, WORDS)
    (tmp_path / "classes.txt").write_text("\n".join(WORDS) + "\n\n")
    assert found(PictureFolder(tmp_path, asked())) == written


def test_other_names_take_their_places_by_code_point(tmp_path: Path) -> None:
    written = by_class(tmp_path, WORDS)
    places = {name: place for place, name in enumerate(sorted(WORDS))}
    assert found(PictureFolder(tmp_path, asked())) == {
        path: places[Path(path).parent.name] for path in written
    }


def test_fewer_named_folders_than_classes_need_classes_txt(tmp_path: Path) -> None:
    by_class(tmp_path, ("a", *WORDS[1:]), count=3)
    with pytest.raises(ModelError, match="3 sub-folders, the model has 10 classes") as caught:
        PictureFolder(tmp_path, asked())
    assert "classes.txt" in caught.value.hint


@pytest.mark.parametrize("table", ["labels.csv", "labels.jsonl"])
@pytest.mark.parametrize("named", [False, True])
def test_a_table_says_what_is_in_which_file(tmp_path: Path, table: str, named: bool) -> None:
    pictures, labels = digits(5)
    rows = []
    for place in (3, 1, 4, 0, 2):
        write_picture(tmp_path / "all" / f"{place}.png", pictures[place, 0])
        label = int(labels[place])
        rows.append({"file": f"all/{place}.png", "label": WORDS[label] if named else label})
    if named:
        (tmp_path / "classes.txt").write_text("\n".join(WORDS))
    if table.endswith("jsonl"):
        write_lines(tmp_path / table, rows)
    else:
        text = "file,label\n" + "".join(f"{row['file']},{row['label']}\n" for row in rows)
        (tmp_path / table).write_text(text)
    data = PictureFolder(tmp_path, asked())
    assert data.targets.tolist() == [int(labels[place]) for place in (3, 1, 4, 0, 2)]
    assert [path.name for path in data._files] == ["3.png", "1.png", "4.png", "0.png", "2.png"]


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("labels.csv", "name,label\na.png,1\n", "line 1: there is no column file"),
        ("labels.csv", "file,label\na.png,1\nb.png,2\n", "line 3: there is no file"),
        ("labels.csv", "file,label\na.png,12\n", "line 2: label is '12'"),
        ("labels.csv", "file,label\na.png,cat\n", "line 2: label is 'cat'"),
        ("labels.csv", "file,label\na.png\n", "line 2: label is ''"),
        ("labels.csv", "file,label\n", "holds no pictures"),
        ("labels.csv", "file,label\n../a.png,1\n", "line 2: file is '../a.png'"),
        ("labels.jsonl", '{"file": "a.png", "label": 1}\n{"file": "a.png"\n', "line 2: "),
        ("labels.jsonl", '\n{"file": "a.png"}\n', "line 2: 'file' or 'label' is missing"),
        ("labels.jsonl", json.dumps({"file": "/etc/passwd", "label": 1}), "line 1: file is '/etc/passwd'"),
        ("labels.jsonl", '{"file": "a.png", "label": true}', "line 1: label is True"),
        ("labels.jsonl", '{"file": "a.png", "label": 1.5}', "line 1: label is 1.5"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, table: str, text: str, message: str) -> None:
    write_picture(tmp_path / "a.png", digits(1)[0][0, 0])
    (tmp_path / table).write_text(text)
    with pytest.raises(ModelError) as caught:
        PictureFolder(tmp_path, asked())
    assert message in caught.value.message and str(tmp_path) in caught.value.message


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("a\n\nb\n", "line 2: it is empty"),
        ("a\nb\na\n", "line 3: 'a' is in line 1 already"),
        ("\n".join(map(str, range(11))), "names 11 classes, the model has 10"),
        ("zero\none\n", "'two' is not in classes.txt"),
    ],
)
def test_a_bad_order_of_classes_is_named(tmp_path: Path, classes: str, message: str) -> None:
    write_picture(tmp_path / "two" / "a.png", digits(1)[0][0, 0])
    (tmp_path / "classes.txt").write_text(classes)
    with pytest.raises(ModelError) as caught:
        PictureFolder(tmp_path, asked())
    assert message in caught.value.message


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    by_class(tmp_path, count=6)
    bad = tmp_path / "5" / "bad.png"
    bad.parent.mkdir(exist_ok=True)
    bad.write_bytes(b"\x89PNG but no more")
    data = PictureFolder(tmp_path, asked(batch=50))
    with pytest.raises(ModelError) as caught:
        data.batch(0)
    assert caught.value.message.startswith(f"{bad}: ")


@pytest.mark.parametrize(
    ("name", "message"),
    [("notes.txt", "notes.txt is no picture by its name"), (".hidden", "holds no pictures")],
)
def test_a_class_folder_holds_pictures_only(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / name).write_text("x")
    with pytest.raises(ModelError) as caught:
        PictureFolder(tmp_path, asked())
    assert message in caught.value.message


def test_an_empty_folder_and_two_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither sub-folders nor a table"):
        PictureFolder(tmp_path, asked())
    for table in ("labels.csv", "labels.jsonl"):
        (tmp_path / table).write_text("x")
    with pytest.raises(ModelError, match=r"both labels\.csv and labels\.jsonl"):
        PictureFolder(tmp_path, asked())


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("", "pictures need a pipeline"),
        ("embed", "'embed' of 'digits-cnn' takes texts"),
        ("classify", "does not fit"),
    ],
)
def test_a_pipeline_that_does_not_fit_is_refused(tmp_path: Path, pipeline: str, message: str) -> None:
    by_class(tmp_path, count=1)
    with pytest.raises(ModelError) as caught:
        PictureFolder(tmp_path, asked(pipeline=pipeline))
    assert message in caught.value.message

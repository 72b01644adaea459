"""Inputs that are saved and used again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backends.contract import TensorSpec
from suites.errors import ModelError
from suites.inputs import make_inputs
from suites.saved_inputs import InputSaver, given_sets

SPECS = (
    TensorSpec("file", "float32", ("batch", 3)),
    TensorSpec("blocks/0/tokens", "int64", ("batch", "length")),
)


def save(folder: Path, *names: str, batch: int = 2) -> dict[str, dict[str, np.ndarray]]:
    saver = InputSaver(folder, "m", "0" * 64)
    made = {name: make_inputs(SPECS, name, batch, {"length": 4}) for name in names}
    for name, arrays in made.items():
        saver.save(name, batch, {"length": 4}, arrays)
    return made


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    made = save(tmp_path / "deep" / "folder", "normal:0", "zeros", "normal:1")
    found = given_sets(tmp_path / "deep" / "folder", SPECS)
    assert [(entry.name, entry.batch, dict(entry.dims)) for entry in found] == [
        (name, 2, {"length": 4}) for name in made
    ]
    for entry in found:
        loaded = entry.load(SPECS)
        assert all(np.array_equal(loaded[name], made[entry.name][name]) for name in made[entry.name])
        assert all(loaded[spec.name].dtype == spec.dtype for spec in SPECS)
    assert sorted(path.name for path in (tmp_path / "deep" / "folder" / "batch-2-length-4").iterdir()) == [
        "normal-0.npz", "normal-1.npz", "zeros.npz",
    ]  # fmt: skip


def test_names_that_are_no_file_names(tmp_path: Path) -> None:
    saver = InputSaver(tmp_path, "m", "")
    path = saver.save("../../my set.npz", 1, {}, {"file": np.zeros((1, 3), np.float32)})
    assert path.is_relative_to(tmp_path)
    assert ".." not in path.relative_to(tmp_path).parts


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    save(tmp_path, "normal:0")
    (entry,) = given_sets(tmp_path, SPECS)
    arrays = entry.load(SPECS)
    arrays["file"][0, 0] += 1
    InputSaver(tmp_path / "other", "m", "").save("normal:0", 2, {"length": 4}, arrays)
    (tmp_path / "other" / "batch-2-length-4" / "normal-0.npz").replace(entry.path)
    with pytest.raises(ModelError, match="is not what was saved"):
        entry.load(SPECS)


def test_without_a_manifest_the_shapes_tell_the_variant(tmp_path: Path) -> None:
    save(tmp_path, "normal:0", "zeros", batch=5)
    folder = tmp_path / "batch-5-length-4"
    found = given_sets(folder, SPECS)
    assert [(entry.name, entry.batch, dict(entry.dims)) for entry in found] == [
        ("normal-0.npz", 5, {"length": 4}),
        ("zeros.npz", 5, {"length": 4}),
    ]
    (one,) = given_sets(folder / "zeros.npz", SPECS)
    assert one == found[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot read"),
        ("[]", "no manifest of schema version 1"),
        ('{"schema_version": 2}', "no manifest of schema version 1"),
        ('{"schema_version": 1, "sets": []}', "lists no input set"),
        ('{"schema_version": 1, "sets": [{"input_set": "x"}]}', "an entry that cannot be read: KeyError"),
        ('{"schema_version": 1}', "an entry that cannot be read"),
    ],
)
def test_a_damaged_manifest(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "inputs.json").write_text(content)
    with pytest.raises(ModelError, match=words):
        given_sets(tmp_path, SPECS)


def test_a_file_of_the_manifest_is_gone(tmp_path: Path) -> None:
    save(tmp_path, "normal:0")
    (entry,) = given_sets(tmp_path, SPECS)
    entry.path.unlink()
    with pytest.raises(ModelError, match="there is no input file"):
        entry.load(SPECS)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no file or folder"):
        given_sets(tmp_path / "nothing", SPECS)
    with pytest.raises(ModelError, match=r"holds neither inputs\.json nor a \.npz file"):
        given_sets(tmp_path, SPECS)


def test_the_manifest_is_whole_after_every_set(tmp_path: Path) -> None:
    saver = InputSaver(tmp_path, "m", "abc")
    for count, name in enumerate(("normal:0", "zeros"), 1):
        saver.save(name, 1, {}, make_inputs(SPECS[:1], name))
        manifest = json.loads((tmp_path / "inputs.json").read_text())
        assert [entry["input_set"] for entry in manifest["sets"]] == ["normal:0", "zeros"][:count]
        assert manifest["model_sha256"] == "abc"

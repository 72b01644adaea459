"""Labelled arrays in a `.npz`."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suites.datasets.arrays import ArrayFile
from suites.errors import ModelError
from tests.suites.datasets.kit import asked, digits


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_batches_are_the_rows_in_order_and_the_last_is_filled_up(tmp_path: Path, save: Any) -> None:
    pictures, labels = digits(10)
    save(tmp_path / "d.npz", input=pictures, labels=labels.astype(np.uint8))
    data = ArrayFile(tmp_path / "d.npz", asked(batch=4))
    assert (data.rows, data.classes, data.task, data.form) == (10, 10, "classification", "npz")
    assert data.targets.tolist() == labels.tolist()
    read = [data.batch(index)["input"] for index in (0, 1, 2)]
    assert np.array_equal(np.concatenate(read)[:10], pictures)
    assert read[2].shape == (4, 1, 8, 8) and np.array_equal(read[2][2], pictures[9])
    # Going back reads from the beginning again.
    assert np.array_equal(data.batch(1)["input"], pictures[4:8])
    assert read[0].dtype == np.float32 and read[0].flags.c_contiguous


def test_arrays_of_another_byte_order_come_in_this_machines(tmp_path: Path) -> None:
    pictures, labels = digits(4)
    np.savez(tmp_path / "d.npz", input=pictures.astype(">f4"), labels=labels)
    with pytest.raises(ModelError, match="is >f4, the model takes float32"):
        ArrayFile(tmp_path / "d.npz", asked())


def test_memory_holds_a_batch_and_not_the_file(tmp_path: Path) -> None:
    count = 100_000
    np.savez_compressed(
        tmp_path / "d.npz", input=np.zeros((count, 1, 8, 8), np.float32), labels=np.zeros(count, np.uint8)
    )
    tracemalloc.start()
    data = ArrayFile(tmp_path / "d.npz", asked(batch=16))
    for index in (0, 1, 6000):
        data.batch(index)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6 < count * 256


GOOD = {"input": np.zeros((3, 1, 8, 8), np.float32), "labels": np.array([1, 2, 3])}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({**GOOD, "labels": np.array([1, 2, 10])}, "label of item 3 is 10; the model has the classes 0 to 9"),
        ({**GOOD, "labels": np.array([1, -1, 3])}, "label of item 2 is -1"),
        ({**GOOD, "labels": np.array([1.0, 2.0, 3.0])}, "'labels' is float64 [3]"),
        ({**GOOD, "labels": np.zeros((3, 1), int)}, "'labels' is int64 [3, 1]"),
        ({**GOOD, "labels": np.zeros(0, int)}, "'labels' is empty"),
        ({**GOOD, "labels": np.array([1, 2])}, "'input' has the shape [3, 1, 8, 8]"),
        ({**GOOD, "input": np.zeros((3, 3, 8, 8), np.float32)}, "'input' has the shape [3, 3, 8, 8]"),
        ({**GOOD, "input": np.zeros((3, 64), np.float32)}, "'input' has the shape [3, 64]"),
        ({**GOOD, "input": np.zeros((3, 1, 8, 8))}, "'input' is float64, the model takes float32"),
        ({**GOOD, "input": np.float32(3)}, "'input' is a single value"),
        ({**GOOD, "input": np.asfortranarray(np.zeros((3, 1, 8, 8), np.float32))}, "column by column"),
        ({**GOOD, "pictures": np.zeros(3)}, "holds 'pictures', which the model does not take"),
        ({"labels": GOOD["labels"]}, "has no array 'input'; it holds labels"),
        ({"input": GOOD["input"]}, "has no array 'labels'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(ModelError) as caught:
        ArrayFile(tmp_path / "d.npz", asked())
    assert message in caught.value.message and str(tmp_path / "d.npz") in caught.value.message
    assert caught.value.hint


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", input=GOOD["input"], labels=np.array([{"a": 1}, 2, 3], dtype=object))
    with pytest.raises(ModelError, match="holds Python objects"):
        ArrayFile(tmp_path / "d.npz", asked())


def test_a_file_that_is_no_archive_or_is_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.npz").write_bytes(b"no zip")
    with pytest.raises(ModelError, match=r"cannot read .*d\.npz"):
        ArrayFile(tmp_path / "d.npz", asked())
    np.savez(tmp_path / "whole.npz", **GOOD)
    with zipfile.ZipFile(tmp_path / "whole.npz") as whole, zipfile.ZipFile(tmp_path / "cut.npz", "w") as cut:
        cut.writestr("labels.npy", whole.read("labels.npy"))
        cut.writestr("input.npy", whole.read("input.npy")[:-400])
    data = ArrayFile(tmp_path / "cut.npz", asked())
    with pytest.raises(ModelError, match="'input' cannot be read: its data end in row 2"):
        data.batch(0)


def test_a_model_without_classes_takes_no_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **GOOD)
    with pytest.raises(ModelError, match="last_hidden_state float32"):
        ArrayFile(tmp_path / "d.npz", asked("tiny-encoder"))

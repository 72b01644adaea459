"""The shipped digits: the weights read them, the split is scikit-learn's, and the script makes the same files again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from suites.catalogue import builtin
from suites.inputs import sha256_of
from suites.shipped import DIGITS_TEST, DIGITS_WEIGHTS

WEIGHTS_SHA256 = "d756785138a3a9a502fb8c9fc959ea4e6b5879a1963c231fe1a56d4981965d3c"
"""Of the shipped weights. Other weights need another `revision` in the catalogue, and the README's accuracy renewed."""


def test_the_files_are_small_and_the_weights_are_those_of_this_revision() -> None:
    assert DIGITS_WEIGHTS.stat().st_size + DIGITS_TEST.stat().st_size < 300_000
    with np.load(DIGITS_WEIGHTS, allow_pickle=False) as archive:
        assert (sha256_of(dict(archive)), builtin("digits-cnn").revision) == (WEIGHTS_SHA256, 1)


def test_the_test_split_is_scikit_learns_and_none_of_it_was_trained_on() -> None:
    from suites.train_digits import split

    pictures, labels, test_pictures, test_labels = split()
    with np.load(DIGITS_TEST, allow_pickle=False) as archive:
        assert np.array_equal(archive["input"], test_pictures) and np.array_equal(
            archive["labels"], test_labels
        )
        assert (archive["input"].shape, archive["input"].dtype) == ((797, 1, 8, 8), np.float32)
    trained = {picture.tobytes() for picture in pictures}
    assert not trained & {picture.tobytes() for picture in test_pictures}
    assert len(labels) + len(test_labels) == 1797


@pytest.mark.engine("torch")
def test_the_shipped_weights_have_the_stated_accuracy() -> None:
    from suites.models.digits_cnn import build
    from suites.train_digits import accuracy, split

    _, _, pictures, labels = split()
    found = accuracy(build(DIGITS_WEIGHTS), pictures, labels)
    assert found == 787 / 797 > 0.97
    assert f"{found:.1%}".replace("%", " %") in (DIGITS_TEST.parent / "README.md").read_text()


@pytest.mark.engine("torch")
def test_training_again_gives_the_same_bytes_and_a_network_that_reads(tmp_path: Path) -> None:
    from suites.train_digits import write

    first = write(tmp_path / "a.npz", tmp_path / "data.npz", epochs=2)
    second = write(tmp_path / "b.npz", tmp_path / "data.npz", epochs=2)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert first == second > 0.8

"""From outputs to answers."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.accuracy.answers import cosines, label_ranks, vectors


def test_a_label_has_the_place_that_sorting_gives_it() -> None:
    random = np.random.default_rng(0)
    logits = np.round(random.normal(size=(200, 12)), 1).astype(np.float32)
    labels = random.integers(0, 12, 200)
    signs, broken = label_ranks(logits, labels)
    order = np.argsort(-logits, axis=1, kind="stable")
    places = [int(np.flatnonzero(row == label)[0]) for row, label in zip(order, labels, strict=True)]
    assert signs == "".join(str(place) if place < 5 else "-" for place in places)
    assert broken == 0
    assert [sign == "0" for sign in signs] == (logits.argmax(axis=1) == labels).tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_item_with_a_logit_that_is_no_number_is_wrong(bad: float) -> None:
    logits = np.array([[9.0, 1.0, bad], [9.0, 1.0, 2.0]])
    assert label_ranks(logits, np.array([0, 0])) == ("-0", 1)


def test_vectors_are_the_mean_over_the_tokens_and_padding_does_not_count() -> None:
    random = np.random.default_rng(0)
    hidden = random.normal(size=(2, 4, 3))
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1]])
    hidden[0, 2:] = np.nan
    found = vectors(hidden, mask)
    assert np.allclose(found[0], hidden[0, :2].mean(axis=0)) and np.allclose(found[1], hidden[1].mean(axis=0))
    assert np.array_equal(vectors(hidden[:, 0], None), hidden[:, 0])


def test_cosines_and_vectors_without_a_direction() -> None:
    first = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [np.inf, 1.0]])
    second = np.array([[0.0, 2.0], [2.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
    found = cosines(first, second)
    assert found[0] == 0.0 and found[1] == pytest.approx(1.0)
    assert found[2:] == [None, None]

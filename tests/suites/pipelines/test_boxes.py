"""Letterboxes and suppression against what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.pipelines.boxes import Letterbox, corners_of, suppress
from suites.pipelines.detect import _opencv_suppress


@pytest.fixture(params=["numpy", "opencv"])
def by(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return suppress if request.param == "numpy" else _opencv_suppress()


def overlap(a: Any, b: Any) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(width * height / (area - width * height))


def brute_force(corners: Any, scores: Any, classes: Any, limit: float, most: int) -> list[int]:
    """Every pair, in plain numbers."""
    kept: list[int] = []
    for index in sorted(range(len(scores)), key=lambda index: (-scores[index], index)):
        same = [other for other in kept if classes[other] == classes[index]]
        if all(overlap(corners[other], corners[index]) <= limit for other in same):
            kept.append(index)
    return kept[:most]


def crowd(seed: int, count: int, classes: int) -> tuple[Any, Any, Any]:
    """Boxes around a few centres, so that many overlap."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(50, 270, (6, 2))[rng.integers(0, 6, count)] + rng.normal(0, 12, (count, 2))
    boxes = np.concatenate([centre, rng.uniform(20, 70, (count, 2))], axis=1).astype(np.float32)
    return corners_of(boxes), rng.random(count, dtype=np.float32), rng.integers(0, classes, count)


@pytest.mark.parametrize("seed", range(20))
def test_suppression_keeps_what_every_pair_says(by: Callable[..., Any], seed: int) -> None:
    corners, scores, classes = crowd(seed, 200, classes=1 + seed % 5)
    expected = brute_force(corners, scores, classes, 0.45, 1000)
    assert 5 < len(expected) < 150
    assert list(by(corners, scores, classes, 0.45, 1000)) == expected
    assert list(by(corners, scores, classes, 0.45, 7)) == expected[:7]


def test_boxes_of_other_classes_stay(by: Callable[..., Any]) -> None:
    corners = np.array([[0, 0, 10, 10]] * 3, np.float32)
    scores = np.array([0.5, 0.9, 0.7], np.float32)
    assert list(by(corners, scores, np.array([0, 0, 0]), 0.45, 10)) == [1]
    assert list(by(corners, scores, np.array([0, 1, 2]), 0.45, 10)) == [1, 2, 0]


def test_nothing_to_suppress(by: Callable[..., Any]) -> None:
    empty = by(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64), 0.45, 10)
    assert (len(empty), np.empty((3, 4))[empty].shape) == (0, (0, 4))


def test_boxes_without_an_area_overlap_nothing(by: Callable[..., Any]) -> None:
    corners = np.array([[5, 5, 5, 5], [5, 5, 5, 5], [0, 0, 10, 10]], np.float32)
    kept = by(corners, np.array([0.9, 0.8, 0.7], np.float32), np.zeros(3, np.int64), 0.45, 10)
    assert {0, 2} <= set(kept)


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([32, 320, 640]))
def test_a_letterbox_keeps_the_shape_and_comes_back(width: int, height: int, edge: int) -> None:
    box = Letterbox(width, height, edge)
    (wide, high), (left, top) = box.size, box.corner
    assert max(wide, high) == edge and min(wide, high) >= 1
    assert 0 <= left <= edge - wide - left <= left + 1 and 0 <= top <= edge - high - top <= top + 1
    # The shape is kept but for rounding the narrow side to whole pixels, at least one.
    exact = min(width, height) * edge / max(width, height)
    assert abs(min(wide, high) - max(1.0, exact)) <= 0.5 + 1e-9
    whole = box.back(np.array([[left, top, left + wide, top + high]], np.float64))
    assert whole[0] == pytest.approx([0, 0, width, height])
    beyond = box.back(np.array([[-50, -50, edge + 50, edge + 50]], np.float64))
    assert list(beyond[0]) == [0, 0, width, height]


def test_known_points_come_back() -> None:
    box = Letterbox(600, 400, 320)
    assert (box.size, box.corner) == ((320, 213), (0, 53))
    found = box.back(np.array([[0, 53, 160, 266], [32, 53 + 21.3, 64, 53 + 42.6]]))
    assert found == pytest.approx(np.array([[0, 0, 300, 400], [60, 40, 120, 80]]), abs=1e-9)

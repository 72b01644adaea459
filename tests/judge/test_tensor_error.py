"""The error of one tensor, against figures made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.parity import judge_output
from harness.judge.tensor_error import relative_change, tensor_error

RNG = np.random.default_rng(1)
RIGHT = RNG.standard_normal((4, 25))
YARDSTICK = RIGHT.astype(np.float32)


def test_it_judges_like_the_outputs_are_judged() -> None:
    for size in (1e-8, 1e-7, 3e-7, 1e-6, 1e-4):
        actual = (RIGHT * (1 + size * RNG.standard_normal(RIGHT.shape))).astype(np.float32)
        ours = tensor_error(actual, RIGHT, YARDSTICK, "fp32")
        theirs = judge_output("y", "normal:0", actual, RIGHT, YARDSTICK, "fp32")
        assert (ours.status == "within") == (theirs.status == "pass")
        for figure in ("error_rms", "error_max", "ratio_rms", "ratio_max", "yardstick_rms", "worst_index"):
            assert getattr(ours, figure) == pytest.approx(getattr(theirs, figure))


def test_a_yardstick_that_is_exact_by_luck_is_helped_by_its_neighbours() -> None:
    right = np.array([[1.0, 2.0]])
    actual = right + 3e-6
    assert tensor_error(actual, right, right, "fp32").status == "beyond"
    moved = right + 4e-7
    assert tensor_error(actual, right, right, "fp32", [moved, moved]).status == "within"


def test_masks_may_be_infinite_where_the_reference_is() -> None:
    right, own = RIGHT.copy(), YARDSTICK.copy()
    right[0, 0] = own[0, 0] = -np.inf
    assert tensor_error(own, right, own, "fp32").status == "within"
    assert tensor_error(YARDSTICK, right, own, "fp32").status == "beyond"
    turned = own.copy()
    turned[0, 0] = np.inf
    assert tensor_error(turned, right, own, "fp32").status == "beyond"


def test_an_overflow_of_float32_itself_is_no_fault() -> None:
    right, own = RIGHT.copy(), YARDSTICK.copy()
    right[1, 3], own[1, 3] = -6e38, -np.inf
    assert tensor_error(own, right, own, "fp32").status == "within"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_beyond_any_budget(value: float) -> None:
    actual = YARDSTICK.copy()
    actual[2, 7] = value
    found = tensor_error(actual, RIGHT, YARDSTICK, "bf16")
    assert found.status == "beyond"
    assert found.worst_index == (2, 7)
    assert found.excess == float("inf")


def test_integers_must_be_equal() -> None:
    right = np.arange(6).reshape(2, 3)
    assert tensor_error(right.astype(np.int32), right, right, "fp32").status == "within"
    wrong = right.copy()
    wrong[1, 1] = 9
    found = tensor_error(wrong, right, right, "bf16")
    assert found.status == "beyond"
    assert found.worst_index == (1, 1)
    assert "1 of 6 integers" in found.reason


def test_another_shape_is_an_error_and_nothing_is_not_compared() -> None:
    assert tensor_error(YARDSTICK.T, RIGHT, YARDSTICK, "fp32").status == "beyond"
    empty = np.zeros((0, 3))
    assert tensor_error(empty, empty, empty, "fp32").status == "undecided"


def test_how_far_marking_moved_a_result() -> None:
    assert relative_change(YARDSTICK, YARDSTICK, RIGHT, YARDSTICK) == 0.0
    unit = float(np.sqrt(np.mean((YARDSTICK - RIGHT) ** 2)))
    floor = 2.0**-24 * float(np.sqrt(np.mean(RIGHT**2)))
    moved = YARDSTICK.astype(np.float64) + 5 * max(unit, floor)
    assert relative_change(moved, YARDSTICK, RIGHT, YARDSTICK) == pytest.approx(5, rel=1e-6)
    assert relative_change(YARDSTICK.T, YARDSTICK, RIGHT, YARDSTICK) == float("inf")
    broken = YARDSTICK.copy()
    broken[0, 0] = np.nan
    assert relative_change(broken, YARDSTICK, RIGHT, YARDSTICK) == float("inf")

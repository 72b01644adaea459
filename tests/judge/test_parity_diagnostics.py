"""Diagnostics and the error picture, against SciPy, exact arithmetic and brute force."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import spatial, stats

from backends.contract import Array
from harness.judge.parity import diagnose, error_picture
from harness.judge.parity.diagnostics import RANK_VALUES, ulp_distance

RANDOM = np.random.default_rng(0)
RIGHT = RANDOM.normal(size=(8, 50))
NOISY = (RIGHT + RANDOM.normal(scale=0.01, size=RIGHT.shape)).astype(np.float32)


def steps(start: float, end: float, dtype: type[np.floating]) -> int:
    """Representable numbers from one to the other, walked one by one."""
    here, target, count = dtype(start), dtype(end), 0
    while here != target:
        here, count = np.nextafter(here, target), count + 1
    return count


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("start", "end"), [(1.0, 1.0), (1.0, -0.0), (0.0, -0.0), (-3e-7, 2e-7), (0.999, 1.001), (-2.0, -1.999)]
)
def test_distances_count_the_numbers_between(dtype: type[np.floating], start: float, end: float) -> None:
    if dtype is not np.float16:
        # The same journey, short enough to be walked in the finer formats.
        end = float(np.nextafter(dtype(start), dtype(2))) if start == end else end
        a, b = np.array([start], dtype), np.array([start], dtype)
        for _ in range(300):
            b = np.nextafter(b, np.array([end], dtype))
    else:
        a, b = np.array([start], dtype), np.array([end], dtype)
    assert int(ulp_distance(b, a, np.dtype(dtype))[0]) == steps(float(a[0]), float(b[0]), dtype)


def test_distances_cross_zero_and_are_held_at_the_largest() -> None:
    tiny = np.finfo(np.float32).smallest_subnormal
    two = ulp_distance(np.array([tiny], np.float32), np.array([-tiny], np.float32), np.dtype(np.float32))
    assert int(two[0]) == 2
    ends = np.array([np.finfo(np.float64).max]), np.array([-np.finfo(np.float64).max])
    assert int(ulp_distance(*ends, np.dtype(np.float64))[0]) == np.iinfo(np.int64).max


def test_the_histogram_holds_every_number_once() -> None:
    right = np.linspace(1, 2, 64, dtype=np.float32).astype(np.float64)[:-1]
    moved = right.astype(np.float32)
    for place in range(moved.size):
        for _ in range(place):
            moved[place] = np.nextafter(moved[place], np.float32(3))
    found = diagnose(moved, right)
    # Distances 0, 1, 2..3, 4..7, 8..15, 16..31, 32..62.
    assert found.ulp_counts == (1, 1, 2, 4, 8, 16, 31)
    assert (found.ulp_max, found.ulp_dtype) == (62, "float32")


def test_figures_are_the_textbooks() -> None:
    found = diagnose(NOISY, RIGHT)
    error = np.abs(NOISY.astype(np.float64) - RIGHT)
    assert found.values == RIGHT.size
    assert found.cosine == pytest.approx(
        1 - spatial.distance.cosine(NOISY.ravel().astype(np.float64), RIGHT.ravel()), rel=1e-12
    )
    exact_noise = math.fsum((error**2).ravel())
    exact_signal = math.fsum((RIGHT**2).ravel())
    assert found.sqnr_db == pytest.approx(10 * math.log10(exact_signal / exact_noise), rel=1e-12)
    assert found.max_abs == error.max()
    assert found.max_abs_index == tuple(np.argwhere(error == error.max())[0])
    relative = error / np.abs(RIGHT)
    assert found.max_rel == relative.max()
    assert found.max_rel_index == tuple(np.argwhere(relative == relative.max())[0])
    assert found.scale == pytest.approx(math.sqrt(exact_signal / RIGHT.size), rel=1e-14)
    assert [q.error for q in found.quantiles] == pytest.approx(
        [
            np.sort(error.ravel())[-1] / found.scale
            if q.share == 1
            else stats.mstats.mquantiles(error.ravel(), [q.share], alphap=1, betap=1)[0] / found.scale
            for q in found.quantiles
        ],
        rel=1e-12,
    )


@pytest.mark.parametrize("digits", [8, 1, 0])
def test_rank_correlation_is_spearmans_with_ties(digits: int) -> None:
    actual, right = np.round(NOISY, digits), np.round(RIGHT, digits)
    found = diagnose(actual, right)
    assert found.rank_correlation == pytest.approx(
        stats.spearmanr(actual.ravel(), right.ravel()).statistic, rel=1e-12
    )
    assert found.rank_values == RIGHT.size


def test_large_outputs_are_thinned_out_before_ranking() -> None:
    right = RANDOM.normal(size=(3, 100_000))
    noisy = right + RANDOM.normal(size=right.shape)
    found = diagnose(noisy, right)
    assert found.rank_values == RANK_VALUES
    assert found.rank_correlation == pytest.approx(
        stats.spearmanr(noisy.ravel(), right.ravel()).statistic, abs=0.01
    )


def test_agreement_of_the_first_and_the_first_five() -> None:
    right = np.tile(np.arange(10.0), (4, 1))
    actual = right.copy()
    actual[1, 5] = 20  # first is second now
    actual[2, 0:4] = 20  # first is fifth now
    actual[3, 0:5] = 20  # first is sixth now
    found = diagnose(actual, right)
    assert (found.top1, found.top5) == (0.25, 0.75)
    assert diagnose(actual[:, :3], right[:, :3]).top5 is None
    assert diagnose(actual[0], right[0]).top1 is None


def test_numbers_that_are_not_finite_are_counted_and_left_out() -> None:
    actual, right = NOISY.copy(), RIGHT.copy()
    actual[0, :3], actual[1, 0], right[2, 2] = np.nan, np.inf, -np.inf
    found = diagnose(actual, right)
    assert (found.nan, found.infinite, found.reference_nan, found.reference_infinite) == (3, 1, 0, 1)
    usable = np.isfinite(actual) & np.isfinite(right)
    error = np.where(usable, np.abs(actual.astype(np.float64) - np.where(usable, right, 0)), 0)
    assert found.max_abs == error.max()
    assert found.max_abs_index == tuple(np.argwhere(error == error.max())[0])
    assert sum(found.ulp_counts) == found.rank_values == int(usable.sum())
    nothing = diagnose(np.full(3, np.nan, np.float32), np.ones(3))
    assert (nothing.max_abs, nothing.cosine, nothing.quantiles) == (None, None, ())


@pytest.mark.parametrize(
    ("actual", "right", "constant"),
    [
        (np.full((2, 3), 7.0), np.arange(6.0).reshape(2, 3), True),
        (np.full((2, 3), 7.0), np.full((2, 3), 7.0), False),
        (np.array([7.0]), np.array([6.0]), False),
        (np.arange(6.0).reshape(2, 3), np.full((2, 3), 7.0), False),
    ],
)
def test_a_constant_output_is_told(actual: Array, right: Array, constant: bool) -> None:
    assert diagnose(actual, right).constant is constant


def test_what_has_no_meaning_is_none() -> None:
    same = diagnose(np.zeros(4, np.float32), np.zeros(4))
    assert (same.cosine, same.sqnr_db, same.rank_correlation, same.max_rel) == (None, None, None, None)
    assert (same.max_abs, same.scale, same.ulp_counts) == (0.0, 1.0, (4,))
    integers = diagnose(np.array([1, 2]), np.array([1, 3]))
    assert (integers.ulp_dtype, integers.max_abs) == ("", 1.0)
    empty = diagnose(np.empty((0, 3), np.float32), np.empty((0, 3)))
    assert (empty.values, empty.max_abs, empty.rank_values) == (0, None, 0)


def test_shapes_that_differ_are_refused() -> None:
    for function in (diagnose, error_picture):
        with pytest.raises(ValueError, match="cannot be compared"):
            function(NOISY[:2], RIGHT)


# The picture.


def brute(error: Array, rows: tuple[int, int], columns: tuple[int, int]) -> list[list[float]]:
    """Largest error of every cell, place by place; `rows` and `columns` are (axis, step)."""
    cells: dict[tuple[int, int], float] = {}
    for index in np.ndindex(error.shape):
        cell = index[rows[0]] // rows[1], index[columns[0]] // columns[1]
        cells[cell] = max(cells.get(cell, 0.0), float(error[index]))
    tall, wide = (max(cell[side] for cell in cells) + 1 for side in (0, 1))
    return [[cells[row, column] for column in range(wide)] for row in range(tall)]


def swap_channels(value: Array) -> None:
    value[:, [3, 7]] = value[:, [7, 3]]


def spoil_row(value: Array) -> None:
    value[:, :, 5] += 1


@pytest.mark.parametrize(("spoil", "axis", "line"), [(swap_channels, 1, {3, 7}), (spoil_row, 2, {5})])
def test_the_picture_shows_the_axes_of_the_error(
    spoil: Callable[[Array], None], axis: int, line: set[int]
) -> None:
    right = RANDOM.normal(size=(2, 16, 9, 9))
    actual = right.astype(np.float32)
    spoil(actual)
    picture = error_picture(actual, right)
    assert picture is not None
    side = {picture.rows.axis: 0, picture.columns.axis: 1}[axis]
    cells = np.array(picture.cells)
    assert set(np.flatnonzero(cells.max(axis=1 - side) > 1e-3)) == line
    error = np.abs(actual - right) / np.sqrt(np.mean(right**2))
    wanted = brute(error, (picture.rows.axis or 0, 1), (picture.columns.axis or 0, 1))
    assert cells == pytest.approx(np.array(wanted), rel=5e-3)


def test_large_axes_are_folded() -> None:
    right = RANDOM.normal(size=(130, 70))
    actual = (right + RANDOM.normal(scale=1e-3, size=right.shape)).astype(np.float32)
    picture = error_picture(actual, right)
    assert picture is not None
    assert (picture.rows.step, picture.columns.step, picture.rows.size) == (3, 2, 130)
    error = np.abs(actual - right) / np.sqrt(np.mean(right**2))
    assert np.array(picture.cells) == pytest.approx(np.array(brute(error, (0, 3), (1, 2))), rel=5e-3)


def test_a_number_that_is_not_finite_marks_its_cell() -> None:
    actual = np.ones((1, 4, 5), np.float32)
    actual[0, 2, 3] = np.nan
    picture = error_picture(actual, np.ones((1, 4, 5)))
    assert picture is not None
    empty = [(r, c) for r, line in enumerate(picture.cells) for c, value in enumerate(line) if value is None]
    assert empty == [(2, 3)]


def test_a_vector_is_one_row_and_nothing_is_no_picture() -> None:
    picture = error_picture(np.ones((1, 100), np.float32), np.zeros((1, 100)))
    assert picture is not None
    assert (picture.rows.axis, picture.columns.axis, len(picture.cells), len(picture.cells[0])) == (
        None,
        1,
        1,
        50,
    )
    assert error_picture(np.empty((0, 2)), np.empty((0, 2))) is None
    single = error_picture(np.array(2.0, np.float32), np.array(1.0))
    assert single is not None and single.cells == ((1.0,),)

"""Outputs against the expected ones: onnx's rule, checked against onnx's own runner, and the size of errors."""

from __future__ import annotations

import numpy as np
import pytest
from onnx.backend.test.runner import Runner

from backends.dtypes import dtype_of
from harness.judge.conformance.compare import compare_outputs

RTOL, ATOL = 1e-3, 1e-7


def compare(actual, expected, **more):
    return compare_outputs([{0: actual}], [[("y", expected)]], RTOL, ATOL, **more)


def runner_passes(actual, expected) -> bool:
    try:
        Runner.assert_similar_outputs([expected], [actual], RTOL, ATOL)
    except AssertionError:
        return False
    return True


def array(values, dtype):
    return np.array(values, dtype=np.float32).astype(dtype_of(dtype))


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (array([1.0, 2.0], "float32"), array([1.0, 2.0], "float32")),
        (array([1.0, 2.0019], "float32"), array([1.0, 2.0], "float32")),
        (array([1.0, 2.0021], "float32"), array([1.0, 2.0], "float32")),
        (array([1e-7], "float32"), array([0.0], "float32")),
        (array([2e-7], "float32"), array([0.0], "float32")),
        (array([np.nan, np.inf], "float32"), array([np.nan, np.inf], "float32")),
        (array([np.nan], "float32"), array([1.0], "float32")),
        (array([np.inf], "float32"), array([-np.inf], "float32")),
        (array([3e38], "float32"), array([np.inf], "float32")),
        (array([[1.0]], "float32"), array([1.0], "float32")),
        (array([1.0], "float64"), array([1.0], "float32")),
        (np.array([5000, 200], np.int64), np.array([5001, 200], np.int64)),
        (np.array([250], np.uint8), np.array([0], np.uint8)),
        (np.array([2**63], np.uint64), np.array([0], np.uint64)),
        (np.array([True, False]), np.array([True, True])),
        (array([1.015625], "bfloat16"), array([1.0], "bfloat16")),
        (array([1.03125], "bfloat16"), array([1.0], "bfloat16")),
        (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)),
        (np.array(2.0, np.float32), np.array(1.0, np.float32)),
    ],
)
def test_the_verdict_is_that_of_the_onnx_runner(actual, expected):
    assert (compare(actual, expected) is None) == runner_passes(actual, expected)


def test_random_errors_are_judged_as_the_onnx_runner_does():
    rng = np.random.default_rng(3)
    for _ in range(200):
        expected = rng.normal(size=4).astype(np.float32)
        actual = (expected * (1 + rng.normal(scale=7e-4, size=4))).astype(np.float32)
        assert (compare(actual, expected) is None) == runner_passes(actual, expected)


@pytest.mark.parametrize("dtype", ["int4", "uint4", "int2", "float4_e2m1fn", "float8_e5m2", "float8_e8m0fnu"])
def test_types_that_numpy_lacks_are_compared_by_value(dtype):
    right = array([1.0, 0.5 if dtype.startswith("float") else 1.0], dtype)
    assert compare(right.copy(), right) is None
    error = compare(array([1.0, 2.0 if dtype != "int2" else -2.0], dtype), right)
    assert error is not None and error.what == "values" and error.place == (1,) and error.wrong == 1


def test_an_error_is_told_with_its_place_and_size():
    right = np.array([[1.0, 2.0], [4.0, -8.0]], np.float32)
    wrong = right.copy()
    wrong[1, 0] += 4 * np.spacing(np.float32(8.0)) * 1e4
    error = compare(wrong, right)
    assert error is not None and error.place == (1, 0) and (error.wrong, error.of) == (1, 4)
    assert error.absolute == pytest.approx(4e4 * 2.0**-20)
    assert error.ulp == pytest.approx(4e4), "in units of the largest value, 8"
    assert error.share == pytest.approx(4e4 * 2.0**-20 / (ATOL + RTOL * 4))


def test_where_there_is_no_number_the_error_is_infinite():
    error = compare(np.array([np.nan, 1.0], np.float32), np.array([1.0, 1.0], np.float32))
    assert error is not None and error.share == error.absolute == error.ulp == float("inf")


def test_all_expected_to_be_zero_is_no_division_by_zero():
    error = compare(np.array([1.0], np.float32), np.array([0.0], np.float32))
    assert error is not None and error.ulp is not None and error.ulp > 1e30


def test_a_missing_output_or_shape_is_worse_than_any_value():
    right = np.ones(2, np.float32)
    error = compare_outputs([{1: right * 2}], [[("a", right), ("b", right)]], RTOL, ATOL)
    assert error is not None and (error.what, error.output) == ("missing", "a")


def test_every_data_set_counts():
    right = np.ones(2, np.float32)
    error = compare_outputs([{0: right}, {0: right * 2}], [[("a", right)]] * 2, RTOL, ATOL)
    assert error is not None and error.data_set == 1


def test_without_values_shape_and_dtype_still_count():
    right = np.ones(2, np.float32)
    assert compare(right * 2, right, values=False) is None
    assert compare(np.ones(3, np.float32), right, values=False) is not None
    assert compare(np.ones(2, np.float64), right, values=False) is not None

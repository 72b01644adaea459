"""Parity: every way to be wrong is found, rounding is allowed, and missing is never passing."""

from __future__ import annotations

import numpy as np
import pytest

from backends.contract import TensorSpec
from harness.judge.parity import (
    budgets,
    judge_arrays,
    judge_contract,
    judge_drift,
    judge_output,
    summarise,
    worst_of,
    worst_ratio,
)
from harness.records import Parity

RANDOM = np.random.default_rng(0)
RIGHT = RANDOM.normal(size=(4, 1000))
YARDSTICK = (RIGHT + RANDOM.normal(scale=1e-6, size=RIGHT.shape)).astype(np.float32)


def noisy(scale: float) -> np.ndarray:
    return (RIGHT + np.random.default_rng(1).normal(scale=scale, size=RIGHT.shape)).astype(np.float32)


@pytest.mark.parametrize("scale", [0.0, 1e-6, 5e-6])
def test_rounding_of_the_yardsticks_size_passes(scale: float) -> None:
    judged = judge_output("y", "normal:0", noisy(scale), RIGHT, YARDSTICK, "fp32")
    assert judged.status == "pass"
    assert judged.ratio_rms is not None and judged.ratio_rms <= judged.budget_rms


@pytest.mark.parametrize("scale", [5e-5, 1e-3, 1.0])
def test_larger_errors_fail_and_say_where(scale: float) -> None:
    actual = noisy(scale)
    judged = judge_output("y", "normal:0", actual, RIGHT, YARDSTICK, "fp32")
    assert judged.status == "fail"
    assert "×" in judged.reason
    worst = np.unravel_index(np.abs(actual - RIGHT).argmax(), RIGHT.shape)
    assert judged.worst_index == tuple(int(i) for i in worst)


def test_a_single_wrong_value_fails() -> None:
    actual = YARDSTICK.copy()
    actual[2, 77] += 1e-3
    judged = judge_output("y", "normal:0", actual, RIGHT, YARDSTICK, "fp32")
    assert (judged.status, judged.worst_index) == ("fail", (2, 77))


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite")])
def test_non_finite_values_fail(value: float, word: str) -> None:
    actual = YARDSTICK.copy()
    actual[1, 5] = value
    judged = judge_output("y", "normal:0", actual, RIGHT, YARDSTICK, "bf16")
    assert judged.status == "fail"
    assert word in judged.reason
    assert judged.worst_index == (1, 5)


@pytest.mark.parametrize(
    ("actual", "words"), [(None, "did not return"), (YARDSTICK[:3], "shape (3, 1000) instead of (4, 1000)")]
)
def test_missing_and_misshapen_outputs_fail(actual: np.ndarray | None, words: str) -> None:
    judged = judge_output("y", "normal:0", actual, RIGHT, YARDSTICK, "fp32")
    assert judged.status == "fail"
    assert words in judged.reason


def test_constant_and_zero_outputs_fail() -> None:
    for actual in (np.zeros_like(YARDSTICK), np.full_like(YARDSTICK, RIGHT.mean())):
        assert judge_output("y", "s", actual, RIGHT, YARDSTICK, "fp16").status == "fail"


def test_a_reference_that_is_not_finite_judges_nothing() -> None:
    broken = RIGHT.copy()
    broken[0, 0] = np.nan
    assert judge_output("y", "s", YARDSTICK, broken, YARDSTICK, "fp32").status == "unknown"


def test_an_empty_output_judges_nothing() -> None:
    empty = np.empty((0, 3))
    assert judge_output("y", "s", empty, empty, empty, "fp32").status == "unknown"


def test_an_exact_yardstick_still_allows_the_formats_rounding() -> None:
    right = np.arange(1.0, 9.0)
    exact = right.astype(np.float32)
    nearly = np.nextafter(exact, np.float32(100))
    assert judge_output("y", "s", nearly, right, exact, "fp32").status == "pass"
    assert judge_output("y", "s", exact * np.float32(1.0001), right, exact, "fp32").status == "fail"


def test_integers_must_be_equal() -> None:
    right = np.array([[1, 2, 3]])
    assert judge_output("y", "s", right.copy(), right, right, "fp32").status == "pass"
    judged = judge_output("y", "s", np.array([[1, 2, 4]]), right, right, "fp32")
    assert (judged.status, judged.worst_index) == ("fail", (0, 2))


def test_lower_precisions_have_wider_budgets_in_proportion_to_their_roundoff() -> None:
    assert budgets("tf32", 1e-6) == budgets("fp16", 1e-6)
    assert budgets("bf16", 1e-6)[0] / budgets("fp16", 1e-6)[0] == 2**3
    assert budgets("fp16", 1e-6)[0] / budgets("fp32", 1e-6)[0] == 2**13 / 2
    half = RIGHT.astype(np.float16).astype(np.float32)
    assert judge_output("y", "s", half, RIGHT, YARDSTICK, "fp16").status == "pass"
    assert judge_output("y", "s", half, RIGHT, YARDSTICK, "fp32").status == "fail"


SPEC = TensorSpec("y", "float32", ("batch", 10))


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ([], "0 outputs instead of 1"),
        ([TensorSpec("z", "float32", ("batch", 10))], "output y is missing; the engine has z"),
        ([TensorSpec("y", "float16", ("batch", 10))], "float16 instead of float32"),
        ([TensorSpec("y", "float32", ("batch", 10, 1))], "rank 3 instead of 2"),
        ([TensorSpec("y", "float32", ("batch", 11))], "size 11 at axis 1 instead of 10"),
        ([SPEC, TensorSpec("extra", "float32", (1,))], "2 outputs instead of 1"),
    ],
)
def test_contract_breaches_are_named(engine: list[TensorSpec], words: str) -> None:
    assert any(words in breach for breach in judge_contract([SPEC], engine, "output"))


def test_a_fixed_batch_is_no_breach_of_a_dynamic_one() -> None:
    assert judge_contract([SPEC], [TensorSpec("y", "float32", (1, 10))], "output") == ()


def test_swapped_outputs_are_a_breach() -> None:
    a, b = TensorSpec("a", "float32", (1,)), TensorSpec("b", "float32", (1,))
    assert judge_contract([a, b], [b, a], "output") == ("outputs come in the order b, a instead of a, b",)


def test_returned_arrays_are_held_against_the_signature() -> None:
    good = {"y": np.zeros((1, 10), np.float32)}
    assert judge_arrays([SPEC], good) == ()
    assert judge_arrays([SPEC], {}) == ("output y was not returned",)
    assert "not in the model's signature" in judge_arrays([SPEC], {**good, "x": good["y"]})[0]
    assert "float64 instead of float32" in judge_arrays([SPEC], {"y": np.zeros((1, 10))})[0]


GOOD = judge_output("y", "normal:0", YARDSTICK, RIGHT, YARDSTICK, "fp32")
BAD = judge_output("y", "normal:1", noisy(1.0), RIGHT, YARDSTICK, "fp32")
UNKNOWN = judge_output("y", "zeros", YARDSTICK, np.full_like(RIGHT, np.nan), YARDSTICK, "fp32")
SAME = ("pass", "")


@pytest.mark.parametrize(
    ("outputs", "contract", "drift", "status", "words"),
    [
        ([GOOD], (), SAME, "pass", ""),
        ([GOOD, BAD], (), SAME, "fail", "output y on normal:1 at"),
        ([GOOD, UNKNOWN], (), SAME, "unknown", "zeros"),
        ([BAD, UNKNOWN], (), SAME, "fail", "normal:1"),
        ([], (), SAME, "unknown", "no output was compared"),
        ([GOOD], ("output z is missing",), SAME, "fail", "z is missing"),
        ([GOOD], (), judge_drift(0.5, [GOOD], "fp32"), "fail", "timed calls return other outputs"),
        ([GOOD], (), judge_drift(None, [GOOD], "fp32"), "unknown", "not checked"),
    ],
)
def test_the_verdict_over_all(outputs, contract, drift, status, words) -> None:
    parity = summarise(outputs, contract, drift, "reference", "yardstick")
    assert parity.status == status
    assert words in parity.reason


def test_drift_of_rounding_size_is_allowed() -> None:
    assert judge_drift(1e-7, [GOOD], "fp32") == ("pass", "")
    assert judge_drift(float("inf"), [GOOD], "fp32")[0] == "fail"


def test_the_worst_trial_counts() -> None:
    good = summarise([GOOD], (), SAME, "r", "y")
    bad = summarise([BAD], (), SAME, "r", "y")
    assert worst_of([good, bad, good]) is bad
    assert worst_of([]) is None
    assert worst_ratio(Parity(status="unknown", reference="", yardstick="")) is None

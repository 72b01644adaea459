"""What a reproduction calls right is what the search calls within its budget, for infinite and whole numbers too."""

from __future__ import annotations

import numpy as np
import pytest

from backends.contract import Array
from harness.judge.tensor_error import tensor_error
from harness.run.layers.reproduce_main import right

INF, NAN = np.inf, np.nan
GOOD, WRONG = "within", "beyond"


def single(*values: float) -> Array:
    return np.array(values, dtype=np.float32)


CASES = {
    "equal": (single(1, 2), single(1, 2), GOOD),
    "off": (single(1, 2.1), single(1, 2), WRONG),
    "a mask as it should be": (single(0, -INF), single(0, -INF), GOOD),
    "a soft mask for an infinite one": (single(0, -1e4), single(0, -INF), WRONG),
    "the other infinity": (single(0, INF), single(0, -INF), WRONG),
    "NaN for infinity": (single(0, NAN), single(0, -INF), WRONG),
    "a number for NaN": (single(0, 1), single(0, NAN), WRONG),
    "NaN where it belongs": (single(1, NAN), single(1, NAN), GOOD),
    "NaN where none belongs": (single(1, NAN), single(1, 2), WRONG),
    "another shape": (single(1), single(1, 2), WRONG),
    "whole numbers": (np.array([1, 2]), np.array([1, 2]), GOOD),
    "whole numbers off by one": (np.array([1, 3]), np.array([1, 2]), WRONG),
    "truncated to whole numbers": (np.array([1, 2]), single(1.25, 2), WRONG),
    "a mask turned round": (np.array([True, False]), np.array([False, True]), WRONG),
}


@pytest.mark.parametrize("case", CASES)
def test_the_script_agrees_with_the_search(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    actual, expected, status = CASES[case]
    exact = expected.astype(np.float64) if expected.dtype.kind == "f" else expected
    found = tensor_error(actual, exact, expected, "fp32")
    assert found.status == status
    limits = {
        measure: {"yardstick": size / ratio, "budget": budget}
        for measure, size, ratio, budget in (
            ("rms", found.error_rms, found.ratio_rms, found.budget_rms),
            ("largest", found.error_max, found.ratio_max, found.budget_max),
        )
        if size and ratio and budget
    }
    told = {"limits": {"y": limits}}
    arrays = {"y:float64": exact, "y:float32": expected}
    assert right("y", {"y": actual}, arrays, told) is (status == GOOD)
    if status == WRONG:
        assert capsys.readouterr().out.startswith("y: "), "it does not say what is wrong"


def test_nothing_but_infinities_is_right_when_they_are_the_same() -> None:
    masked = single(-INF, -INF)
    arrays = {"y:float64": masked.astype(np.float64), "y:float32": masked}
    assert right("y", {"y": masked}, arrays, {"limits": {"y": {}}})


def test_an_output_that_is_missing_is_wrong() -> None:
    assert not right("y", {}, {}, {"limits": {}})

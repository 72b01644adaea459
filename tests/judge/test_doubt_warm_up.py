"""Doubts about the warm-up: how it was unsteady, and blocks that were faster than its end."""

from __future__ import annotations

import numpy as np

from harness.judge.doubts.samples import doubts
from harness.records import Result, Warning_
from tests.judge.test_doubt import make_measured


def warm_ups(curve: tuple[int, ...], steady_from: int | None) -> Result:
    """A calm measurement of 10 ms a call, whose last trial warmed up like this."""
    result = make_measured()
    last = result.trials[-1].model_copy(update={"warmup_ns": curve, "steady_from": steady_from})
    return result.model_copy(update={"trials": (*result.trials[:-1], last)})


def only(result: Result) -> Warning_:
    (found,) = doubts(result)
    return found


def test_a_drift_is_named_with_its_figure() -> None:
    curve = tuple(int(value) for value in 1.2e7 * np.exp(-np.linspace(0.0, 0.3, 120)))
    warning = only(warm_ups(curve, None))
    assert warning.code == "never_steady" and warning.figure == 0.25
    assert "faster, by 18%" in warning.message and "--warmup-max" in warning.advice


def test_blocks_faster_than_the_end_of_the_warm_up() -> None:
    warning = only(warm_ups((300_000_000,) * 9, 0))
    assert warning.code == "warmed_up_late" and 0.95 < warning.figure < 0.98
    assert "1 of 4" in warning.message and "97%" in warning.message


def test_blocks_at_the_level_of_the_warm_up_raise_nothing() -> None:
    assert doubts(warm_ups((30_000_000, *(10_000_000,) * 30), 1)) == ()
    assert doubts(warm_ups((30_000_000, *(9_000_000,) * 30), 1)) == ()

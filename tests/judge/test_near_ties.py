"""What a near-tie explains, by simulated engines: right ones that decide otherwise, and wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from backends.contract import Array
from harness.judge.parity.near_ties import behind_a_step, impossible, impossible_rows
from harness.judge.parity.outputs import judge_output

RUNS = 16
SCORES = np.random.default_rng(5).uniform(size=(8, 400))


def best(noise: float, seed: int) -> Array:
    """Indices of the twenty largest scores, in the order that errors of the size `noise` leave."""
    moved = SCORES + noise * np.random.default_rng(seed).normal(size=SCORES.shape)
    return np.argsort(-moved, axis=1)[:, :20]


def test_an_order_of_many_near_ties_that_no_run_had_is_right() -> None:
    """Sixteen runs do not see all orders of scores that are nearly equal."""
    right = best(0.0, 0)
    runs = [best(3e-3, seed) for seed in range(1, RUNS + 1)]
    unseen = alarms = 0
    for seed in range(100, 200):
        actual = best(1e-3, seed)
        unseen += not all((np.stack([right, *runs]) == actual).any(axis=0).ravel())
        alarms += bool(impossible(actual, right, runs).any())
    assert unseen > 20
    assert alarms <= 3, alarms


@pytest.mark.parametrize("noise", [3e-4, 3e-3])
def test_wrong_indices_are_wrong_among_near_ties_too(noise: float) -> None:
    right = best(0.0, 0)
    runs = [best(noise, seed) for seed in range(1, RUNS + 1)]
    shifted = right + 1
    assert impossible(shifted, right, runs).mean() > 0.5
    other_rows = right[::-1].copy()
    assert impossible(other_rows, right, runs).mean() > 0.5
    turned = -np.sort(-right, axis=1)
    assert impossible(turned, right, runs).mean() > 0.3
    first = right.copy()
    first[0, 0] = right[0, 0] + 1
    clear = [run.copy() for run in runs]
    for run in clear:
        run[0, 0] = right[0, 0]
    assert impossible(first, right, clear)[0, 0]
    out = right.copy()
    out[3, 19] = 4000
    assert impossible(out, right, runs)[3, 19]


def kept(noise: float, seed: int) -> Array:
    moved = SCORES + noise * np.random.default_rng(seed).normal(size=SCORES.shape)
    return np.argwhere(moved > 0.9)


def test_rows_of_which_near_ties_decide_are_compared_as_a_set() -> None:
    right = kept(0.0, 0)
    runs = [kept(3e-3, seed) for seed in range(1, RUNS + 1)]
    assert len({run.shape for run in runs}) > 1
    for seed in range(100, 150):
        assert impossible_rows(kept(1e-3, seed), right, runs) == 0
        assert impossible_rows(kept(1e-3, seed).T, right.T, [run.T for run in runs]) == 0
    always = next(row for row in right if all((run == row).all(axis=1).any() for run in runs))
    lacking = right[~(right == always).all(axis=1)]
    assert impossible_rows(lacking, right, runs) == 1
    assert (impossible_rows(right + np.array([0, 1]), right, runs) or 0) > 50
    assert impossible_rows(right, right, [right] * RUNS) is None
    judged = judge_output("y", "s", lacking, right, right, "bf16", ties=runs)
    assert (judged.status, judged.reason) == (
        "fail",
        "1 rows are missing or too many, not counting near-ties",
    )
    assert judge_output("y", "s", kept(1e-3, 99), right, right, "bf16", ties=runs).status == "pass"


def test_floats_behind_a_decision_follow_it_and_no_others_may() -> None:
    boxes = np.random.default_rng(1).normal(size=(8, 400, 4))

    def chosen(noise: float, seed: int, rounding: float) -> Array:
        exact = np.take_along_axis(boxes, best(noise, seed)[..., None], axis=1)
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], exact.shape)
        return (exact * (1 + rounding * signs)).astype(np.float32)

    right = chosen(0.0, 0, 0.0).astype(np.float64)
    yardstick = chosen(0.0, 1, 2.0**-24)
    ties = [chosen(1e-3, seed, 10 * 2.0**-8) for seed in range(1, RUNS + 1)]
    actual = chosen(5e-4, 77, 2.0**-9)
    alone = judge_output("y", "s", actual, right, yardstick, "bf16", neighbours=[yardstick])
    assert alone.status == "fail"
    judged = judge_output("y", "s", actual, right, yardstick, "bf16", neighbours=[yardstick], ties=ties)
    assert judged.status == "pass" and "near-ties" in judged.note
    wrong = actual.copy()
    wrong[0, 0] = right[0, 0] + 1.0
    steady = [np.where(np.arange(20)[:, None] == 0, right, tie).astype(np.float32) for tie in ties]
    judged = judge_output("y", "s", wrong, right, yardstick, "bf16", neighbours=[yardstick], ties=steady)
    assert judged.status == "fail"


def test_smooth_floats_get_no_more_room_from_moved_runs() -> None:
    right = np.random.default_rng(1).normal(size=(4, 50))
    runs = [
        right * (1 + 10 * 2.0**-8 * np.random.default_rng(seed).choice([-1, 1], right.shape))
        for seed in range(RUNS)
    ]
    assert not behind_a_step(
        right * (1 + 2.0**-5), right, runs, 10 * 2.0**-8 * float(np.abs(right).max())
    ).any()
    yardstick = (right * (1 + 2.0**-24)).astype(np.float32)
    actual = (right * (1 + 9 * 2.0**-8)).astype(np.float32)
    assert judge_output("y", "s", actual, right, yardstick, "bf16", ties=runs).status == "fail"

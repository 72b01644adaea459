"""When a warm-up ends: on curves of known truth as they grow, and after what earlier trials showed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from harness.judge.warmup.steady import Steadiness
from harness.judge.warmup.warming import (
    CHUNK_CALLS,
    CHUNK_NS,
    FIRST_NS,
    MAX_CALLS,
    least_warm_up,
    still_warming,
    warm_enough,
)
from harness.records import Round, Trial
from tests.judge.synthetic_warmup import KINDS, draw_curve

MS = 1_000_000


def warm_up(
    calls_ns: Sequence[int], longest_s: float = 10.0, least_ns: int = 0
) -> tuple[int, Steadiness | None]:
    """Feed the curve chunk by chunk as a worker would; calls made, and the judgement that ended it."""
    made = 1
    while made < len(calls_ns):
        spent, upto = 0, made
        while upto < len(calls_ns) and upto - made < CHUNK_CALLS and spent < CHUNK_NS:
            spent += calls_ns[upto]
            upto += 1
        made = upto
        found = warm_enough(calls_ns[:made], longest_s, least_ns)
        if found is not None:
            return made, found
    return made, None


def noisy(levels: Sequence[float], seed: int = 1, share: float = 0.02) -> list[int]:
    noise = np.random.default_rng(seed).normal(0.0, share, len(levels))
    return [int(value) for value in np.asarray(levels) * np.exp(noise)]


def make_trial(
    warmup: Sequence[int], steady_from: int | None, block_ns: int | None = None, calls: int = 1
) -> Trial:
    samples = () if block_ns is None else (block_ns * calls,) * 5
    one = Round(
        index=0,
        position=0,
        input_set="normal:0",
        calls_per_sample=calls,
        samples_ns=samples,
        canary_ns=None,
        cpu_s=0.0,
        steal_s=None,
    )
    return Trial(
        index=0,
        import_ns=1,
        load_ns=1,
        first_inference_ns=1,
        warmup_ns=tuple(warmup),
        steady_from=steady_from,
        rounds=(one,),
    )


@pytest.mark.parametrize(("call_ms", "at_most_s"), [(0.05, 1.0), (1, 1.0), (30, 1.0), (100, 1.5), (300, 4.0)])
def test_a_steady_engine_is_not_kept_waiting(call_ms: float, at_most_s: float) -> None:
    curve = noisy(np.full(MAX_CALLS, call_ms * MS))
    made, found = warm_up(curve)
    assert found is not None and found.kind == "flat"
    assert sum(curve[:made]) * 1e-9 <= at_most_s
    made, _ = warm_up(curve, least_ns=FIRST_NS)
    assert sum(curve[:made]) >= min(FIRST_NS, 4000 * call_ms * MS * 0.9)


def test_ten_equal_calls_are_not_enough_in_the_first_trial_of_a_fast_engine() -> None:
    """Seen: nine calls of 300 ms while threads fought for cores, then calls of 0.4 ms."""
    curve = noisy([300 * MS] * 5 + [0.4 * MS] * 4000)
    made, found = warm_up(curve, least_ns=least_warm_up(()))
    assert found is not None and found.steady_from is not None and found.steady_from >= 5
    assert found.level_ns == pytest.approx(0.4 * MS, rel=0.02)
    assert made > 500


def test_the_tail_must_outweigh_what_came_before() -> None:
    curve = noisy([30 * MS] * 60 + [20 * MS] * 200)
    made, found = warm_up(curve, least_ns=2_000_000_000)
    assert found is not None and found.steady_from == 60
    assert made >= 120


def test_a_cycle_ends_the_warm_up_and_is_reported() -> None:
    curve = noisy([10 * MS * (1.4 if place % 30 < 15 else 1.0) for place in range(1500)])
    made, found = warm_up(curve, least_ns=FIRST_NS)
    assert found is not None and found.kind == "cyclic" and found.steady_from is None
    assert 1.9 <= sum(curve[:made]) * 1e-9 <= 3.0


def test_a_drift_is_given_all_the_time_there_is_and_no_more() -> None:
    curve = noisy(30 * MS * np.exp(np.linspace(0.0, 3.0, 400)))
    made, found = warm_up(curve, longest_s=4.0)
    assert found is not None and found.kind == "drift"
    assert 4.0 <= sum(curve[1:made]) * 1e-9 <= 4.5


def test_a_machine_that_wanders_is_not_waited_for() -> None:
    walk = np.repeat(np.random.default_rng(4).normal(0.0, 0.3, 40), 9)
    curve = noisy(30 * MS * np.exp(walk))
    made, found = warm_up(curve, least_ns=FIRST_NS)
    assert found is not None and found.steady_from is None
    assert 2.9 <= sum(curve[:made]) * 1e-9 <= 6.0


def test_the_first_call_does_not_count_against_the_limit() -> None:
    curve = [20_000 * MS, *noisy([30 * MS] * 100)]
    _, found = warm_up(curve, longest_s=3.0)
    assert found is not None and found.steady_from is not None and found.steady_from >= 1


def test_short_calls_end_at_the_number_that_a_record_keeps() -> None:
    curve = noisy(20_000 * np.exp(np.linspace(0.0, 1.0, MAX_CALLS + 3000)))
    made, found = warm_up(curve)
    assert made <= MAX_CALLS + CHUNK_CALLS and found is not None and found.steady_from is None


def test_nothing_known_asks_for_a_long_first_look() -> None:
    assert least_warm_up(()) == FIRST_NS
    assert least_warm_up([make_trial((), None), make_trial((5, 5), None)]) == FIRST_NS


def test_a_trial_passes_where_earlier_ones_became_steady() -> None:
    slow = make_trial([100 * MS] * 20 + [50 * MS] * 40, 20, 50 * MS)
    fast = make_trial([50 * MS] * 40, 0, 50 * MS)
    assert least_warm_up([slow]) > 20 * 100 * MS
    assert least_warm_up([fast]) < 1_000 * MS
    assert least_warm_up([slow, fast, fast]) == least_warm_up([fast])


def test_blocks_that_are_faster_than_the_warm_up_lengthen_the_next_one() -> None:
    fooled = make_trial([300 * MS] * 9, 0, MS // 2, calls=4)
    assert still_warming(fooled) == pytest.approx(1.0, abs=0.01)
    assert least_warm_up([fooled]) == 2 * 9 * 300 * MS
    assert still_warming(make_trial([10 * MS] * 9, 0, 9 * MS)) is None
    assert still_warming(make_trial([10 * MS] * 9, 0, 30 * MS)) is None
    assert still_warming(make_trial([10 * MS] * 9, None, MS)) is None
    assert still_warming(make_trial([10 * MS] * 9, 0)) is None


# Limits: three of forty above what was seen; docs/decisions/0007-steady-state.md has the table.
@pytest.mark.parametrize(
    ("kind", "seconds", "too_early"),
    [("flat", 3, 1), ("exponential", 3, 4), ("drift", 3, 6), ("two-step", 1, 13), ("cyclic", 3, 10)],
)
def test_how_often_a_growing_curve_is_believed_too_early(kind: str, seconds: float, too_early: int) -> None:
    assert kind in KINDS
    early = 0
    for seed in range(40):
        curve = draw_curve(kind, seed, seconds=seconds)
        made, found = warm_up(curve.calls_ns, least_ns=FIRST_NS)
        if found is None or found.steady_from is None:
            continue
        off = abs(np.log(curve.level[made - 1] / curve.level[-1])) if curve.steady_at is not None else 1.0
        early += off > 0.03
    assert early <= too_early

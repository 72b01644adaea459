"""Whether timed calls do the work: by table, and by simulation of engines whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.work_done import CONFIDENCE, SLACK_NS, judge_work, median_interval, with_work
from harness.records import FreshPass, Trial
from tests.factories import make_parity

MS = 1_000_000


def trial(index: int, fresh: object, repeated: object, wait: int = 0) -> Trial:
    fresh_ns = tuple(int(value) for value in np.atleast_1d(fresh))
    pairs = len(fresh_ns)
    return Trial(
        index=index,
        import_ns=1,
        load_ns=1,
        first_inference_ns=1,
        warmup_ns=(1,),
        steady_from=0,
        rounds=(),
        fresh=FreshPass(
            by="upload",
            fresh_ns=fresh_ns,
            repeated_ns=tuple(int(value) for value in np.atleast_1d(repeated)),
            download_ns=(3_000 + wait,) * pairs,
            download_again_ns=(2_500,) * pairs,
        ),
    )


def trials(fresh_ns: float, repeated_ns: float, pairs: int = 3, count: int = 4, **more: int) -> list[Trial]:
    return [trial(n, [fresh_ns] * pairs, [repeated_ns] * pairs, **more) for n in range(count)]


@pytest.mark.parametrize(
    ("fresh_ns", "repeated_ns", "status"),
    [
        (10 * MS, 10 * MS, "pass"),
        (10 * MS, 9 * MS, "pass"),  # 1.11: caches
        (10 * MS, 11 * MS, "pass"),
        (10 * MS, 7 * MS, "doubt"),  # a third is left out
        (10 * MS, 1 * MS, "fail"),
        (10 * MS, 1_000, "fail"),
        (12_000, 4_000, "pass"),  # within what bringing an input in costs by itself
        (SLACK_NS + 50_000, 10_000, "fail"),
    ],
)
def test_the_ratio_of_fresh_to_repeated_calls_decides(
    fresh_ns: float, repeated_ns: float, status: str
) -> None:
    assert judge_work(trials(fresh_ns, repeated_ns)).status == status


@pytest.mark.parametrize(
    ("call_ns", "wait_ns", "status"),
    [
        (10 * MS, 0, "pass"),
        (10 * MS, 90_000, "pass"),  # a large output that is read for the first time
        (10 * MS, 4 * MS, "doubt"),
        (1_000, 10 * MS, "fail"),
        (1_000, 95_000, "pass"),
    ],
)
def test_work_that_is_left_to_the_reader_of_outputs_is_found(call_ns: int, wait_ns: int, status: str) -> None:
    found = judge_work(trials(call_ns, call_ns, wait=wait_ns))
    assert found.status == status
    if status != "pass":
        assert "when the outputs are read" in found.words


def test_one_trial_in_which_nobody_waited_is_enough_to_acquit() -> None:
    waiting = trials(1_000, 1_000, wait=10 * MS)
    assert judge_work(waiting).status == "fail"
    assert judge_work([*waiting, trial(9, [1_000] * 3, [1_000] * 3)]).status == "pass"


def test_without_calls_nothing_is_known_and_why_is_said() -> None:
    bare = trials(1, 1)[0].model_copy(update={"fresh": None})
    found = judge_work([bare])
    assert (found.status, found.words) == ("unknown", "no trial ended with calls on fresh inputs")
    told = bare.model_copy(update={"fresh": FreshPass(reason="the inputs hold one value only")})
    assert judge_work([told]).words == "the inputs hold one value only"
    two = judge_work([trial(0, [10 * MS] * 2, [MS] * 2)])
    assert two.status == "unknown" and "too few pairs" in two.words


def test_few_pairs_say_with_which_confidence_they_speak() -> None:
    found = judge_work([trial(0, [10 * MS] * 3, [MS] * 3)])
    assert found.status == "fail"
    assert found.ratio.confidence == 0.75
    assert judge_work(trials(10 * MS, MS)).ratio.confidence == CONFIDENCE


def test_a_single_slow_call_does_not_accuse() -> None:
    fresh = [10 * MS] * 11 + [500 * MS]
    assert judge_work([trial(0, fresh, [10 * MS] * 12)]).status == "pass"


def test_an_idle_engine_fails_parity_and_an_honest_one_keeps_its_own() -> None:
    passing, idle = make_parity(), trials(10 * MS, MS)
    assert passing.status == "pass"
    failed = with_work(passing, idle)
    assert failed is not None and failed.status == "fail"
    assert failed.reason.startswith(
        "its timed calls do not do the work: a call on inputs never seen takes 9.99×"
    )
    assert failed.outputs == passing.outputs
    assert with_work(passing, trials(MS, MS)) == passing
    wrong = passing.model_copy(update={"status": "fail", "reason": "output 1"})
    assert with_work(wrong, idle) == wrong
    assert with_work(None, idle) is None


def test_the_interval_of_a_median_holds_what_it_promises() -> None:
    assert median_interval(range(7), 0.99) is None
    assert median_interval(range(8), 0.99) == (0, 7)
    generator = np.random.default_rng(3)
    kept = 0
    for _ in range(2000):
        low, high = median_interval(list(generator.exponential(1.0, 20)), 0.95)  # type: ignore[misc]
        kept += low <= np.log(2) <= high
    # Order statistics of 20 values enclose the median with 95.9 %.
    assert kept / 2000 == pytest.approx(0.959, abs=0.015)


def noisy(generator: np.random.Generator, work_ns: float, pairs: int) -> np.ndarray:
    """A busy machine: 10 % noise, and every fifth call is held up by up to ten times its length."""
    held = np.where(generator.random(pairs) < 0.2, 1 + 9 * generator.random(pairs), 1.0)
    return work_ns * held * generator.lognormal(0.0, 0.1, pairs)


@pytest.mark.parametrize("pairs", [3, 12])
def test_honest_engines_on_a_busy_machine_are_hardly_ever_accused(pairs: int) -> None:
    generator = np.random.default_rng(5)
    runs = [
        judge_work([trial(t, noisy(generator, MS, pairs), noisy(generator, MS, pairs)) for t in range(4)])
        for _ in range(400)
    ]
    assert sum(run.status == "fail" for run in runs) == 0
    assert sum(run.status == "doubt" for run in runs) <= 4


def test_engines_that_leave_out_most_of_the_work_are_found_on_a_busy_machine() -> None:
    generator = np.random.default_rng(6)
    runs = [
        judge_work([trial(t, noisy(generator, MS, 3), noisy(generator, MS / 20, 3)) for t in range(4)])
        for _ in range(200)
    ]
    assert all(run.status == "fail" for run in runs)

"""Whether timed calls do the work: by table, and by simulation of engines whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from harness.judge.work_done import CONFIDENCE, SLACK_NS, judge_work, median_interval, with_work
from harness.records import FreshPass, Trial
from tests.factories import make_parity

MS = 1_000_000


def trial(index: int, fresh: object, repeated: object, wait: object = 0, again: Sequence[int] = ()) -> Trial:
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
            download_ns=tuple(int(value) for value in np.broadcast_to(np.add(3_000, wait), pairs)),
            download_again_ns=tuple(again) or (2_500,) * pairs,
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


def test_a_worker_that_was_held_up_before_it_read_the_outputs_acquits_nobody() -> None:
    """Held up for longer than the work takes, it finds the work done and waits for nothing."""
    waits = [0, 10 * MS, 10 * MS, 10 * MS, 0, 10 * MS, 10 * MS, 10 * MS]
    found = judge_work([trial(0, [1_000] * 8, [1_000] * 8, waits)])
    assert found.status == "fail"
    assert (found.late.low, found.late.samples, found.late.trials) == (0.0, 8, 1)


def test_late_work_has_its_interval_and_the_confidence_of_few_pairs() -> None:
    late = judge_work(trials(1_000, 1_000, wait=10 * MS)).late
    assert late.low is not None and late.value is not None and late.high is not None
    assert 0.999 < late.low <= late.value <= late.high <= 1.0
    assert (late.samples, late.trials, late.confidence) == (12, 4, CONFIDENCE)
    assert judge_work([trial(0, [1_000] * 3, [1_000] * 3, 10 * MS)]).late.confidence == 0.75


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


def held_up(generator: np.random.Generator, pairs: int) -> np.ndarray:
    """Nanoseconds for which a busy machine takes the processor away: at every fifth chance, 1 to 20 ms."""
    return np.where(generator.random(pairs) < 0.2, MS * (1 + 19 * generator.random(pairs)), 0.0)


@pytest.mark.parametrize("pairs", [8, 12])
@pytest.mark.parametrize(("work_ns", "status"), [(400_000, "fail"), (0, "pass")])
def test_late_work_is_found_and_honest_reading_is_not_accused_on_a_busy_machine(
    pairs: int, work_ns: int, status: str
) -> None:
    """The processor is taken away before the first reading (work goes on meanwhile), in it, and in the second."""
    generator = np.random.default_rng(8)
    right = 0
    for _ in range(500):
        waits = np.maximum(0.0, work_ns - held_up(generator, pairs)) + held_up(generator, pairs)
        again = [int(value) for value in 2_500 + held_up(generator, pairs)]
        call = 1_000 if work_ns else 400_000
        right += judge_work([trial(0, [call] * pairs, [call] * pairs, waits, again)]).status == status
    assert right >= (475 if pairs == 12 else 450)

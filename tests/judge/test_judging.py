"""Groups judged from made-up samples with a known answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.judge.comparison import Group
from harness.judge.exit_code import exit_code
from harness.judge.judging import judge_group, judge_pair, log_ratios
from harness.judge.summary import summarise
from harness.records import Failure, Parity, Result, Round, Trial, VariantRef
from tests.factories import make_case, make_parity, make_result


def trials(
    level_ns: float, *, seed: int, count: int = 5, rounds: int = 6, samples: int = 10, calls: int = 1
) -> tuple[Trial, ...]:
    """Trials whose samples lie around `level_ns` a call, with 0.2 % noise and a drift that all contenders share."""
    random = np.random.default_rng(seed)
    drift = np.random.default_rng(99).normal(0, 0.1, (count, rounds))
    return tuple(
        Trial(
            index=t,
            import_ns=10**8,
            load_ns=10**8,
            first_inference_ns=10**7,
            warmup_ns=(10**7, *[int(level_ns)] * 12),
            steady_from=1,
            rounds=tuple(
                Round(
                    index=r,
                    position=0,
                    input_set="normal:0",
                    calls_per_sample=calls,
                    samples_ns=tuple(
                        int(calls * level_ns * math.exp(drift[t, r]) * (1 + random.normal(0, 0.002)))
                        for _ in range(samples)
                    ),
                )
                for r in range(rounds)
            ),
        )
        for t in range(count)
    )


def result(name: str, level_ns: float, seed: int = 0, **overrides: object) -> Result:
    case = make_case(name)
    fields: dict[str, object] = {
        "case": case,
        "group_id": "g",
        "status": "measured",
        "trials": trials(level_ns, seed=seed),
        "parity": make_parity("pass"),
        "failure": None,
    }
    return make_result(**{**fields, **overrides})


def test_a_shared_drift_cancels_in_the_ratio() -> None:
    pair = judge_pair(result("a", 1.10e6, 1), result("b", 1.0e6, 2))
    assert pair.verdict == "slower"
    assert pair.ratio.value == pytest.approx(1.10, rel=0.003)
    assert pair.ratio.low is not None and pair.ratio.high is not None
    assert 1.09 < pair.ratio.low < 1.10 < pair.ratio.high < 1.11
    assert (pair.ratio.trials, pair.rounds) == (5, 30)
    assert pair.words.startswith("a is 1.100× slower than b")


def test_equal_engines_are_the_same_and_nearly_equal_ones_too() -> None:
    assert judge_pair(result("a", 1.0e6, 1), result("b", 1.0e6, 2)).verdict == "same"
    assert judge_pair(result("a", 1.01e6, 1), result("b", 1.0e6, 2)).verdict == "same"


def test_samples_of_several_calls_are_divided() -> None:
    batched = result("a", 1.0e6, trials=trials(1.0e6, seed=1, calls=50))
    assert judge_pair(batched, result("b", 1.0e6, 2)).ratio.value == pytest.approx(1.0, rel=0.003)
    p50 = summarise(batched).p50.value
    assert p50 == pytest.approx(1e-3, rel=0.15)
    assert summarise(batched).p90.value is None


def test_a_single_trial_settles_nothing() -> None:
    pair = judge_pair(
        result("a", 2.0e6, trials=trials(2.0e6, seed=1, count=1)),
        result("b", 1.0e6, trials=trials(1.0e6, seed=2, count=1)),
    )
    assert pair.verdict == "unsettled"
    assert pair.ratio.value == pytest.approx(2.0, rel=0.01)
    assert pair.advice


def test_only_rounds_that_both_measured_are_paired() -> None:
    full, short = result("a", 1.0e6, 1), trials(1.0e6, seed=2)
    holes = tuple(t.model_copy(update={"rounds": t.rounds[1:3]}) for t in short[1:])
    ratios = log_ratios(full, result("b", 1.0e6, trials=holes))
    assert [len(values) for values in ratios] == [2, 2, 2, 2]


def test_no_common_round_is_unknown() -> None:
    pair = judge_pair(result("a", 1.0e6), result("b", 1.0e6, trials=()))
    assert pair.verdict == "unknown"
    assert pair.ratio.value is None


def test_several_pairs_are_decided_more_strictly() -> None:
    group = judge_group([result("a", 1.0e6, 1), result("b", 1.0e6, 2), result("c", 1.0e6, 3)])
    assert len(group.pairs) == 3
    for pair in group.pairs:
        assert pair.decision_confidence == pytest.approx(1 - 0.05 / 3)
        assert pair.decision_low is not None and pair.ratio.low is not None
        assert pair.decision_low < pair.ratio.low


FAIL = Parity(status="fail", reference="r", yardstick="y", reason="output y on normal:0: wrong")
UNKNOWN = Parity(status="unknown", reference="r", yardstick="y", reason="not finite")


@pytest.mark.parametrize(
    ("fast", "words"),
    [
        ({}, "b is fastest: 2.00× ["),
        ({"parity": FAIL}, "b computes the wrong thing. a is the only one measured and right."),
        ({"parity": UNKNOWN}, "Whether b is right is unknown. a is the only one"),
        ({"parity": None}, "Whether b is right is unknown."),
        ({"trials": (), "status": "crashed"}, "Only a could be measured; it computes the right thing."),
    ],
)
def test_a_wrong_or_unknown_engine_is_never_called_fastest(fast: dict[str, object], words: str) -> None:
    group = judge_group([result("a", 2.0e6, 1), result("b", 1.0e6, 2, **fast)])
    assert words in group.headline


def test_nothing_measured_says_so() -> None:
    dead = {
        "trials": (),
        "status": "crashed",
        "failure": Failure(phase="load", kind="x", message="broke"),
        "parity": None,
    }
    group = judge_group([result("a", 1.0e6, **dead), result("b", 1.0e6, **dead)])
    assert group.headline == "Nothing could be measured."


def test_results_of_different_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="exactly one group"):
        judge_group([result("a", 1e6), result("b", 1e6, group_id="other")])
    with pytest.raises(ValueError, match="exactly one group"):
        judge_group([])


def groups(*results: Result) -> list[Group]:
    return [judge_group(list(results))]


DEAD = {"trials": (), "status": "crashed", "parity": None}


@pytest.mark.parametrize(
    ("second", "more", "code"),
    [
        ({}, {}, 0),
        ({"parity": FAIL}, {}, 1),
        ({"parity": UNKNOWN}, {}, 1),
        ({"parity": None}, {}, 1),
        (DEAD, {}, 1),
        ({"status": "interrupted"}, {}, 1),
        ({}, {"failed_gates": 1}, 1),
        ({}, {"unusable_models": 1}, 1),
        ({}, {"interrupted": True}, 130),
    ],
)
def test_exit_code(second: dict[str, object], more: dict[str, object], code: int) -> None:
    assert exit_code(groups(result("a", 1e6), result("b", 1e6, **second)), **more) == code  # type: ignore[arg-type]


def test_exit_code_when_nothing_was_measured() -> None:
    assert exit_code(groups(result("a", 1e6, **DEAD), result("b", 1e6, **DEAD))) == 3
    assert exit_code([]) == 3


def test_figures_that_cannot_be_stated_say_why() -> None:
    few = summarise(result("a", 1e6, trials=trials(1e6, seed=1, count=2, rounds=2, samples=2)))
    assert few.p50.value is not None
    assert few.p99.value is None and "368 samples" in few.p99.reason
    dead = summarise(
        result(
            "a", 1e6, trials=(), status="crashed", failure=Failure(phase="load", kind="x", message="broke")
        )
    )
    for figure in (dead.p50, dead.throughput, dead.first_inference, dead.memory_peak):
        assert figure.value is None
        assert figure.reason == "broke"


def test_throughput_counts_items() -> None:
    one = result("a", 1.0e6)
    eight = one.model_copy(
        update={
            "case": one.case.model_copy(update={"variant": one.case.variant.model_copy(update={"batch": 8})})
        }
    )
    single, batch = summarise(one).throughput.value, summarise(eight).throughput.value
    assert single is not None and batch is not None
    assert batch / single == pytest.approx(8 / one.case.variant.batch)


@pytest.mark.parametrize(
    ("variant", "scenario", "title"),
    [
        (VariantRef(batch=1, threads=1), "single_stream", "m, batch 1, 1 thread"),
        (
            VariantRef(batch=8, threads=2, dims={"t": 7, "s": 9}),
            "offline",
            "m, batch 8, s 9, t 7, 2 threads, offline",
        ),
    ],
)
def test_the_title_tells_one_group_from_another(variant: VariantRef, scenario: str, title: str) -> None:
    one = result("a", 1.0e6)
    model = one.case.model.model_copy(update={"name": "m"})
    case = one.case.model_copy(update={"model": model, "variant": variant, "scenario": scenario})
    group = judge_group([one.model_copy(update={"case": case})])
    assert (group.title, group.dims) == (title, variant.dims)


def test_an_interval_beyond_all_bounds_is_none_and_says_why() -> None:
    """Two trials at a high confidence: Student's factor is in the thousands, and its exponential fits no float."""
    wild = [result(name, level, seed=seed) for seed, (name, level) in enumerate((("a", 1.0e6), ("b", 1.5e6)))]
    settings = wild[0].settings.model_copy(update={"confidence": 0.9999})
    two = []
    for each, spread in zip(wild, (1.0, 3.0), strict=True):
        first, second = each.trials[:2]
        slower = [
            r.model_copy(update={"samples_ns": tuple(int(s * spread) for s in r.samples_ns)})
            for r in second.rounds
        ]
        second = second.model_copy(update={"rounds": tuple(slower), "load_ns": int(second.load_ns * spread)})
        two.append(each.model_copy(update={"trials": (first, second), "settings": settings}))
    pair = judge_pair(*two)
    assert (pair.verdict, pair.ratio.low, pair.decision_high) == ("unsettled", None, None)
    assert "differ too much for an interval" in pair.ratio.reason and "differ too much" in pair.words
    summary = summarise(two[1])
    for estimate in (summary.p50, summary.throughput, summary.load):
        assert estimate.value is not None and estimate.low is None
        assert "differ too much" in estimate.reason
    assert judge_group(two).headline

"""Gates: pass, fail and unknown for every kind of evidence, and nothing missing ever passes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.comparison import ContenderSummary, Estimate, Group, PairVerdict
from harness.judge.gate_types import (
    ExpectedGroup,
    LatencyGate,
    MeasuredGate,
    MemoryGate,
    ParityGate,
    RatioGate,
)
from harness.judge.gates import gates_pass, judge_gates

NOTHING = Estimate(value=None, reason="needs 459 samples, has 20")


def est(value: float, low: float | None, high: float | None, unit: str = "s", reason: str = "") -> Estimate:
    return Estimate(value=value, low=low, high=high, unit=unit, samples=120, trials=4, reason=reason)


def contender(name: str = "ort", **overrides) -> ContenderSummary:
    figures = dict.fromkeys(
        ("p50", "p90", "p99", "throughput", "first_inference", "load", "build", "warmup", "artefact"), NOTHING
    )
    fields = {
        **figures,
        "result_id": "r",
        "contender": name,
        "status": "measured",
        "parity": "pass",
        "parity_ratio": 0.8,
        "p50": est(0.079, 0.078, 0.080),
        "p90": est(0.090, 0.085, 0.095),
        "memory_peak": est(100 << 20, 90 << 20, 100 << 20, "B"),
    }
    return ContenderSummary(**{**fields, **overrides})


def pair(a: str, b: str, ratio: Estimate) -> PairVerdict:
    return PairVerdict(a=a, b=b, ratio=ratio, margin=0.02, verdict="same", words="")


def group(*contenders: ContenderSummary, pairs=(), model="resnet50", batch=1, threads=2) -> Group:
    return Group(
        group_id=f"g-{model}-{batch}",
        title=model,
        model=model,
        batch=batch,
        threads=threads,
        scenario="single_stream",
        contenders=contenders,
        pairs=pairs,
        headline="",
    )


def planned(*contenders: str, model="resnet50", batch=1, threads=2) -> ExpectedGroup:
    return ExpectedGroup(model, batch, threads, "single_stream", contenders)


def judge(gate, *groups, expected=None):
    """The only outcome: (status, unsettled, passed)."""
    (outcome,) = judge_gates([gate], groups, expected)
    assert outcome.gate == gate
    assert outcome.words and outcome.asks
    assert gates_pass([outcome]) == outcome.passed
    return outcome


@pytest.mark.parametrize(
    ("figure", "status", "unsettled", "words"),
    [
        (est(0.079, 0.078, 0.0799), "pass", False, "79 ms [78 ms, 79.9 ms] ≤ 80 ms"),
        (est(0.079, 0.078, 0.080), "pass", False, "≤ 80 ms"),
        (est(0.085, 0.081, 0.089), "fail", False, "85 ms [81 ms, 89 ms] > 80 ms"),
        (est(0.080, 0.078, 0.082), "unknown", True, "straddles 80 ms"),
        (est(0.080, 0.080, 0.082), "unknown", True, "straddles"),
        (NOTHING, "unknown", False, "needs 459 samples"),
        (Estimate(value=None), "unknown", False, "missing"),
        (est(0.01, None, None, reason="one trial gives no interval"), "unknown", False, "one trial gives"),
        (est(0.01, 0.009, None), "unknown", False, "without an interval"),
        (est(0.01, None, 0.02), "unknown", False, "without an interval"),
        (est(math.nan, 0.01, 0.02), "unknown", False, "not a usable figure"),
        (est(0.01, math.nan, 0.02), "unknown", False, "not a usable figure"),
        (est(0.01, 0.009, math.inf), "unknown", False, "not a usable figure"),
        (est(0.01, 0.02, 0.009), "unknown", False, "not a usable figure"),
    ],
)
def test_latency(figure, status, unsettled, words):
    outcome = judge(LatencyGate(contender="ort", at_most=0.080), group(contender(p50=figure)))
    assert (outcome.status, outcome.unsettled) == (status, unsettled)
    assert outcome.passed == (status == "pass")
    assert words in outcome.words
    assert outcome.threshold == 0.080
    assert outcome.group_id == "g-resnet50-1"


def test_words_carry_place_and_evidence():
    outcome = judge(LatencyGate(contender="ort", at_most=0.2), group(contender()))
    assert outcome.words == (
        "resnet50, batch 1, 2 threads, single_stream: p50 of ort is 79 ms [78 ms, 80 ms] ≤ 200 ms "
        "(95 % confidence, 120 samples, 4 trials)"
    )
    assert outcome.asks == "p50 of ort ≤ 200 ms"
    assert outcome.figure == est(0.079, 0.078, 0.080)


def test_the_percentile_asked_for_is_the_one_judged():
    here = group(contender(p99=est(1.0, 0.9, 1.1)))
    for percentile, status in (("p50", "pass"), ("p90", "unknown"), ("p99", "fail")):
        gate = LatencyGate(contender="ort", percentile=percentile, at_most=0.090)
        assert judge(gate, here).status == status


def test_warn_spares_only_what_straddles():
    gate = LatencyGate(contender="ort", at_most=0.080, on_unsettled="warn")
    straddling = judge(gate, group(contender(p50=est(0.08, 0.07, 0.09))))
    assert (straddling.status, straddling.passed) == ("unknown", True)
    assert "a warning only" in straddling.words
    assert not judge(gate, group(contender(p50=est(0.09, 0.085, 0.095)))).passed
    assert not judge(gate, group(contender(p50=NOTHING))).passed
    assert not judge(gate, group(contender(status="crashed"))).passed
    assert not judge(gate).passed


@pytest.mark.parametrize("status", ["unavailable", "unsupported", "failed", "crashed", "timeout", "out_of_memory",
                                    "interrupted"])  # fmt: skip
def test_what_was_not_measured_has_no_figures_to_judge(status):
    here = group(
        contender(status=status, reason="because"),
        contender("torch"),
        pairs=(pair("ort", "torch", est(0.5, 0.4, 0.6)),),
    )
    for gate in (
        LatencyGate(contender="ort", at_most=9.0),
        RatioGate(of="ort", to="torch", at_most=9.0),
        RatioGate(of="torch", to="ort", at_most=9.0),
        MemoryGate(contender="ort", at_most=1 << 50),
    ):
        outcome = judge(gate, here)
        assert (outcome.status, outcome.unsettled) == ("unknown", False)
        assert status in outcome.words and "because" in outcome.words
    assert judge(MeasuredGate(), here).status == "fail"


@pytest.mark.parametrize(
    ("ratio", "status", "unsettled"),
    [
        (est(1.05, 1.00, 1.09, "×"), "pass", False),
        (est(1.20, 1.15, 1.25, "×"), "fail", False),
        (est(1.10, 1.05, 1.15, "×"), "unknown", True),
        (Estimate(value=None, reason="no round in which both were measured"), "unknown", False),
        (est(1.0, None, None, reason="one trial"), "unknown", False),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_ratio_either_way_round(ratio, status, unsettled, turned):
    if turned and ratio.value is not None:
        ends = [None if v is None else 1 / v for v in (ratio.value, ratio.high, ratio.low)]
        ratio = ratio.model_copy(update=dict(zip(("value", "low", "high"), ends, strict=True)))
    names = ("ort", "ov") if turned else ("ov", "ort")
    here = group(contender("ort"), contender("ov"), pairs=(pair(*names, ratio),))
    outcome = judge(RatioGate(of="ov", to="ort", at_most=1.10), here)
    assert (outcome.status, outcome.unsettled) == (status, unsettled)


def test_ratio_without_the_pair_or_of_nothing():
    gate = RatioGate(of="ov", to="ort", at_most=9.0)
    assert judge(gate, group(contender("ort"), contender("ov"))).status == "unknown"
    zero = pair("ort", "ov", est(0.0, 0.0, 0.0))
    assert judge(gate, group(contender("ort"), contender("ov"), pairs=(zero,))).status == "unknown"


@pytest.mark.parametrize(
    ("peak", "status"),
    [
        (est(100.0, 90.0, 100.0), "pass"),
        (est(101.0, 90.0, 101.0), "fail"),
        (est(100.0, None, None), "pass"),
        (est(95.0, 90.0, 101.0), "fail"),
        (est(math.nan, None, None), "unknown"),
        (Estimate(value=None, reason="the system does not tell"), "unknown"),
    ],
)
def test_memory_is_decided_by_the_largest_figure(peak, status):
    outcome = judge(MemoryGate(contender="ort", at_most=100), group(contender(memory_peak=peak)))
    assert outcome.status == status
    assert not outcome.unsettled


@pytest.mark.parametrize(
    ("parities", "status"),
    [
        (("pass", "pass"), "pass"),
        (("pass", "fail"), "fail"),
        (("unknown", "fail"), "fail"),
        (("pass", "unknown"), "unknown"),
    ],
)
def test_parity(parities, status):
    names = ("ort", "ov")
    here = group(
        *(contender(n, parity=p, parity_where="there") for n, p in zip(names, parities, strict=True))
    )
    outcome = judge(ParityGate(), here)
    assert outcome.status == status
    if status != "pass":
        assert names[parities.index(status)] in outcome.words
        assert "there" in outcome.words


def test_measured():
    assert judge(MeasuredGate(), group(contender(), contender("ov"))).status == "pass"
    outcome = judge(MeasuredGate(), group(contender(), contender("ov", status="timeout", reason="60 s")))
    assert outcome.status == "fail"
    assert "ov (timeout, 60 s)" in outcome.words


ALL = (
    ParityGate(),
    MeasuredGate(),
    LatencyGate(contender="ort", at_most=1e9),
    RatioGate(of="ort", to="ov", at_most=1e9),
    MemoryGate(contender="ort", at_most=1 << 60),
)


@pytest.mark.parametrize("gate", ALL, ids=lambda gate: gate.kind)
def test_missing_everything_is_unknown_and_never_passes(gate):
    for groups, expected in (
        ((), None),
        ((), ()),
        ((), (planned("ort", "ov"),)),
        ((group(),), None),
        ((group(),), (planned("ort", "ov"),)),
    ):
        outcomes = judge_gates([gate], groups, expected)
        assert outcomes
        assert all(o.status == "unknown" and o.blocks and not o.unsettled for o in outcomes)
        assert not gates_pass(outcomes)


@pytest.mark.parametrize("gate", ALL, ids=lambda gate: gate.kind)
def test_a_planned_group_that_is_not_there_is_not_forgotten(gate):
    ratio = pair("ort", "ov", est(1.0, 0.9, 1.1))
    there = group(contender(), contender("ov"), pairs=(ratio,))
    expected = (planned("ort", "ov"), planned("ort", "ov", batch=8))
    outcomes = judge_gates([gate], [there], expected)
    assert [o.status for o in outcomes] == ["pass", "unknown"]
    assert "batch 8" in outcomes[1].words
    assert not gates_pass(outcomes)


@pytest.mark.parametrize("gate", ALL, ids=lambda gate: gate.kind)
def test_a_planned_contender_that_is_not_there_is_not_forgotten(gate):
    outcomes = judge_gates([gate], [group(contender("ov"))], [planned("ov", "ort")])
    assert [o.status for o in outcomes] == ["unknown"]
    assert "ort" in outcomes[0].words


def test_a_contender_that_the_plan_leaves_out_is_no_lack():
    gate = LatencyGate(contender="ort", at_most=1.0)
    groups = [group(contender()), group(contender("ov"), batch=8)]
    expected = [planned("ort"), planned("ov", batch=8)]
    assert [o.status for o in judge_gates([gate], groups, expected)] == ["pass"]
    assert [o.status for o in judge_gates([gate], groups[1:], expected[1:])] == ["unknown"]
    assert [o.status for o in judge_gates([gate], groups)] == ["pass", "unknown"]


@pytest.mark.parametrize(
    ("scope", "batches"),
    [({}, [1, 8]), ({"batch": 8}, [8]), ({"model": "resnet50"}, [1, 8]), ({"threads": 2, "batch": 1}, [1])],
)
def test_scope(scope, batches):
    groups = [group(contender(), batch=1), group(contender(), batch=8)]
    outcomes = judge_gates([LatencyGate(contender="ort", at_most=1.0, **scope)], groups)
    assert [o.group_id for o in outcomes] == [f"g-resnet50-{batch}" for batch in batches]


@pytest.mark.parametrize("scope", [{"model": "other"}, {"batch": 3}, {"threads": 7}])
def test_a_gate_that_covers_nothing_is_unknown(scope):
    outcome = judge(LatencyGate(contender="ort", at_most=1.0, **scope), group(contender()))
    assert (outcome.status, outcome.passed, outcome.group_id) == ("unknown", False, "")
    assert "no group of this run matches" in outcome.words


def test_groups_that_differ_in_dims_alone_are_each_judged():
    twins = [group(contender()), group(contender(p50=est(2.0, 1.9, 2.1)))]
    gate = LatencyGate(contender="ort", at_most=1.0)
    expected = [planned("ort"), planned("ort")]
    assert [o.status for o in judge_gates([gate], twins, expected)] == ["pass", "fail"]
    assert [o.status for o in judge_gates([gate], twins[:1], expected)] == ["pass", "unknown"]


def test_no_gates_no_objection():
    assert judge_gates([], [group(contender())]) == ()
    assert gates_pass(())


FIGURES = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@given(FIGURES, FIGURES, FIGURES, st.floats(1e-9, 1e9))
def test_pass_and_fail_always_rest_on_a_whole_finite_interval(value, low, high, at_most):
    figure = Estimate(value=value, low=low, high=high)
    outcome = judge(LatencyGate(contender="ort", at_most=at_most), group(contender(p50=figure)))
    whole = all(v is not None and math.isfinite(v) for v in (value, low, high))
    if outcome.status == "pass":
        assert whole and high <= at_most
    elif outcome.status == "fail":
        assert whole and low > at_most
    elif outcome.unsettled:
        assert whole and low <= at_most < high

"""All outputs on all input sets: luck, near-ties, zeros, random models, outputs that ignore their input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from backends.contract import Array, TensorSpec
from harness.judge.parity import independent_outputs, judge_output, judge_outputs, judge_parity, worst_place
from harness.judge.parity.budgets import INT8_SHARE, budgets, coarser, tie_size
from harness.judge.parity.determinism import judge_agreement
from harness.judge.parity.reference_outputs import Reference, References, summands_of
from harness.records import SelfAgreement

U = 2.0**-24
Y = TensorSpec("y", "float32", ("batch", 50))
RANDOM = np.random.default_rng(5)


def rounded(right: Array, size: float = U, seed: int = 0) -> Array:
    """Another computation of `right` in float32, with relative errors of `size` times its root mean square."""
    scale = float(np.sqrt(np.mean(right**2)))
    noise = np.random.default_rng(seed).normal(scale=size * scale, size=right.shape)
    return (right + noise).astype(np.float32)


def reference(right: Array, own: float = 4 * U, seed: int = 100) -> Reference:
    runs = [{"y": rounded(right, own, seed + index)} for index in range(4)]
    return Reference({"y": right}, runs[0], tuple(runs[1:]))


RIGHTS = {name: RANDOM.normal(size=(4, 50)) for name in ("normal:0", "normal:1", "ones")}


def references(**more: Any) -> References:
    by_set = {name: reference(right, seed=10 * index) for index, (name, right) in enumerate(RIGHTS.items())}
    return References(by_set, "r", "y", strength="independent", **more)


def engine(**changed: Array) -> dict[str, dict[str, Array]]:
    return {name: {"y": changed.get(name, rounded(right, 5 * U, 7))} for name, right in RIGHTS.items()}


def verdict(outputs: Mapping[str, Mapping[str, Array]], known: References, **more: Any) -> Any:
    asked = {"precision": "fp32", "backend": "e", "breaches": (), "drift": 0.0, **more}
    return judge_parity([Y], outputs, known, **asked)


# The yardstick is not lucky.


def test_a_single_number_is_not_judged_by_one_lucky_run() -> None:
    """Engine and yardstick err alike; how often is the engine called wrong? 4 runs give Student's t with 4 degrees."""
    random = np.random.default_rng(0)
    alarms_alone = alarms = 0
    right, draws = np.array([1.0]), 3000
    for _ in range(draws):
        errors = random.normal(scale=40 * U, size=5)
        actual, plain, *more = (right + error for error in errors)
        alarms_alone += judge_output("y", "s", actual, right, plain, "fp32").status == "fail"
        alarms += judge_output("y", "s", actual, right, plain, "fp32", neighbours=more).status == "fail"
    assert alarms_alone > draws * 0.02
    assert alarms < draws * 0.003


def test_neighbours_do_not_hide_a_fault() -> None:
    right = RIGHTS["normal:0"]
    runs = [rounded(right, 4 * U, seed) for seed in range(4)]
    for share, status in ((5 * U, "pass"), (300 * U, "fail")):
        actual = rounded(right, share, 9)
        judged = judge_output("y", "s", actual, right, runs[0], "fp32", neighbours=runs[1:])
        assert judged.status == status


def test_a_neighbour_that_is_not_finite_is_left_out() -> None:
    right = RIGHTS["normal:0"]
    broken = np.full(right.shape, np.nan, np.float32)
    plain = rounded(right)
    with_it = judge_output("y", "s", plain, right, plain, "fp32", neighbours=[broken])
    assert with_it.yardstick_rms == judge_output("y", "s", plain, right, plain, "fp32").yardstick_rms
    assert judge_output("y", "s", plain, right, broken, "fp32", neighbours=[broken]).status == "unknown"


# Outputs that are nothing, or nearly.


@pytest.mark.parametrize(
    ("value", "typical", "status"),
    [
        (1e-9, 0.05, "pass"),  # a rounding error of what the output usually is
        (1e-4, 0.05, "fail"),
        (1e-4, 0.0, "fail"),  # never anything but zero: then against 1
        (1e-8, 0.0, "pass"),
        (1e-9, 1e-6, "fail"),
    ],
)
def test_zero_outputs_are_measured_by_what_is_usual(value: float, typical: float, status: str) -> None:
    right = np.zeros((4, 50))
    actual = np.full(right.shape, value, np.float32)
    yardstick = right.astype(np.float32)
    assert judge_output("y", "zeros", actual, right, yardstick, "fp32", typical=typical).status == status


def test_zero_but_for_float64s_rounding_is_zero() -> None:
    right = RANDOM.normal(scale=1e-17, size=(4, 50))
    actual, yardstick = np.full(right.shape, 3e-8, np.float32), np.zeros(right.shape, np.float32)
    assert judge_output("y", "s", actual, right, yardstick, "fp32", typical=1.0).status == "pass"
    assert judge_output("y", "s", actual, right, yardstick, "fp32", typical=1e-12).status == "fail"


def test_what_float16_cannot_hold_is_no_error_of_a_float16_engine() -> None:
    right = RANDOM.uniform(1e-7, 1e-6, size=(4, 50))
    actual = right.astype(np.float16).astype(np.float32)
    yardstick = right.astype(np.float32)
    assert judge_output("y", "s", actual, right, yardstick, "fp16").status == "pass"
    assert judge_output("y", "s", actual, right, yardstick, "tf32").status == "fail"
    assert judge_output("y", "s", actual + np.float32(2e-5), right, yardstick, "fp16").status == "fail"


def test_numbers_too_small_to_be_normal_may_be_taken_as_zero() -> None:
    right = np.full((4, 50), 1e-39)
    zeros, exact = np.zeros(right.shape, np.float32), right.astype(np.float32)
    assert judge_output("y", "s", zeros, right, exact, "fp32").status == "pass"
    assert (
        judge_output("y", "s", zeros, right * 1e3, (right * 1e3).astype(np.float32), "fp32").status == "fail"
    )


def test_one_wrong_element_in_a_saturated_softmax() -> None:
    right = np.zeros((1, 100))
    right[0, 3] = 1.0
    yardstick = right.astype(np.float32)
    assert judge_output("y", "s", yardstick, right, yardstick, "fp32").status == "pass"
    assert judge_output("y", "s", yardstick[:, ::-1], right, yardstick, "bf16").status == "fail"


# Inputs that are constant.


def test_sums_of_equal_numbers_err_with_their_number() -> None:
    """A mean of n equal numbers in float32, added one by one in each of 16 lanes, as vector units do."""
    right, count = np.array([np.float64(np.float32(0.7371))]), 76_800
    lanes = np.cumsum(np.full((count // 16, 16), np.float32(0.7371)), axis=0, dtype=np.float32)[-1]
    summed = np.array([lanes.sum(dtype=np.float32) / np.float32(count)])
    yardstick = right.astype(np.float32)
    alone = judge_output("y", "ones", summed, right, yardstick, "fp32")
    assert alone.status == "fail" and alone.ratio_rms is not None and alone.ratio_rms > 100
    assert judge_output("y", "ones", summed, right, yardstick, "fp32", summands=count).status == "pass"
    wrong = summed * np.float32(1.001)
    assert judge_output("y", "ones", wrong, right, yardstick, "fp32", summands=count).status == "fail"


def test_what_is_constant() -> None:
    flat = np.zeros((2, 3, 8, 8), np.float32)
    assert summands_of({"x": flat}) == 192
    assert summands_of({"x": flat, "small": np.ones((2, 4), np.float32), "i": np.arange(4)}) == 192
    assert summands_of({"x": flat, "y": np.arange(4, dtype=np.float32)}) == 1
    assert summands_of({"tokens": np.zeros((2, 8), np.int64)}) == 1
    assert budgets("fp32", 1e-6, 100)[0] == 10 * budgets("fp32", 1e-6)[0]
    assert budgets("bf16", 1e-6, 100) == budgets("bf16", 1e-6)


# Integers.

LABELS = np.array([[3, 1, 4, 1, 5]])


def labels(*changes: tuple[int, int]) -> Array:
    changed = LABELS.copy()
    for place, value in changes:
        changed[0, place] = value
    return changed


@pytest.mark.parametrize(
    ("actual", "ties", "status", "words"),
    [
        (labels(), [], "pass", ""),
        (labels((2, 7)), [], "fail", "1 of 5 integers differ"),
        (labels((2, 7)), [labels((2, 7))], "pass", "near-ties"),
        (labels((2, 8)), [labels((2, 7))], "fail", "1 of 5 integers differ"),
        (labels((2, 7), (4, 0)), [labels((2, 7))], "fail", "1 of 5 integers differ (1 more are near-ties)"),
        (labels((2, 7), (4, 0)), [labels((2, 7)), labels((4, 0))], "pass", "2 of 5 integers differ"),
        (labels((2, 7)), [labels((2, 7))[:, :4]], "fail", "1 of 5"),
    ],
)
def test_indices_may_flip_between_near_ties_only(
    actual: Array, ties: Sequence[Array], status: str, words: str
) -> None:
    judged = judge_output("y", "s", actual, LABELS, LABELS, "bf16", ties=ties)
    assert judged.status == status
    assert words in judged.note + judged.reason
    assert bool(judged.note) is (status == "pass" and bool(words))


@pytest.mark.parametrize(("precision", "status"), [("fp32", "pass"), ("bf16", "fail")])
def test_what_long_sums_lose_in_float32_is_not_multiplied_in_lower_precisions(
    precision: str, status: str
) -> None:
    """Engines in bfloat16 add up in float32: the error of a long sum is theirs too, but not 2^16 times."""
    right = np.random.default_rng(0).normal(size=(4, 50))
    runs = [(right + size * 2.0**-24).astype(np.float32) for size in (0.5, -0.5)]
    summed = [(right * (1 + sign * 400 * 2.0**-24)).astype(np.float32) for sign in (1, -1)]
    actual = {"fp32": right * (1 + 1000 * 2.0**-24), "bf16": right * (1 + 10 * 2.0**-8)}[precision]
    judged = judge_output(
        "y", "s", actual.astype(np.float32), right, runs[0], precision, neighbours=runs[1:], summed=summed
    )
    assert judged.status == status
    alone = judge_output("y", "s", actual.astype(np.float32), right, runs[0], precision, neighbours=runs[1:])
    assert alone.status == "fail"
    right_sum = (right * (1 + 400 * 2.0**-24)).astype(np.float32)
    assert judge_output("y", "s", right_sum, right, runs[0], "bf16", summed=summed).status == "pass"


def test_the_yardsticks_own_flips_are_near_ties() -> None:
    assert judge_output("y", "s", labels((0, 2)), LABELS, labels((0, 2)), "fp32").status == "pass"


# Precisions.


def test_the_coarser_of_engine_and_model_decides() -> None:
    assert coarser("fp32", "int8") == "int8"
    assert coarser("bf16", "fp16") == "bf16"
    assert References(own_precision="fp16").precision("fp32") == "fp16"
    right = RIGHTS["normal:0"]
    half = right.astype(np.float16).astype(np.float32)
    judged = judge_outputs([Y], engine(**{"normal:0": half}), references(own_precision="fp16"), "fp32")
    assert {one.status for one in judged} == {"pass"}
    assert (
        worst_place(judge_outputs([Y], engine(**{"normal:0": half}), references(), "fp32")).status == "fail"
    )


def test_int8_is_what_a_hundred_quantisers_add_up_to() -> None:
    """Simulated: 128 independent 8-bit quantisers over four root mean squares each add their error to an output."""
    random = np.random.default_rng(1)
    right = random.normal(size=20_000)
    step = 8 / 255
    noise = np.zeros_like(right)
    for _ in range(128):
        signal = random.normal(size=right.size)
        noise += np.clip(np.round(signal / step), -127, 127) * step - signal
    simulated = float(np.sqrt(np.mean(noise**2)))
    assert simulated == pytest.approx(INT8_SHARE, rel=0.05)
    yardstick = right.astype(np.float32)
    assert judge_output("y", "s", right + 0.9 * noise, right, yardstick, "int8").status == "pass"
    assert judge_output("y", "s", right + 1.2 * noise, right, yardstick, "int8").status == "fail"
    assert tie_size("int8") == INT8_SHARE


def test_int8_may_err_as_float32_does_where_that_is_more() -> None:
    """At near-ties of a quantiser one rounding moves the outputs by a step: right engines do so as well."""
    assert budgets("int8", 0.001)[0] == pytest.approx(INT8_SHARE / 0.001)
    assert budgets("int8", 0.116) == budgets("fp32", 0.116)


# An output that does not follow its input.


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_an_output_that_ignores_its_input_is_a_fault(precision: str) -> None:
    """However near: right answers 6 % apart are within int8's budget, but not within what it tells apart."""
    base = RANDOM.normal(size=(4, 50))
    rights = {"a": {"y": base}, "b": {"y": base + 0.06 * np.abs(base).max()}}
    stuck = base.astype(np.float32)
    outputs = {name: {"y": stuck} for name in rights}
    assert "does not depend on the input" in independent_outputs(outputs, rights, precision)["y"]
    near = {"a": {"y": base}, "b": {"y": base + 0.02 * np.abs(base).max()}}
    assert ("y" in independent_outputs(outputs, near, precision)) is (precision != "int8")


def test_outputs_that_rightly_agree_are_none() -> None:
    same = {"a": {"y": np.ones(3)}, "b": {"y": np.ones(3)}}
    one = np.ones(3, np.float32)
    assert independent_outputs({"a": {"y": one}, "b": {"y": one}}, same, "fp32") == {}
    nearly = {"a": {"y": np.ones(3)}, "b": {"y": np.ones(3) - 1e-9}}  # a saturated sigmoid
    assert independent_outputs({"a": {"y": one}, "b": {"y": one}}, nearly, "fp32") == {}
    other = {"a": {"y": np.ones(3)}, "b": {"y": np.zeros(3)}}
    assert independent_outputs({"a": {"y": one}, "b": {"y": one * 2}}, other, "fp32") == {}
    assert independent_outputs({"a": {"y": one}}, {"a": {"y": np.ones(3)}}, "fp32") == {}
    assert independent_outputs({"a": {}, "b": {}}, other, "fp32") == {}


def test_the_verdict_says_so() -> None:
    stuck = rounded(RIGHTS["ones"])
    parity = verdict({name: {"y": stuck} for name in RIGHTS}, references())
    assert parity.status == "fail"
    near = {
        name: {"y": np.tile(np.linspace(1, 2, 50), (4, 1)) + 0.0025 * index}
        for index, name in enumerate("abc")
    }
    known = References({name: reference(each["y"]) for name, each in near.items()}, strength="independent")
    stuck = near["a"]["y"].astype(np.float32)
    parity = verdict({name: {"y": stuck} for name in near}, known, precision="bf16")
    assert parity.status == "pass"  # two parts in a thousand are below what bf16 tells apart
    parity = verdict({name: {"y": stuck} for name in near}, known, precision="fp16")
    assert (parity.status, "does not depend" in parity.reason) == ("fail", True)


# A model that disagrees with itself.


def _doubt(input_set: str) -> SelfAgreement:
    return SelfAgreement(
        input_set=input_set, output="y", agrees=False, differing=60, total=200, difference=0.4
    )


DOUBT = _doubt("normal:1")


def test_a_random_model_is_never_right() -> None:
    parity = verdict(engine(), references(disagreements=(DOUBT,)))
    assert parity.status == "nondeterministic"
    assert "disagrees with itself: output y on normal:1" in parity.reason
    assert "0.4" in parity.reason and "60 of 200" in parity.reason
    assert parity.disagreements == (DOUBT,)
    assert [one.ratio_rms is None for one in parity.outputs] == [False, True, False]


def test_what_is_not_random_is_judged_all_the_same() -> None:
    wrong = rounded(RIGHTS["ones"], 0.1)
    assert verdict(engine(ones=wrong), references(disagreements=(DOUBT,))).status == "fail"
    noise = rounded(RIGHTS["normal:1"], 0.4)
    parity = verdict(engine(**{"normal:1": noise}), references(disagreements=(DOUBT,)))
    assert parity.status == "nondeterministic"
    index = References({"s": Reference({"y": LABELS}, {"y": LABELS})}, disagreements=(_doubt("s"),))
    assert verdict({"s": {"y": labels((2, 7))}}, index).status == "nondeterministic"
    missing = engine()
    missing["normal:1"]["y"] = np.full((4, 50), np.nan, np.float32)
    assert verdict(missing, references(disagreements=(DOUBT,))).status == "fail"
    del missing["normal:1"]["y"]
    assert verdict(missing, references(disagreements=(DOUBT,))).status == "fail"


@pytest.mark.parametrize(
    ("second", "agrees"),
    [
        (lambda right: right.copy(), True),
        (lambda right: right * (1 + 1e-15), True),  # threads that add in another order
        (lambda right: right * (1 + 1e-8), False),
        (lambda right: right + (np.arange(right.size).reshape(right.shape) == 7), False),
        (lambda right: np.full_like(right, np.nan), False),
        (lambda right: right[:2], False),
    ],
)
def test_agreement_of_two_runs(second: Any, agrees: bool) -> None:
    right = RIGHTS["ones"]
    found = judge_agreement("ones", {"y": right}, {"y": second(right)}, {"y": rounded(right)})
    assert (found == ()) is agrees
    for one in found:
        assert not one.agrees and one.difference > 0 and one.differing > 0


def test_numbers_that_are_not_finite_may_agree() -> None:
    right = np.array([np.nan, np.inf, 1.0])
    assert judge_agreement("s", {"y": right}, {"y": right.copy()}, {"y": right.astype(np.float32)}) == ()
    whole = {"y": np.array([1, 2])}
    assert judge_agreement("s", whole, {"y": np.array([1, 3])}, whole)[0].differing == 1


# The stand-in reference, the record.


def test_an_engine_does_not_pass_by_itself() -> None:
    known = references(engine="ort", note="an error of its own stays hidden")
    own = verdict(engine(), known, backend="ort")
    assert own.status == "unknown"
    assert "which is the engine itself" in own.reason and "stays hidden" in own.reason
    other = verdict(engine(), known, backend="openvino")
    assert (other.status, other.reference_note) == ("pass", "an error of its own stays hidden")
    assert verdict(engine(ones=rounded(RIGHTS["ones"], 0.1)), known, backend="ort").status == "fail"


def test_a_pass_carries_the_worst_places_figures_and_a_failure_its_picture() -> None:
    parity = verdict(engine(), references())
    detailed = [one for one in parity.outputs if one.diagnostics is not None]
    assert detailed == [worst_place(parity.outputs)]
    assert detailed[0].picture is None
    failed = verdict(engine(ones=rounded(RIGHTS["ones"], 0.1)), references())
    one = worst_place(failed.outputs)
    assert one is not None and one.input_set == "ones"
    assert one.diagnostics is not None and one.picture is not None
    everything = judge_outputs([Y], engine(), references(), "fp32", detail="all")
    assert all(each.diagnostics is not None for each in everything)
    assert [each.picture is not None for each in everything].count(True) == 1
    bare = judge_outputs([Y], engine(), references(), "fp32", detail="none")
    assert all(each.diagnostics is None for each in bare)


def test_missing_outputs_and_no_reference_never_pass() -> None:
    assert verdict({name: {} for name in RIGHTS}, references()).status == "fail"
    assert verdict({}, references()).status == "unknown"
    nothing = verdict(engine(), References(problem="it cannot be run"))
    assert (nothing.status, nothing.reason) == ("unknown", "it cannot be run")
    assert verdict(engine(), references(), drift=None).status == "unknown"
    assert verdict(engine(), references(), breaches=("output z is missing",)).status == "fail"


@pytest.mark.parametrize(("rows", "status"), [(0, "pass"), (1, "unknown"), (2, "fail")])
def test_only_an_empty_output_is_right_where_none_is_due(rows: int, status: str) -> None:
    """Moved runs of the reference give one row on the second input set, it gives none: another one is not known."""
    right = RIGHTS["ones"]
    none, one = np.empty((0, 50)), np.ones((1, 50))
    nothing = Reference({"y": none}, {"y": none}, ties={"bf16": ({"y": one},) * 16})
    known = References({"boxes": reference(right), "nothing": nothing}, "r", "y", strength="independent")
    outputs = {"boxes": {"y": rounded(right)}, "nothing": {"y": np.ones((rows, 50), np.float32)}}
    found = judge_outputs([Y], outputs, known, "bf16", detail="none")
    assert [(each.input_set, each.status) for each in found] == [("boxes", "pass"), ("nothing", status)]

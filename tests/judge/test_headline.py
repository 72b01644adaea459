"""A contender is called fast only next to its verdict, whatever stands against it and wherever it is said."""

from __future__ import annotations

import pytest

from dashboards.words import overall_rightness
from dashboards.words import rightness as rightness_on_page
from harness.judge.comparison import ContenderSummary, Group
from harness.judge.exit_code import exit_code
from harness.judge.gate_types import ParityGate
from harness.judge.gates import judge_gates
from harness.judge.headline import rightness
from harness.judge.judging import judge_group
from harness.judge.load.curve import judge_run
from harness.judge.work_done import with_work
from harness.records import FreshPass, ParityStatus, Result
from tests.factories import make_parity, make_run
from tests.judge.test_judging import result, trials
from tests.loads import make_loaded

MS = 1_000_000
SKIPPED = FreshPass(by="upload", fresh_ns=(10 * MS,) * 8, repeated_ns=(MS,) * 8)
DOUBTED = FreshPass(by="upload", fresh_ns=(15 * MS,) * 8, repeated_ns=(10 * MS,) * 8)


def with_pass(one: Result, fresh: FreshPass) -> Result:
    changed = tuple(trial.model_copy(update={"fresh": fresh}) for trial in one.trials)
    return one.model_copy(update={"trials": changed, "parity": with_work(one.parity, changed)})


def fast(state: str) -> Result:
    """A contender twice as fast as the other, of which something is known."""
    one = result("b", 1.0e6, 2)
    if state in ("fail", "unknown", "nondeterministic"):
        return one.model_copy(update={"parity": make_parity(state)})
    return with_pass(one, {"idle": SKIPPED, "doubted": DOUBTED}[state]) if state != "right" else one


def group_with(state: str) -> Group:
    return judge_group([result("a", 2.0e6, 1), fast(state)])


AGAINST = {
    "fail": "b computes the wrong thing.",
    "unknown": "Whether b is right is unknown.",
    "nondeterministic": "Whether b is right cannot be told: the model disagrees with itself.",
    "idle": "b does not do the work in its timed calls: a call on inputs never seen takes",
}


@pytest.mark.parametrize("state", AGAINST)
def test_it_does_not_win_and_what_stands_against_it_is_beside_its_speed(state: str) -> None:
    group = group_with(state)
    assert group.headline.startswith(AGAINST[state])
    assert group.headline.endswith("a is the only one measured and right.")
    (pair,) = group.pairs
    assert pair.verdict == "slower" and "b" in pair.words
    assert pair.against.startswith(AGAINST[state])
    assert exit_code([group]) == 1
    (gate,) = judge_gates([ParityGate()], [group])
    assert gate.blocks and gate.status == ("fail" if state in ("fail", "idle") else "unknown")


def test_a_right_one_wins_with_its_verdict() -> None:
    group = group_with("right")
    assert group.headline.startswith("b is fastest: 2.00× [")
    assert group.headline.endswith("both compute the right thing.")
    assert group.pairs[0].against == ""
    assert exit_code([group]) == 0


def test_a_doubted_one_wins_with_the_doubt() -> None:
    group = group_with("doubted")
    assert group.headline.startswith(
        "In doubt is b: a call on inputs never seen takes 1.5× [1.5, 1.5] as long"
    )
    assert "b is fastest" in group.headline
    assert group.pairs[0].against.startswith("In doubt is b")
    assert exit_code([group]) == 0


def test_the_lowest_median_is_named_with_the_verdict() -> None:
    group = judge_group(
        [
            result("a", 1.0e6, 1, trials=trials(1.0e6, seed=1, count=1)),
            result("b", 1.01e6, 2, trials=trials(1.01e6, seed=2, count=1)),
        ]
    )
    assert "a has the lowest median" in group.headline
    assert group.headline.endswith("and both compute the right thing.")


@pytest.mark.parametrize("state", [*AGAINST, "right"])
def test_a_single_contender_has_its_verdict_beside_it(state: str) -> None:
    group = judge_group([fast(state)])
    summary: ContenderSummary = group.contenders[0]
    assert group.headline == f"Only b could be measured{rightness(summary.parity, summary.work)}."
    assert summary.sound == (state == "right")


@pytest.mark.parametrize(
    ("state", "one", "all_of_them"),
    [
        ("fail", "Computes the wrong thing", "1 of 2 measured computes the wrong thing"),
        ("idle", "Is not doing the work", "1 of 2 measured does not do the work"),
        ("unknown", "Not known", "1 of 2 could not be judged"),
        ("nondeterministic", "Not known", "1 of 2 could not be judged"),
    ],
)
def test_pages_say_it_too(state: str, one: str, all_of_them: str) -> None:
    group = group_with(state)
    shown = rightness_on_page(group.contenders[1], fast(state))
    assert shown.words.startswith(one) and shown.tone != "good"
    assert all_of_them in overall_rightness(group)


def load(name: str, state: ParityStatus, servers: int) -> list[Result]:
    return [
        make_loaded(name, level, servers=servers, trials=4).model_copy(update={"parity": make_parity(state)})
        for level in (1, 2, 4)
    ]


@pytest.mark.parametrize(
    ("state", "words"),
    [("unknown", "whether it is right is unknown"), ("nondeterministic", "the model disagrees with itself")],
)
def test_under_load_the_best_point_is_of_one_that_is_known_to_be_right(
    state: ParityStatus, words: str
) -> None:
    document = judge_run(make_run(kind="throughput"), [*load("ort", "pass", 2), *load("torch", state, 8)])
    assert document.headline.startswith("ort: ") and "it computes the right thing." in document.headline
    assert "Whether torch is right is not known." in document.headline
    assert "the most of all" not in document.headline
    torch = next(curve for curve in document.curves if curve.contender == "torch")
    assert words in torch.words
    assert all(words in pair.words for pair in document.pairs)
    assert document.exit_code == 1


def test_under_load_an_idle_engine_has_no_best_point() -> None:
    idle = [with_pass(one, SKIPPED) for one in load("torch", "pass", 8)]
    document = judge_run(make_run(kind="throughput"), [*load("ort", "pass", 2), *idle])
    assert [bool(curve.best) for curve in document.curves] == [True, False]
    assert "do not do the work" in document.curves[1].points[0].rejected
    assert document.exit_code == 1

"""Whole measurements through the runner, with settings that no flag gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.plan.cases import plan_comparison
from harness.records import Result, Settings
from harness.run.observer import Silent
from harness.run.runner import run_plan
from results.store import open_store

LINE = "A ratio is not known to within ±5% yet; measuring goes on, up to 61 s"


class Listener(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def measure(folder: Path, extension_s: float) -> tuple[list[Result], list[str]]:
    # With two trials an interval of this confidence is some thousand times their spread: vague, whatever they gave.
    # Of the longer time no more is used than a third trial takes, on the slowest machine.
    settings = Settings(
        budget_s=1, extension_s=extension_s, max_trials=3, confidence=0.9999, input_sets=("normal:0",)
    )
    plan = plan_comparison(["ort", "fake"], "tiny-cnn", [1], [1], {}, settings, None)
    listener = Listener()
    with open_store(str(folder / "harness.db")) as store:
        outcome = run_plan(plan, store, listener, command=["harness"], fresh=True)
    return outcome.results, listener.said


@pytest.mark.engine("ort")
def test_a_vague_ratio_gets_more_time_and_a_line_says_so(tmp_path: Path) -> None:
    results, said = measure(tmp_path, extension_s=0.0)
    assert [len(result.trials) for result in results] == [2, 2]
    assert not any(LINE in line for line in said)

    results, said = measure(tmp_path, extension_s=60.0)
    assert [len(result.trials) for result in results] == [3, 3]
    assert sum(LINE in line for line in said) == 1
    assert {result.settings.budget_s for result in results} == {1.0}, "what was asked for is recorded"

"""How many seconds does parity add to a comparison of ResNet-50 on two engines, with warm caches?

Every step that is there for parity alone is timed where it is made, in the parent's own process: what the same command
would save without it. Steps of the engines' workers count as long as the parent waits for them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.benchmarks.side_by_side import Table, verdict_on_aim

AIM_S = 15.0
COMPARE = ("compare", "ort", "openvino", "--model", "resnet50", "--quiet", "--fresh")

SUM = "parity altogether"
REFERENCES = "reference outputs from the cache"
OUTPUTS = "checked outputs, of every trial and input set"
BLOCKS = "outputs of timed blocks compared"
FRESH = "calls on fresh inputs"
JUDGING = "judging"


def spent_by_step(monkeypatch: pytest.MonkeyPatch, run: Callable[[], None]) -> dict[str, float]:
    """Seconds that `run` spends on each step of parity."""
    from harness.judge import work_done
    from harness.run import contender, group, models
    from harness.run.worker import Worker

    spent: dict[str, float] = defaultdict(float)

    def timed(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[step] += time.perf_counter() - start

        return call

    request = Worker.request

    def asked(worker: Worker, op: str, *arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        reply = request(worker, op, *arguments, **options)
        if op in ("outputs", "fresh"):
            spent[OUTPUTS if op == "outputs" else FRESH] += time.perf_counter() - start
        elif op == "block":
            spent[BLOCKS] += reply.head["check_ns"] * 1e-9
        return reply

    monkeypatch.setattr(Worker, "request", asked)
    monkeypatch.setattr(models, "make_references", timed(REFERENCES, models.make_references))
    judge = contender.ContenderRun._judge_parity
    monkeypatch.setattr(contender.ContenderRun, "_judge_parity", timed(JUDGING, judge))
    monkeypatch.setattr(group, "with_work", timed(JUDGING, work_done.with_work))
    run()
    return dict(spent)


def test_parity_cost(benchmark: Any, publish: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.cli.main import cli

    monkeypatch.setenv("HARNESS_DB", str(tmp_path / "harness.db"))

    def compare(*flags: str) -> None:
        done = CliRunner().invoke(cli, [*COMPARE, *flags])
        if done.exit_code != 0:
            pytest.fail(f"{' '.join(COMPARE)} ended with exit code {done.exit_code}:\n{done.output[-2000:]}")

    compare("--budget", "5s")  # export and reference outputs go into the cache
    spent = benchmark.pedantic(spent_by_step, args=(monkeypatch, compare), rounds=1, iterations=1)
    rows = {step: [spent.get(step, 0.0)] for step in (REFERENCES, OUTPUTS, BLOCKS, FRESH, JUDGING)}
    for step in (REFERENCES, OUTPUTS, BLOCKS, FRESH, JUDGING):
        assert spent.get(step, 0.0) > 0, f"{step} was not seen: the benchmark no longer measures it"
    table = Table("Seconds of parity in a comparison of ResNet-50", "s", {SUM: [sum(spent.values())], **rows})
    table.notes = [verdict_on_aim(SUM, table.median(SUM), AIM_S, "s")]
    publish(table, SUM)

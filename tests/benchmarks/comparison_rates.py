"""How often are the verdicts of real comparisons right? Whole comparisons, many times, where the truth is known.

* `same`: an engine against itself while every core is kept busy by something else. Wanted: same or unsettled in at
  least 19 of 20 comparisons, and no estimate more than 5 % off.
* `slower`: an engine made slower by a known share (the plug-in in `slowed_plugin/`) against the engine as it is, on a
  quiet machine. Wanted: called slower in at least 15 of 20 comparisons.

Every comparison is a run of the console command with a database of its own; only the model cache is shared.

    ci/benchmarks rates --repeats 20 --json rates.json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import peers

PLUGIN = Path(__file__).parent / "slowed_plugin"
LARGEST_ERROR = 0.05
LONGEST_S = 900.0

# One kind keeps a core's arithmetic busy, the other also its caches and memory. They end with whoever started them.
BUSY = (
    "import os\np = os.getppid()\nwhile os.getppid() == p:\n for _ in range(1_000_000): pass",
    "import os, numpy as n\np = os.getppid()\na = n.random.rand(4_000_000)\n"
    "while os.getppid() == p: a = a[::-1] * 1.0000001",
)


@dataclass(frozen=True)
class Question:
    """What is compared, the true ratio of latencies, which verdicts are right, and in which share they are wanted."""

    name: str
    contenders: tuple[str, str]
    truth: float
    right: tuple[str, ...]
    wanted: float
    loaded: bool


@dataclass(frozen=True)
class Comparison:
    """One comparison: its estimate of the ratio with both intervals. `problem` says why there is none."""

    seed: int
    wall_s: float
    verdict: str = "unknown"
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    decision_low: float | None = None
    decision_high: float | None = None
    trials: int = 0
    rounds: int = 0
    stop_reason: str = ""
    warnings: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Tally:
    """What the comparisons of one question gave."""

    comparisons: int
    right: int
    wanted: int
    verdicts: dict[str, int]
    largest_error: float | None
    """Largest deviation of an estimate from the truth, as a share of it."""
    covered: int
    """Comparisons whose shown interval holds the truth."""
    median_ratio: float | None
    failed: int

    @property
    def met(self) -> bool:
        """Whether what is wanted was reached; a comparison that failed is never right."""
        return self.comparisons > 0 and self.right >= self.wanted


def questions(engine: str, slowdown: float) -> dict[str, Question]:
    """Both questions by name."""
    slowed = f"slowed?share={slowdown:g}"
    return {
        "same": Question("same", (engine, engine), 1.0, ("same", "unsettled"), 19 / 20, loaded=True),
        "slower": Question("slower", (slowed, "ort"), 1.0 + slowdown, ("slower",), 15 / 20, loaded=False),
    }


def tally(question: Question, comparisons: Sequence[Comparison]) -> Tally:
    """Count."""
    ratios = [c.ratio for c in comparisons if c.ratio is not None]
    verdicts = dict.fromkeys(("faster", "slower", "same", "unsettled", "unknown"), 0)
    for comparison in comparisons:
        verdicts[comparison.verdict] += 1
    return Tally(
        comparisons=len(comparisons),
        right=sum(c.verdict in question.right for c in comparisons),
        wanted=math.ceil(question.wanted * len(comparisons)),
        verdicts={name: count for name, count in verdicts.items() if count},
        largest_error=max((abs(ratio / question.truth - 1.0) for ratio in ratios), default=None),
        covered=sum(
            c.low is not None and c.high is not None and c.low <= question.truth <= c.high
            for c in comparisons
        ),
        median_ratio=statistics.median(ratios) if ratios else None,
        failed=sum(c.ratio is None for c in comparisons),
    )


def compare_once(
    contenders: Sequence[str], model: str, budget: str | None, seed: int, extra: Sequence[str] = ()
) -> Comparison:
    """Run `harness compare` in a process of its own, with a database of its own, and read its record."""
    with tempfile.TemporaryDirectory(prefix="harness-rates-") as folder:
        record = Path(folder) / "record.json"
        path = os.pathsep.join(filter(None, (str(PLUGIN), os.environ.get("PYTHONPATH", ""))))
        command = [
            *(str(peers.script("harness")), "compare", *contenders, "--model", model),
            *(() if budget is None else ("--budget", budget)),
            *("--seed", str(seed), "--db", str(Path(folder) / "harness.db"), "--json", str(record)),
            *("--fresh", "--quiet", *extra),
        ]
        start = time.monotonic()
        try:
            done = subprocess.run(
                command,
                env=dict(os.environ, PYTHONPATH=path),
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Comparison(seed, LONGEST_S, problem=f"took longer than {LONGEST_S:.0f} s")
        wall_s = time.monotonic() - start
        if not record.exists():
            words = (done.stderr or done.stdout).strip()[-500:]
            return Comparison(seed, wall_s, problem=f"exit code {done.returncode}: {words}")
        return read_record(json.loads(record.read_text(encoding="utf-8")), seed, wall_s)


def read_record(record: dict[str, Any], seed: int, wall_s: float) -> Comparison:
    """The pair of a comparison of two contenders."""
    for result in record["results"]:
        if result["status"] != "measured":
            message = (result["failure"] or {}).get("message", "")
            problem = f"{result['case']['contender']['text']}: {result['status']}: {message}"
            return Comparison(seed, wall_s, problem=problem)
    pair = record["groups"][0]["pairs"][0]
    codes = {warning["code"] for result in record["results"] for warning in result["warnings"]}
    return Comparison(
        seed=seed,
        wall_s=wall_s,
        verdict=pair["verdict"],
        ratio=pair["ratio"]["value"],
        low=pair["ratio"]["low"],
        high=pair["ratio"]["high"],
        decision_low=pair["decision_low"],
        decision_high=pair["decision_high"],
        trials=pair["ratio"]["trials"],
        rounds=pair["rounds"],
        stop_reason=record["results"][0]["stop_reason"],
        warnings=tuple(sorted(codes)),
        problem="" if pair["ratio"]["value"] is not None else pair["words"],
    )


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Keep `count` processes busy; they are ended in any case."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
            processes.append(
                subprocess.Popen([sys.executable, "-c", BUSY[number % len(BUSY)]], env=environment)
            )
        yield
        for process in processes:
            if process.poll() is not None:
                raise RuntimeError("a process that should keep a core busy ended before the comparisons did")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def as_text(number: int, comparison: Comparison) -> str:
    """One line of the table."""
    head = f"  {number:>3} {comparison.wall_s:>7.1f} s "
    if comparison.problem:
        return f"{head} NOT MEASURED: {comparison.problem}"
    interval = (
        f"[{comparison.low:.4f}, {comparison.high:.4f}]"
        if comparison.low is not None and comparison.high is not None
        else "no interval"
    )
    return (
        f"{head} {comparison.ratio:>7.4f} {interval:>18} {comparison.verdict:<10} "
        f"{comparison.trials:>6} {comparison.rounds:>6}  {', '.join(comparison.warnings)}"
    )


def summary(question: Question, counted: Tally) -> str:
    """The end of a question's table."""
    error = "none" if counted.largest_error is None else f"{counted.largest_error:.2%}"
    median = "none" if counted.median_ratio is None else f"{counted.median_ratio:.4f}"
    verdicts = ", ".join(f"{count} {name}" for name, count in counted.verdicts.items())
    return (
        f"  {verdicts}; not measured: {counted.failed}\n"
        f"  median of the estimates {median}, truth {question.truth:g}; largest deviation {error}; "
        f"95 % interval holds the truth in {counted.covered} of {counted.comparisons}\n"
        f"  {' or '.join(question.right)}: {counted.right} of {counted.comparisons}, wanted {counted.wanted}: "
        f"{'met' if is_met(question, counted) else 'MISSED'}"
        + (f" (largest deviation wanted: {LARGEST_ERROR:.0%})" if question.loaded else "")
    )


def is_met(question: Question, counted: Tally) -> bool:
    """Whether the comparisons gave what is wanted; against itself no estimate may be far off, either."""
    near = counted.largest_error is not None and counted.largest_error <= LARGEST_ERROR
    return counted.met and (near or not question.loaded)


def ask(question: Question, flags: argparse.Namespace) -> list[Comparison]:
    """All comparisons of one question, printed as they end."""
    cores = len(os.sched_getaffinity(0))
    busy = cores if question.loaded else 0
    budget = "default budget" if flags.budget is None else f"--budget {flags.budget}"
    print(f"\n{' vs '.join(question.contenders)} on {flags.model}, {budget}, {busy} busy processes")
    print(
        f"  {'':>3} {'wall':>9}  {'ratio':>7} {'95 % interval':>18} {'verdict':<10} {'trials':>6} {'rounds':>6}"
    )
    comparisons = []
    with busy_cores(busy):
        for number in range(flags.repeats):
            comparison = compare_once(question.contenders, flags.model, flags.budget, flags.seed + number)
            comparisons.append(comparison)
            print(as_text(number + 1, comparison), flush=True)
    return comparisons


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, print, and write; exit code 1 when something wanted was missed, 3 when nothing could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=20, help="comparisons a question (default 20)")
    parser.add_argument("--budget", help="--budget of a comparison (default: none is given)")
    parser.add_argument("--model", default="resnet50", help="default resnet50")
    parser.add_argument("--engine", default="ort", help="engine that is compared with itself (default ort)")
    parser.add_argument("--slowdown", type=float, default=0.05, help="share added to a call (default 0.05)")
    parser.add_argument("--only", choices=("same", "slower"), help="one question instead of both")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first comparison")
    parser.add_argument("--json", type=Path, help="write every estimate and interval")
    flags = parser.parse_args(arguments)
    if flags.repeats < 1:
        parser.error(f"--repeats {flags.repeats}: give a whole number from 1")
    document = []
    for question in questions(flags.engine, flags.slowdown).values():
        if flags.only in (None, question.name):
            comparisons = ask(question, flags)
            counted = tally(question, comparisons)
            print(summary(question, counted), flush=True)
            document.append((question, comparisons, counted))
    if flags.json:
        content = [
            {
                "question": asdict(question),
                "model": flags.model,
                "budget": flags.budget,
                "comparisons": [asdict(comparison) for comparison in comparisons],
                "tally": asdict(counted),
                "met": is_met(question, counted),
            }
            for question, comparisons, counted in document
        ]
        flags.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if all(counted.failed == counted.comparisons for _, _, counted in document):
        return 3
    return 0 if all(is_met(question, counted) for question, _, counted in document) else 1


if __name__ == "__main__":
    sys.exit(main())

"""How often do verdicts err, and do intervals hold what they promise? Answered by simulation with known truth.

Synthetic results (`simulated_results`) go through the functions that judge real ones. The truth is known, so false
verdicts, power, coverage of the intervals and bias of the estimate can be counted.

    ci/benchmarks simulation --comparisons 1000
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from harness.judge.comparison import PairVerdict
from harness.judge.judging import decision_half_widths, judge_group, judge_pair
from harness.judge.pacing import should_stop
from harness.records import Result, Settings
from tests.benchmarks.simulated_results import NOISES, Noise, simulate_group

TRIALS = (3, 5, 8)

PLANNED = 8
"""Trials that fit into the budget of a simulated measurement with the stopping rule."""


@dataclass(frozen=True)
class Judged:
    """One simulated pair: its verdict, and the true ratio of latencies."""

    verdict: PairVerdict
    truth: float

    @property
    def right(self) -> str:
        """What an all-knowing judge would say: "slower", "faster" or "same"."""
        if self.truth > 1.0 + self.verdict.margin:
            return "slower"
        return "faster" if self.truth < 1.0 / (1.0 + self.verdict.margin) else "same"

    @property
    def wrong(self) -> bool:
        """A settled verdict that is not the right one."""
        return self.verdict.verdict != "unsettled" and self.verdict.verdict != self.right

    @property
    def covered(self) -> bool:
        """Whether the interval that is shown holds the truth; one without an end does not."""
        low, high = self.verdict.ratio.low, self.verdict.ratio.high
        return low is not None and high is not None and low <= self.truth <= high

    @property
    def decision_covered(self) -> bool:
        """Whether the interval that decides holds the truth."""
        low, high = self.verdict.decision_low, self.verdict.decision_high
        return low is not None and high is not None and low <= self.truth <= high

    @property
    def error(self) -> float:
        """Estimate over truth, on the logarithmic scale."""
        assert self.verdict.ratio.value is not None
        return math.log(self.verdict.ratio.value / self.truth)

    @property
    def half_width(self) -> float:
        """Half the width of the shown interval, on the logarithmic scale."""
        assert self.verdict.ratio.low is not None and self.verdict.ratio.high is not None
        return math.log(self.verdict.ratio.high / self.verdict.ratio.low) / 2.0


@dataclass(frozen=True)
class Rates:
    """What many comparisons gave; shares of one."""

    comparisons: int
    coverage: float
    """Pairs whose shown interval holds the truth."""
    decision_coverage: float
    """Comparisons in which every deciding interval holds the truth at once."""
    wrong: float
    """Comparisons with at least one settled verdict that is wrong."""
    false_difference: float
    """Comparisons with at least one faster or slower where the truth is the same, or the other way round."""
    called_right: float
    """Pairs whose verdict is settled and right: the power."""
    unsettled: float
    bias: float
    """Mean of the logarithm of estimate over truth."""
    error: float
    """Standard deviation of the same."""
    half_width: float
    """Median half width of the shown interval."""
    trials: float
    """Mean number of trials."""


def rates(groups: Sequence[Sequence[Judged]]) -> Rates:
    """Count; a group holds the pairs of one comparison."""
    pairs = [pair for group in groups for pair in group]
    errors = np.array([pair.error for pair in pairs])
    return Rates(
        comparisons=len(groups),
        coverage=_share(pair.covered for pair in pairs),
        decision_coverage=_share(all(pair.decision_covered for pair in group) for group in groups),
        wrong=_share(any(pair.wrong for pair in group) for group in groups),
        false_difference=_share(any(_false_difference(pair) for pair in group) for group in groups),
        called_right=_share(pair.verdict.verdict == pair.right for pair in pairs),
        unsettled=_share(pair.verdict.verdict == "unsettled" for pair in pairs),
        bias=float(errors.mean()),
        error=float(errors.std()),
        half_width=float(np.median([pair.half_width for pair in pairs])),
        trials=float(np.mean([pair.verdict.ratio.trials for pair in pairs])),
    )


def _false_difference(pair: Judged) -> bool:
    return pair.verdict.verdict in ("faster", "slower") and pair.wrong


def _share(values: Iterable[bool]) -> float:
    return float(np.mean(list(values)))


def judge_pairs(results: Sequence[Result]) -> list[PairVerdict]:
    """The pairs of `judge_group`, without the contenders' own figures, which take most of its time."""
    combinations = list(itertools.combinations(results, 2))
    return [judge_pair(a, b, len(combinations)) for a, b in combinations]


def compare(
    noise: Noise,
    latencies: Sequence[float],
    *,
    trials: int,
    comparisons: int,
    seed: int,
    whole: bool = False,
    settings: Settings | None = None,
) -> Iterator[list[Judged]]:
    """Comparisons with a fixed number of trials; `whole` judges the contenders' own figures, too."""
    random = np.random.default_rng(seed)
    for _ in range(comparisons):
        results = simulate_group(random, noise, latencies, trials=trials, settings=settings)
        yield _with_truth(judge_group(results).pairs if whole else judge_pairs(results), latencies)


def compare_until_settled(
    noise: Noise,
    latencies: Sequence[float],
    *,
    comparisons: int,
    seed: int,
    settings: Settings | None = None,
    planned: int = PLANNED,
) -> Iterator[list[Judged]]:
    """Comparisons that end when the harness's stopping rule says so; the budget is enough for `planned` trials."""
    random = np.random.default_rng(seed)
    chosen = settings or Settings()
    for _ in range(comparisons):
        everything = simulate_group(random, noise, latencies, trials=chosen.max_trials, settings=chosen)
        results = everything
        widths: list[float | None] = [None]
        for count in range(1, chosen.max_trials + 1):
            results = [_first_trials(result, count) for result in everything]
            more = max(0, planned - count)
            stop = should_stop(trials=count, more=more, half_widths=widths, settings=chosen)
            if stop.stop:
                break
            widths = decision_half_widths(results)
        yield _with_truth(judge_pairs(results), latencies)


def _first_trials(result: Result, count: int) -> Result:
    return result.model_copy(update={"trials": result.trials[:count]})


def _with_truth(pairs: Sequence[PairVerdict], latencies: Sequence[float]) -> list[Judged]:
    truths = [a / b for a, b in itertools.combinations(latencies, 2)]
    return [Judged(pair, truth) for pair, truth in zip(pairs, truths, strict=True)]


QUESTIONS: dict[str, tuple[float, ...]] = {
    "A/A": (1.0, 1.0),
    "A/A/A": (1.0, 1.0, 1.0),
    "5 % slower": (1.05, 1.0),
    "3 % slower": (1.03, 1.0),
}
"""What is asked: true latencies (milliseconds over 10) of the contenders."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    noise: str
    question: str
    trials: str
    rates: Rates


def simulate_row(noise: str, question: str, trials: int | None, comparisons: int, seed: int) -> Row:
    """One line; `trials` None lets the stopping rule decide. Every line draws its own noise from `seed`."""
    seed = zlib.crc32(f"{seed}|{noise}|{question}|{trials}".encode())
    latencies = [10.0 * value for value in QUESTIONS[question]]
    if trials is None:
        groups = list(compare_until_settled(NOISES[noise], latencies, comparisons=comparisons, seed=seed))
    else:
        groups = list(compare(NOISES[noise], latencies, trials=trials, comparisons=comparisons, seed=seed))
    return Row(noise, question, "stopping rule" if trials is None else str(trials), rates(groups))


HEADER = (
    f"{'noise':<12} {'question':<11} {'trials':<13} {'mean':>5} {'coverage':>9} {'all hold':>9} {'wrong':>7} "
    f"{'false ≠':>8} {'right':>7} {'unsettled':>10} {'bias':>8} {'error':>7} {'±':>7}"
)


def as_text(row: Row) -> str:
    """The line as it is printed; a coverage outside 92 to 98 % is marked."""
    r = row.rates
    mark = " " if 0.92 <= r.coverage <= 0.98 else "!"
    return (
        f"{row.noise:<12} {row.question:<11} {row.trials:<13} {r.trials:>5.1f} {r.coverage:>8.1%}{mark} "
        f"{r.decision_coverage:>9.1%} {r.wrong:>7.1%} {r.false_difference:>8.1%} {r.called_right:>7.1%} "
        f"{r.unsettled:>10.1%} {r.bias:>+8.2%} {r.error:>7.2%} {r.half_width:>7.2%}"
    )


LEGEND = """
mean       trials that were measured, on average
coverage   pairs whose 95 % interval holds the true ratio; wanted 92 to 98 %, marked ! when outside
all hold   comparisons whose deciding intervals all hold the truth at once; wanted at least 92 %
wrong      comparisons with a settled verdict that is wrong; wanted at most 5 %
false ≠    comparisons with a wrong "faster" or "slower"; wanted at most 5 %
right      pairs with a settled verdict that is right: the power
bias       mean deviation of the estimate from the truth;  error: its standard deviation
±          median half width of the 95 % interval"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit code 1 when a coverage or an error rate is outside what is wanted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comparisons", type=int, default=1000, help="comparisons a line (default 1000)")
    parser.add_argument("--noise", choices=NOISES, action="append", help="only this machine; repeatable")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--json", type=Path, help="write every line with all figures")
    flags = parser.parse_args(arguments)
    tasks = [
        (noise, question, trials, flags.comparisons, flags.seed)
        for noise in flags.noise or NOISES
        for question in QUESTIONS
        for trials in (*TRIALS, None)
    ]
    rows = []
    print(HEADER)
    with ProcessPoolExecutor(flags.jobs) as pool:
        for row in pool.map(simulate_row, *zip(*tasks, strict=True)):
            rows.append(row)
            print(as_text(row), flush=True)
    print(LEGEND)
    if flags.json:
        flags.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    off = [row for row in rows if not 0.92 <= row.rates.coverage <= 0.98 or row.rates.wrong > 0.05]
    print(f"\n{len(rows) - len(off)} of {len(rows)} lines are as wanted.")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())

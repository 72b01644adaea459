"""Does the harness say what the engines' own tools say? Medians side by side, same rounds, same threads.

* `ort` against a bare loop over ONNX Runtime with IO binding,
* `torch` against `torch.utils.benchmark.Timer`,
* `openvino` against OpenVINO's `benchmark_app` (a program: it takes turns with the harness, process by process).

The harness measures with the code of `harness compare`: a worker, its warm-up, its blocks. Wanted: a ratio of medians
within 2 % of 1. Each trial is a fresh process on both sides; the interval is over trials.

    ci/benchmarks fidelity --json fidelity.json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import psutil

from harness.environment.threads import usable_cores
from harness.judge.intervals import of_values
from harness.judge.pooling import pool
from harness.plan.cases import model_dims
from harness.plan.contender import parse_contenders
from harness.records import Settings, VariantRef
from harness.run.contender import ContenderRun
from harness.run.jobs import ask_job
from harness.run.models import ReadyModel, prepare_model, resolve_model
from harness.run.observer import Silent
from harness.run.worker import Worker
from tests.benchmarks import fidelity_peers

WANTED = 0.02
PROGRAM_S = 2.0
"""Seconds that `benchmark_app` measures; against it, the harness's blocks are as long: on a host whose speed changes
from second to second, turns of unequal length see unequal machines."""
PROGRAM_PAIRS = 5
"""Rounds are rarer by this factor where the peer has to be started for each."""
MODELS = ("resnet50", "mobilenetv2", "bert-base")
CONTENDERS = {"ort": "ort", "torch": "torch", "openvino": "openvino?reshape=1"}
"""`benchmark_app` is given the input's shape and compiles for that alone, so the contender does, too."""
PEERS = {"ort": "bare loop, IO binding", "torch": "torch.utils.benchmark.Timer", "openvino": "benchmark_app"}
SETTINGS = Settings(stage_trials=0, input_sets=("normal:0",))
DEADLINE_S = 300.0


@dataclass
class Row:
    """One engine on one model: medians in milliseconds, and the ratio harness / peer with its interval."""

    model: str
    engine: str
    peer: str
    threads: int
    ours_ms: float = math.nan
    theirs_ms: float = math.nan
    ratio: float = math.nan
    low: float | None = None
    high: float | None = None
    trials: int = 0
    rounds: int = 0
    problem: str = ""
    log_ratios: list[list[float]] = field(default_factory=list)

    @property
    def met(self) -> bool:
        """Whether the ratio is within what is wanted; a row without one is not."""
        return not self.problem and abs(self.ratio - 1.0) <= WANTED


def measure(
    engine: str, model: ReadyModel, variant: VariantRef, trials: int, rounds: int, block_s: float
) -> Row:
    """Measure one row. A trial that fails ends it with the reason."""
    row = Row(model.ref.name, CONTENDERS[engine], PEERS[engine], variant.threads)
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(trials):
        with tempfile.TemporaryDirectory(prefix="fidelity-") as folder:
            contender = ContenderRun(
                parse_contenders([CONTENDERS[engine]])[0],
                variant,
                model,
                SETTINGS,
                Path(folder) / "build",
                None,
            )
            try:
                pairs = _trial(contender, engine, model, variant, Path(folder), rounds, block_s, number)
            except Exception as error:  # noqa: BLE001 - the reason stands in the table
                row.problem = f"{type(error).__name__}: {error}"
                return row
            finally:
                contender.abandon()
        row.log_ratios.append([math.log(a / b) for a, b in pairs])
        ours += [a for a, _ in pairs]
        theirs += [b for _, b in pairs]
    pooled = pool(row.log_ratios)
    interval = of_values(pooled.interval(0.95))
    row.ours_ms, row.theirs_ms = median(ours) * 1e3, median(theirs) * 1e3
    row.ratio = math.exp(pooled.value)
    row.low, row.high = (interval.low, interval.high) if interval else (None, None)
    row.trials, row.rounds = trials, len(ours)
    return row


def _trial(
    contender: ContenderRun,
    engine: str,
    model: ReadyModel,
    variant: VariantRef,
    folder: Path,
    rounds: int,
    block_s: float,
    number: int,
) -> list[tuple[float, float]]:
    """Pairs of medians (ours, theirs) in seconds, one for each round, in random order within it."""
    order = random.Random(number)
    contender.start_trial(0)
    if contender.failure is not None:
        raise contender.failure
    with Worker("peer", threads=variant.threads) as worker:
        peer = _peer(worker, engine, model, variant, folder, block_s)
        if engine != "openvino":
            for _ in range(3):
                peer()
        pairs = []
        program = engine == "openvino"
        for index in range(max(2, rounds // PROGRAM_PAIRS) if program else rounds):
            both = [
                lambda index=index: _block(contender, index, PROGRAM_S if program else block_s),
                peer,
            ]
            first = order.random() < 0.5
            values = [both[place]() for place in ((0, 1) if first else (1, 0))]
            pairs.append((values[0], values[1]) if first else (values[1], values[0]))
        return pairs


def _block(contender: ContenderRun, index: int, block_s: float) -> float:
    samples = max(3, round(block_s / contender.sample_s))
    contender.run_block(index, 0, "normal:0", samples, None)
    if contender.failure is not None:
        raise contender.failure
    assert contender._state is not None
    done = contender._state.rounds[-1]
    return median(done.samples_ns) * 1e-9 / done.calls_per_sample


def _peer(
    worker: Worker, engine: str, model: ReadyModel, variant: VariantRef, folder: Path, block_s: float
) -> Callable[[], float]:
    source, feeds = model.source, model.feeds["normal:0"]
    if engine == "openvino":
        shapes = {name: array.shape for name, array in feeds.items()}
        onnx = source.onnx_path
        assert onnx is not None
        return lambda: fidelity_peers.benchmark_app(onnx, shapes, variant.threads, PROGRAM_S, folder)
    arguments = {
        "threads": variant.threads,
        "onnx": str(source.onnx_path),
        "factory": source.torch_factory,
        "weights": str(source.weights_path),
        "seconds": block_s,
    }
    function = "ort_loop" if engine == "ort" else "torch_timer"

    def ask() -> float:
        worker.thaw()
        answer, _ = ask_job(
            worker,
            f"tests.benchmarks.fidelity_peers:{function}",
            arguments,
            dict(feeds),
            deadline_s=DEADLINE_S,
            phase=function,
        )
        worker.freeze()
        return float(answer["median_s"])

    return ask


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| model | engine | peer | harness ms | peer ms | ratio | 95 % interval | within 2 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.problem:
            lines.append(
                f"| {row.model} | {row.engine} | {row.peer} | | | | NOT MEASURED: {row.problem} | no |"
            )
            continue
        ends = f"[{row.low:.3f}, {row.high:.3f}]" if row.low is not None and row.high is not None else "n/a"
        lines.append(
            f"| {row.model} | {row.engine} | {row.peer} | {row.ours_ms:.4g} | {row.theirs_ms:.4g} "
            f"| {row.ratio:.3f} | {ends} | {'yes' if row.met else 'no'} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure and print; 1 when a ratio is missed or missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--engines", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--block", type=float, default=0.5, help="seconds of a block")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    # The peers are jobs of a worker, which finds them from here.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    rows = []
    for name in asked.models:
        resolved = resolve_model(name, name, Silent(), threads=asked.threads)
        dims = model_dims(name, {})
        model = prepare_model(
            resolved,
            batch=1,
            dims=dims,
            input_sets=("normal:0",),
            inputs=None,
            threads=asked.threads,
            observer=Silent(),
        )
        variant = VariantRef(batch=1, threads=asked.threads, dims=dims)
        for engine in asked.engines:
            start = time.monotonic()
            rows.append(measure(engine, model, variant, asked.trials, asked.rounds, asked.block))
            print(table(rows[-1:]).splitlines()[-1], f"{time.monotonic() - start:.0f} s", flush=True)
    print(f"\n{table(rows)}\n\nload average {psutil.getloadavg()[0]:.2f}")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())

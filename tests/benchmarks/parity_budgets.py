"""How far are correct engines from float64, in yardsticks? What the parity budgets are derived from.

`collect` runs healthy models on every engine and precision that is here and keeps the raw outputs beside the
reference's; `derive` judges the kept outputs with the code that judges comparisons, and prints the table of decision 0004: the
largest ratio by model and contender, and how much of the budget it uses.

    python -m tests.benchmarks.parity_budgets collect FOLDER [--only MODEL ..] [--contenders torch ort ..]
    python -m tests.benchmarks.parity_budgets derive FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backends.contract import Array, ModelSource
from harness.judge.parity import judge_output
from harness.plan.contender import parse_contender
from harness.records import OutputParity, VariantRef
from harness.run.models import prepare_model, resolve_model
from harness.run.observer import Silent
from harness.run.opening import give_feeds, open_engine
from harness.run.references import References, make_references
from harness.run.worker import Worker, WorkerFailure
from harness.worker.tensors import unpack
from suites.inputs import make_inputs, sha256_of
from tests.benchmarks.healthy_models import SMALL, write_small

CONTENDERS = ("torch", "torch@fp16", "torch@bf16", "ort", "openvino", "openvino@bf16", "openvino@fp16")
THREADS = 2
DEADLINE_S = 600.0
FEW_SETS = ("normal:0", "normal:1", "uniform:0", "zeros", "ones", "extremes:0", "extremes:1", "sparse:0")
MANY_SETS = (
    *FEW_SETS,
    *(f"{kind}:{seed}" for kind in ("normal", "uniform", "sparse") for seed in range(2, 8)),
)


@dataclass(frozen=True)
class Healthy:
    """A model whose engines are right; small ones are run on more input sets and several batch sizes."""

    name: str
    batches: tuple[int, ...] = (1, 3)
    sets: tuple[str, ...] = MANY_SETS
    dims: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)


BUILT_IN = (
    Healthy("tiny-cnn"),
    Healthy("tiny-detector", (1, 2), FEW_SETS),
    Healthy("tiny-encoder", dims={"sequence": 24}),
    Healthy("mobilenetv2", (1, 2), FEW_SETS),
    Healthy("resnet50", (1, 2), FEW_SETS),
    Healthy("bert-base", (1,), FEW_SETS[:5], {"sequence": 24}),
)
KIT = (
    Healthy("cnn"),
    Healthy("mlp"),
    Healthy("lstm"),
    Healthy("transformer", dims={"tokens": 9}, ranges={"tokens": (0, 32)}),
    Healthy("branch"),
    Healthy("bulk"),
)


def engine_outputs(
    contender: str, source: ModelSource, variant: VariantRef, feeds: Mapping[str, Mapping[str, Array]]
) -> dict[str, dict[str, Array]]:
    """Outputs of a real engine by input set. Raises WorkerFailure."""
    ref = parse_contender(contender)
    outputs = {}
    with tempfile.TemporaryDirectory() as folder, Worker(contender, threads=variant.threads) as worker:
        worker.request("hello", deadline_s=DEADLINE_S, phase="start")
        open_engine(worker, ref, variant, source, DEADLINE_S)
        built = worker.request("build", {"folder": folder}, deadline_s=DEADLINE_S)
        worker.request("load", {"artefact": built.head["artefact"]}, deadline_s=DEADLINE_S)
        for name, arrays in feeds.items():
            give_feeds(worker, name, arrays, DEADLINE_S)
            reply = worker.request("outputs", {"set": name}, deadline_s=DEADLINE_S, phase="outputs")
            outputs[name] = unpack(reply.fds[0], reply.head["layout"])
    return outputs


def collect(folder: Path, only: Sequence[str], contenders: Sequence[str]) -> None:
    """Keep raw outputs, one file for each model, batch and contender; files that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for model in (*KIT, *(Healthy(name) for name in SMALL), *BUILT_IN):
        if only and model.name not in only:
            continue
        for batch in model.batches:
            try:
                source, feeds, references = _ready(model, batch, folder)
            except ValueError as error:
                print(f"{model.name} batch {batch}: {error}", file=sys.stderr)
                continue
            if references.problem:
                print(f"{model.name} batch {batch}: {references.problem}", file=sys.stderr)
                continue
            kept = {}
            for name, reference in references.by_set.items():
                kept |= {f"right/{name}/{output}": value for output, value in reference.right.items()}
                kept |= {f"yardstick/{name}/{output}": value for output, value in reference.yardstick.items()}
            _keep(folder / f"{model.name}.{batch}.reference.npz", kept)
            for contender in contenders:
                _collect_one(folder, model, batch, contender, source, feeds)


def _collect_one(
    folder: Path,
    model: Healthy,
    batch: int,
    contender: str,
    source: ModelSource,
    feeds: Mapping[str, Mapping[str, Array]],
) -> None:
    file = folder / f"{model.name}.{batch}.{contender}.npz"
    if file.exists():
        return
    variant = VariantRef(batch=batch, threads=THREADS, dims=dict(model.dims))
    try:
        found = engine_outputs(contender, source, variant, feeds)
    except WorkerFailure as failure:
        print(f"{model.name} batch {batch} {contender}: {failure.status}: {failure.message}", file=sys.stderr)
        return
    _keep(file, {f"{name}/{output}": v for name, arrays in found.items() for output, v in arrays.items()})
    print(file.name, flush=True)


def _ready(
    model: Healthy, batch: int, folder: Path
) -> tuple[ModelSource, dict[str, Mapping[str, Array]], References]:
    if model in BUILT_IN:
        resolved = resolve_model(model.name, model.name, Silent(), threads=THREADS)
        ready = prepare_model(
            resolved,
            batch=batch,
            dims=model.dims,
            input_sets=model.sets,
            inputs=None,
            threads=THREADS,
            observer=Silent(),
        )
        return ready.source, dict(ready.feeds), ready.references
    source = write_small(model.name, folder)
    feeds: dict[str, Mapping[str, Array]] = {
        name: make_inputs(source.inputs, name, batch=batch, dims=model.dims, ranges=model.ranges)
        for name in model.sets
    }
    hashes = {name: sha256_of(arrays) for name, arrays in feeds.items()}
    return source, feeds, make_references(source, feeds, hashes, THREADS, Silent())


def _keep(file: Path, arrays: Mapping[str, Array]) -> None:
    names = json.dumps(list(arrays))
    np.savez(file, names=np.array(names), **{f"array{i}": a for i, a in enumerate(arrays.values())})  # type: ignore[arg-type]


def _kept(file: Path) -> dict[str, Array]:
    with np.load(file, allow_pickle=False) as archive:
        names = json.loads(str(archive["names"]))
        return {name: archive[f"array{index}"] for index, name in enumerate(names)}


def judged(folder: Path) -> Iterator[tuple[str, str, str, OutputParity]]:
    """Model, batch, contender and verdict of every kept output."""
    for file in sorted(folder.glob("*.reference.npz")):
        model, batch, _ = file.name.split(".", 2)
        reference = _kept(file)
        for other in sorted(folder.glob(f"{model}.{batch}.*.npz")):
            contender = other.name.removeprefix(f"{model}.{batch}.").removesuffix(".npz")
            if contender == "reference":
                continue
            precision = parse_contender(contender).precision
            for place, actual in _kept(other).items():
                input_set, output = place.split("/", 1)
                right, yardstick = reference[f"right/{place}"], reference[f"yardstick/{place}"]
                yield (
                    model,
                    batch,
                    contender,
                    judge_output(output, input_set, actual, right, yardstick, precision),
                )


def derive(folder: Path) -> int:
    """Print the table; 1 when a correct engine would be called wrong."""
    worst: dict[tuple[str, str], tuple[float, float, float, str]] = {}
    alarms = 0
    for model, batch, contender, one in judged(folder):
        if one.status != "pass":
            alarms += 1
            print(
                f"ALARM {model} batch {batch} {contender} {one.output} {one.input_set}: {one.status} {one.reason}"
            )
        if one.ratio_rms is None or one.ratio_max is None:
            continue
        use = max(one.ratio_rms / one.budget_rms, one.ratio_max / one.budget_max)
        key = (model, contender)
        if key not in worst or use > worst[key][2]:
            worst[key] = (
                one.ratio_rms,
                one.ratio_max,
                use,
                f"{one.output} {one.input_set} batch {batch}",
            )
    print("| model | contender | rms | max | share of budget | where |\n|---|---|---|---|---|---|")
    for (model, contender), (rms, largest, use, where) in worst.items():
        print(f"| {model} | {contender} | {rms:.3g} | {largest:.3g} | {use:.0%} | {where} |")
    return 1 if alarms else 0


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("collect", "derive"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--contenders", nargs="*", default=CONTENDERS)
    asked = parser.parse_args()
    if asked.what == "derive":
        return derive(asked.folder)
    collect(asked.folder, asked.only, asked.contenders)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How far are correct engines from float64, in yardsticks? What the parity budgets are derived from.

`collect` runs healthy models on every engine and precision that is here, and keeps the raw outputs beside the
reference's. `derive` judges the kept outputs with the code that judges comparisons, and prints the table of decision
0004: the largest ratio by model and contender, in roundings of its precision, and its share of the budget.

    python -m tests.benchmarks.parity_budgets collect FOLDER [--only MODEL ..] [--contenders ort ..] [--sets zeros ..]
    python -m tests.benchmarks.parity_budgets derive FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from backends.contract import Array, ModelSource, TensorSpec
from harness.judge.parity import budget_use, judge_outputs
from harness.judge.parity.budgets import widening
from harness.judge.parity.reference_outputs import Reference
from harness.plan.contender import parse_contender
from harness.records import OutputParity, VariantRef
from harness.run.models import resolve_model
from harness.run.observer import Silent
from harness.run.opening import give_feeds, open_engine
from harness.run.references import References, make_references
from harness.run.worker import Worker, WorkerFailure
from harness.worker.tensors import unpack
from suites.inputs import make_inputs, sha256_of
from tests.benchmarks.healthy_models import SMALL, write_small

CONTENDERS = ("torch", "torch@fp16", "torch@bf16", "ort", "openvino", "openvino@bf16")
PRECISIONS = ("fp32", "fp16", "bf16")
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
HARD = tuple(Healthy(name, (1, 2), FEW_SETS) if name == "wide-norms" else Healthy(name) for name in SMALL)


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


def collect(
    folder: Path, only: Sequence[str], contenders: Sequence[str], batches: Sequence[int], sets: Sequence[str]
) -> None:
    """Keep raw outputs, one file for each model, batch and contender; files that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for model in (*KIT, *HARD, *BUILT_IN):
        if only and model.name not in only:
            continue
        if sets:
            model = replace(model, sets=tuple(sets))
        for batch in batches or model.batches:
            try:
                source, feeds, references = _ready(model, batch, folder)
            except ValueError as error:
                print(f"{model.name} batch {batch}: {error}", file=sys.stderr)
                continue
            if references.problem:
                print(f"{model.name} batch {batch}: {references.problem}", file=sys.stderr)
                continue
            _keep(folder / f"{model.name}.{batch}.reference.npz", _flat(references))
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
    backend = parse_contender(contender).backend
    if file.exists() or (backend == "torch" and source.torch_factory is None):
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
    if model.name in {each.name for each in BUILT_IN}:
        resolved = resolve_model(model.name, model.name, Silent(), threads=THREADS)
        source, ranges = resolved.source, resolved.ranges
    else:
        source, ranges = write_small(model.name, folder), model.ranges
    feeds: dict[str, Mapping[str, Array]] = {
        name: make_inputs(source.inputs, name, batch=batch, dims=model.dims, ranges=ranges)
        for name in model.sets
    }
    hashes = {name: sha256_of(arrays) for name, arrays in feeds.items()}
    return source, feeds, make_references(source, feeds, hashes, THREADS, Silent(), PRECISIONS)


def _keep(file: Path, arrays: Mapping[str, Array]) -> None:
    names = json.dumps(list(arrays))
    np.savez(file, names=np.array(names), **{f"array{i}": a for i, a in enumerate(arrays.values())})  # type: ignore[arg-type]


def _kept(file: Path) -> dict[str, Array]:
    with np.load(file, allow_pickle=False) as archive:
        names = json.loads(str(archive["names"]))
        return {name: archive[f"array{index}"] for index, name in enumerate(names)}


def _flat(references: References) -> dict[str, Array]:
    kept: dict[str, Array] = {}
    for name, one in references.by_set.items():
        runs = {"right": one.right, "yardstick": one.yardstick}
        runs |= {f"neighbour {index}": run for index, run in enumerate(one.neighbours)}
        runs |= {f"summed {index}": run for index, run in enumerate(one.summed)}
        runs |= {f"tie {p} {i}": run for p, ties in one.ties.items() for i, run in enumerate(ties)}
        kept |= {
            f"{what}/{name}/{output}": value for what, run in runs.items() for output, value in run.items()
        }
        kept[f"summands/{name}/"] = np.array(one.summands)
    kept[f"precision/{references.own_precision}/"] = np.zeros(0)
    return kept


def _unflat(kept: Mapping[str, Array]) -> References:
    runs: dict[str, dict[str, dict[str, Array]]] = {}
    made, summands = References(), {}
    for place, value in kept.items():
        what, name, output = place.split("/", 2)
        if what == "precision":
            made.own_precision = name
        elif what == "summands":
            summands[name] = int(value)
        else:
            runs.setdefault(name, {}).setdefault(what, {})[output] = value
    for name, by_kind in runs.items():
        ties: dict[str, list[Mapping[str, Array]]] = {}
        for what, run in by_kind.items():
            if what.startswith("tie "):
                ties.setdefault(what.split()[1], []).append(run)
        neighbours = tuple(run for what, run in by_kind.items() if what.startswith("neighbour"))
        made.by_set[name] = Reference(
            by_kind["right"],
            by_kind["yardstick"],
            neighbours,
            {p: tuple(t) for p, t in ties.items()},
            summands[name],
            tuple(run for what, run in by_kind.items() if what.startswith("summed")),
        )
    return made


def judged(folder: Path) -> Iterator[tuple[str, str, str, OutputParity]]:
    """Model, batch, contender and verdict of every kept output."""
    for file in sorted(folder.glob("*.reference.npz")):
        model, batch, _ = file.name.split(".", 2)
        references = _unflat(_kept(file))
        for other in sorted(folder.glob(f"{model}.{batch}.*.npz")):
            contender = other.name.removeprefix(f"{model}.{batch}.").removesuffix(".npz")
            if contender == "reference":
                continue
            outputs: dict[str, dict[str, Array]] = {}
            for place, actual in _kept(other).items():
                input_set, output = place.split("/", 1)
                outputs.setdefault(input_set, {})[output] = actual
            one = next(iter(references.by_set.values()))
            specs = [TensorSpec(name, value.dtype.name, value.shape) for name, value in one.right.items()]
            precision = parse_contender(contender).precision
            for verdict in judge_outputs(specs, outputs, references, precision, detail="none"):
                yield model, batch, contender, verdict


def derive(folder: Path) -> int:
    """Print the table; 1 when a correct engine would be called wrong."""
    worst: dict[tuple[str, str], tuple[OutputParity, str]] = {}
    alarms = count = 0
    for model, batch, contender, one in judged(folder):
        count += 1
        if one.status != "pass":
            alarms += 1
            print(f"ALARM {model} batch {batch} {contender} {one.output} {one.input_set}: {one.reason}")
        key = (model, contender)
        if one.ratio_rms is not None and (key not in worst or budget_use(one) > budget_use(worst[key][0])):
            worst[key] = (one, batch)
    print("| model | contender | rms | max | share of budget | where |\n|---|---|---|---|---|---|")
    for (model, contender), (one, batch) in worst.items():
        wide = widening(parse_contender(contender).precision)
        rms, largest = (ratio / wide for ratio in (one.ratio_rms or 0.0, one.ratio_max or 0.0))
        place = f"{one.output}, {one.input_set}, batch {batch}"
        print(f"| {model} | {contender} | {rms:.2f} | {largest:.2f} | {budget_use(one):.0%} | {place} |")
    print(f"{count} outputs judged, {alarms} alarms")
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
    parser.add_argument("--batches", nargs="*", type=int, default=())
    parser.add_argument("--sets", nargs="*", default=())
    asked = parser.parse_args()
    if asked.what == "derive":
        return derive(asked.folder)
    collect(asked.folder, asked.only, asked.contenders, asked.batches, asked.sets)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A model's graph before conversion (kept by the model's hash) and inside a running engine, held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from backends.contract import ModelSource, TensorSpec
from harness.judge.graph_contract import contract_of
from harness.records import Tensor, VariantRef
from harness.records.graph import GraphContract, GraphFacts
from harness.run import kept
from harness.run.jobs import run_job
from harness.run.worker import Worker, WorkerFailure

DEADLINE_S = 300.0


def graph_contract(
    worker: Worker, source: ModelSource, precision: str, variant: VariantRef, *, deadline_s: float
) -> GraphContract:
    """What the engine in `worker` (loaded; best after all its outputs are there) made of the model of `source`.

    Asking may cost the engine time and memory: nothing may be timed in this worker afterwards. A model whose facts
    cannot be told, and an engine that tells none, give a contract of status "unknown" that says why. Raises
    WorkerFailure when the engine fails.
    """
    before, problem = _before(source)
    reply = worker.request("graph", deadline_s=deadline_s, phase="graph").head["graph"]
    after = None if reply is None else GraphFacts.model_validate(reply)
    if after is None:
        problem = "; ".join(part for part in (problem, "the engine does not tell its graph") if part)
    return contract_of(before, after, precision, batch=variant.batch, dims=variant.dims, problem=problem)


def _before(source: ModelSource) -> tuple[GraphFacts | None, str]:
    try:
        return model_facts(source), ""
    except WorkerFailure as failure:
        install = "; install it with: pip install onnx" if failure.kind == "ModuleNotFoundError" else ""
        return None, f"the model's own graph cannot be read: {failure.message}{install}"


def model_facts(source: ModelSource) -> GraphFacts | None:
    """Facts of the model itself, from the cache or read once in a guarded worker; None without an ONNX file.

    Raises WorkerFailure for a file that cannot be read.
    """
    from suites.graph_facts import REVISION

    if source.onnx_path is None:
        return None
    key = {"model": source.sha256, "revision": str(REVISION), "onnx": _onnx_version()}
    found = kept.load("graphs", key, GraphFacts)
    if found is None:
        answer, _ = run_job(
            "suites.graph_facts:graph_facts",
            {"path": str(source.onnx_path)},
            deadline_s=DEADLINE_S,
            phase="reading the graph",
        )
        found = GraphFacts.model_validate(answer)
        kept.keep("graphs", key, found)
    # The signature is the model's as we know it: exporters name the dimensions, the cache does not.
    return found.model_copy(update={"inputs": _tensors(source.inputs), "outputs": _tensors(source.outputs)})


def _tensors(specs: Sequence[TensorSpec]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name=spec.name, dtype=spec.dtype, shape=spec.shape) for spec in specs)


def _onnx_version() -> str:
    try:
        return metadata.version("onnx")
    except metadata.PackageNotFoundError:
        return "none"

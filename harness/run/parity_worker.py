"""One contender on one variant in a worker of its own: its outputs on every input set, judged as they come."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import Array, ModelSource, TensorSpec
from harness.judge import parity as judge
from harness.records import ContenderRef
from harness.records.graph import GraphContract
from harness.records.parity_check import ParityCheck
from harness.run.graph_contract import graph_contract
from harness.run.opening import give_feeds, open_engine
from harness.run.parity_inputs import VariantInputs
from harness.run.references import References
from harness.run.worker import Worker, WorkerFailure
from harness.worker.tensors import unpack


@dataclass(frozen=True)
class Trial:
    """What a contender is checked with. `judged_as` is the precision whose budgets hold; empty: its own."""

    source: ModelSource
    inputs: VariantInputs
    references: References
    folder: Path
    judged_as: str
    deadline_s: float
    memory_limit: int | None

    def precision(self, ref: ContenderRef) -> str:
        """The precision whose budgets hold for `ref`."""
        return self.judged_as or ref.precision


def check_contender(ref: ContenderRef, trial: Trial) -> ParityCheck:
    """Build, load, and run every input set twice, the second time in the opposite order.

    Whatever goes wrong in the worker is the check's status; what was judged before then does not count, because the
    outputs that did not come are not known to be right.
    """
    variant = trial.inputs.variant
    check = ParityCheck(contender=ref, variant=variant, status="measured")
    try:
        with Worker(ref.text, threads=variant.threads, memory_limit=trial.memory_limit) as worker:
            opened = open_engine(worker, ref, variant, trial.source, trial.deadline_s)
            check = check.model_copy(update={"engine_version": opened.head["version"]})
            return check.model_copy(update=_run(worker, ref, trial))
    except WorkerFailure as failure:
        return check.model_copy(update={"status": failure.status, "failure": failure.record()})
    finally:
        shutil.rmtree(trial.folder, ignore_errors=True)


def _run(worker: Worker, ref: ContenderRef, trial: Trial) -> dict[str, Any]:
    """What a check holds when all went well."""
    limit, source = trial.deadline_s, trial.source
    trial.folder.mkdir(parents=True, exist_ok=True)
    built = worker.request("build", {"folder": str(trial.folder)}, deadline_s=limit).head["artefact"]
    loaded = worker.request("load", {"artefact": built}, deadline_s=limit).head
    breaches = list(_signature(source, loaded))
    hashes = trial.inputs.hashes
    for name, feeds in trial.inputs.feeds.items():
        give_feeds(worker, name, feeds, limit, hashes[name])
    given: dict[str, Mapping[str, Array]] = {}
    for name in trial.inputs.feeds:
        reply = worker.request("outputs", {"set": name}, deadline_s=limit, phase="infer")
        given[name] = unpack(reply.fds[0], reply.head["layout"])
        breaches += judge.judge_arrays(source.outputs, given[name])
    drift = _drift(worker, trial)
    effective = worker.request("effective", deadline_s=limit).head["effective"]
    graph = _graph(worker, ref, trial)
    breaches += [finding.message for finding in graph.breaches]
    parity = judge.judge_parity(
        source.outputs,
        given,
        trial.references,
        precision=trial.precision(ref),
        backend=ref.backend,
        breaches=breaches,
        drift=drift,
        detail="all",
    )
    return {"effective": effective, "parity": parity, "graph": graph}


def _drift(worker: Worker, trial: Trial) -> float | None:
    """Largest relative difference of a second pass over the input sets; None when one was not compared.

    In another order: an engine that keeps old outputs, or whose state moves on, gives others now.
    """
    drifts = []
    for name in reversed(trial.inputs.feeds):
        again = {"set": name, "discard": 0, "samples": 1, "calls": 1}
        reply = worker.request("block", again, deadline_s=trial.deadline_s, phase="infer")
        drifts.append(reply.head["drift"])
    return None if None in drifts else max(drifts, default=None)


def _graph(worker: Worker, ref: ContenderRef, trial: Trial) -> GraphContract:
    """An engine that fails when it is asked for its graph has still computed what it computed."""
    try:
        return graph_contract(
            worker, trial.source, ref.precision, trial.inputs.variant, deadline_s=trial.deadline_s
        )
    except WorkerFailure as failure:
        problem = f"the engine failed when it was asked for its graph: {failure.message}"
        return GraphContract(before=None, after=None, problem=problem)


def _signature(source: ModelSource, loaded: Mapping[str, Any]) -> tuple[str, ...]:
    inputs, outputs = (
        [TensorSpec.from_json(entry) for entry in loaded[key]] for key in ("inputs", "outputs")
    )
    return (
        *judge.judge_contract(source.inputs, inputs, "input"),
        *judge.judge_contract(source.outputs, outputs, "output"),
    )

"""Whether an engine can be asked at all: here, of the version asked for, and building from ONNX."""

from __future__ import annotations

from dataclasses import dataclass

from backends.contract import ModelSource
from harness.records import ContenderRef, VariantRef
from harness.records.conformance import State
from harness.run.jobs import ask_job
from harness.run.opening import open_engine
from harness.run.worker import Worker, WorkerFailure

DEADLINE_S = 120.0


@dataclass(frozen=True)
class EngineAnswer:
    """The engine's version, and why it cannot be asked where it cannot."""

    version: str = ""
    state: State = "ran"
    reason: str = ""


def ask_engine(ref: ContenderRef) -> EngineAnswer:
    """Open the engine in a worker of its own."""
    nothing = ModelSource("none", "", (), ())
    try:
        with Worker(ref.text) as worker:
            opened = open_engine(worker, ref, VariantRef(), nothing, DEADLINE_S)
            told, _ = ask_job(
                worker,
                "harness.worker.conformance:describe",
                {"backend": ref.backend, "flavour": ref.flavour},
                deadline_s=DEADLINE_S,
                phase="capabilities",
            )
    except WorkerFailure as failure:
        return EngineAnswer(state="unavailable", reason=failure.message)
    version = str(opened.head["version"])
    if "onnx" not in told["sources"]:
        return EngineAnswer(
            version, "not_applicable", f"builds from {', '.join(told['sources'])}, not from ONNX"
        )
    if ref.precision not in told["precisions"]:
        known = ", ".join(told["precisions"])
        return EngineAnswer(version, "unavailable", f"does not run {ref.precision}; it runs {known}")
    return EngineAnswer(version)

"""How many of a model's weights are subnormal: from the cache, or counted once in a guarded worker."""

from __future__ import annotations

from backends.contract import ModelSource
from harness.records import NumberCount
from harness.run import kept
from harness.run.jobs import run_job
from harness.run.worker import WorkerFailure
from suites.subnormals import JOB

DEADLINE_S = 300.0
REVISION = "1"


def subnormal_weights(source: ModelSource) -> NumberCount:
    """Counted in the ONNX file; where that cannot be done the reason stands in the answer."""
    if source.onnx_path is None:
        return NumberCount(reason="the model has no ONNX file")
    facts = {"model": source.sha256, "revision": REVISION}
    found = kept.load("subnormals", facts, NumberCount)
    if found is not None:
        return found
    try:
        answer, _ = run_job(
            JOB, {"path": str(source.onnx_path)}, deadline_s=DEADLINE_S, phase="counting subnormal weights"
        )
    except WorkerFailure as failure:
        return NumberCount(reason=failure.message)
    if answer["skipped"]:
        return NumberCount(reason=f"the data of {answer['skipped']} tensors could not be read")
    made = NumberCount(subnormal=answer["subnormal"], total=answer["total"])
    kept.keep("subnormals", facts, made)
    return made

"""What one call of a model takes: from the cache, or counted once in a guarded worker and kept there."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

from backends.contract import ModelSource
from harness.errors import InputError
from harness.records.work import Work
from harness.run import kept
from harness.run.feeds import check_variant
from harness.run.jobs import run_job
from harness.run.worker import WorkerFailure

DEADLINE_S = 300.0


class NoWorkError(Exception):
    """The model's work could not be counted; the message says why."""


def count_work(source: ModelSource, batch: int, dims: Mapping[str, int]) -> Work:
    """Operations and bytes of one call at `batch` and `dims`, counted from the ONNX file of `source`.

    Raises InputError for a dimension without a size or one that the model does not have, and NoWorkError where the
    model has no ONNX file, where onnx is missing, or where the graph cannot be walked.
    """
    from suites.work import REVISION

    if source.onnx_path is None:
        raise NoWorkError("the model has no ONNX file to count")
    check_variant(source.inputs, batch, dims)
    try:
        shapes = {spec.name: list(spec.concrete(batch, dims)) for spec in source.inputs}
    except ValueError as error:
        raise InputError(str(error), "give it with --dim NAME=SIZE") from None
    facts = {"model": source.sha256, "shapes": repr(sorted(shapes.items())), "revision": str(REVISION)}
    facts |= {"batch": str(batch), "dims": repr(sorted(dims.items())), "onnx": _onnx_version()}
    found = kept.load("work", facts, Work)
    if found is not None:
        return found
    try:
        answer, _ = run_job(
            "suites.work:count",
            {"path": str(source.onnx_path), "shapes": shapes},
            deadline_s=DEADLINE_S,
            phase="counting operations",
        )
    except WorkerFailure as failure:
        install = "; install it with: pip install onnx" if failure.kind == "ModuleNotFoundError" else ""
        raise NoWorkError(f"its operations could not be counted: {failure.message}{install}") from None
    work = Work(batch=batch, dims=dict(dims), **answer)
    kept.keep("work", facts, work)
    return work


def _onnx_version() -> str:
    """Shape inference is onnx's: another version may know more shapes."""
    try:
        return metadata.version("onnx")
    except metadata.PackageNotFoundError:
        return "none"

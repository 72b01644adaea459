"""Text encoders with weights of the user's own (`--model encoder:WHERE`, or a folder), exported in a worker once."""

from __future__ import annotations

from pathlib import Path

from backends.contract import ModelSource, TensorSpec
from harness.errors import InputError
from harness.records import ModelRef
from harness.run.jobs import run_job
from harness.run.observer import Observer
from harness.run.resolved import EXPORT_DEADLINE_S, ResolvedModel, tensors
from harness.run.worker import WorkerFailure


def resolve_encoder(
    model: str, name: str, observer: Observer, *, threads: int, flag: str = "--model"
) -> ResolvedModel:
    """The encoder that `model` names (see `suites.encoder_export`). Raises InputError for what cannot be used."""
    observer.step(f"reading the encoder {name}, and exporting it where that was not done yet")
    try:
        entry, _ = run_job(
            "suites.encoder_export:export_encoder",
            {"model": model},
            threads=threads,
            deadline_s=EXPORT_DEADLINE_S,
            phase=f"export of {name}",
        )
    except WorkerFailure as failure:
        raise InputError(f"{flag} {model}: {failure.message}", failure.hint) from None
    inputs, outputs = (
        tuple(TensorSpec.from_json(spec) for spec in entry[key]) for key in ("inputs", "outputs")
    )
    source = ModelSource(
        name=name,
        sha256=entry["sha256"],
        inputs=inputs,
        outputs=outputs,
        onnx_path=Path(entry["onnx"]),
        torch_factory=entry["factory"],
        weights_path=Path(entry["weights"]),
    )
    ref = ModelRef(
        name=name,
        source="onnx",
        sha256=entry["sha256"],
        path=entry["onnx"],
        inputs=tensors(inputs),
        outputs=tensors(outputs),
        parameters=entry["parameters"],
        macs=entry["macs"],
    )
    ranges = {key: (int(low), int(high)) for key, (low, high) in entry["ranges"].items()}
    return ResolvedModel(ref, source, ranges, dict(entry["limits"]))

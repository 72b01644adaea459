"""From a model's name or path to all that measuring needs: source, inputs, reference outputs.

Whatever could crash on a bad file, or needs torch or onnx, happens in guarded workers; their products are cached.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import Array, ModelSource, TensorSpec
from harness.errors import HarnessError, InputError
from harness.records import ModelRef
from harness.run.encoders import resolve_encoder
from harness.run.feeds import hashes_of, prepare_feeds
from harness.run.jobs import run_job
from harness.run.observer import Observer
from harness.run.references import References, make_references
from harness.run.resolved import EXPORT_DEADLINE_S, ResolvedModel, tensors
from harness.run.worker import WorkerFailure
from harness.worker.turning import held_back


@dataclass(frozen=True)
class Processing:
    """The pre- and post-processing that stage passes run, and the files that are fed in."""

    name: str
    factory: str
    implementation: str
    items: tuple[Path, ...]

    def request(self) -> dict[str, Any]:
        """What the worker is told."""
        return {
            "factory": self.factory,
            "implementation": self.implementation,
            "items": [str(path) for path in self.items],
        }


@dataclass(frozen=True)
class ReadyModel:
    """A model with its inputs and the outputs that count as right."""

    ref: ModelRef
    source: ModelSource
    feeds: Mapping[str, Mapping[str, Array]]
    inputs_sha256: Mapping[str, str]
    references: References
    processing: Processing | None = None
    held_back: str = ""
    """Input set that no call sees before the end of a trial (`harness.worker.turning`); empty where there is none.
    Its arrays are not in `feeds`, its hash and reference outputs are there."""


def resolve_model(
    model: str, name: str, observer: Observer, *, threads: int, flag: str = "--model"
) -> ResolvedModel:
    """Find a built-in model (exporting it once), an ONNX file, or an encoder's weights (`suites.encoder_export`).

    `name` is what it is called in results, `flag` the one that named it. Raises InputError for what cannot be used.
    """
    from suites.catalogue import BUILTINS, builtin
    from suites.encoder_export import is_encoder
    from suites.errors import ModelError

    if model in BUILTINS:
        return _resolve_builtin(model, observer, threads)
    if is_encoder(model):
        return resolve_encoder(model, name, observer, threads=threads, flag=flag)
    if _looks_like_path(model):
        return _resolve_onnx(Path(model), name, flag)
    try:
        builtin(model)
    except ModelError as error:
        raise InputError(error.message, error.hint) from None
    raise InputError(f"model {model!r} is not known")


def prepare_model(
    resolved: ResolvedModel,
    *,
    batch: int,
    dims: Mapping[str, int],
    input_sets: Sequence[str],
    inputs: Path | None,
    threads: int,
    observer: Observer,
    pipeline: str = "",
    precisions: Sequence[str] = ("fp32",),
) -> ReadyModel:
    """Make the inputs and the reference outputs for one variant and the contenders' `precisions`. Raises InputError."""
    feeds = prepare_feeds(
        resolved, batch=batch, dims=dims, input_sets=input_sets, inputs=inputs, pipeline=pipeline
    )
    held = held_back(feeds)
    hashes = hashes_of({**feeds, **held})
    references = make_references(resolved.source, {**feeds, **held}, hashes, threads, observer, precisions)
    return ReadyModel(
        resolved.ref, resolved.source, feeds, hashes, references, held_back=next(iter(held), "")
    )


def _resolve_builtin(name: str, observer: Observer, threads: int) -> ResolvedModel:
    from suites.catalogue import builtin
    from suites.errors import ModelError
    from suites.export import find_export

    model = builtin(name)
    try:
        entry = find_export(name)
    except ModelError as error:
        raise InputError(error.message, error.hint) from None
    if entry is None:
        observer.say(f"Exporting {name} to ONNX, once (kept in the model cache) ...")
        try:
            entry, _ = run_job(
                "suites.export:export",
                {"name": name},
                threads=threads,
                deadline_s=EXPORT_DEADLINE_S,
                phase=f"export of {name}",
            )
        except WorkerFailure as failure:
            raise _as_input_error(failure, f"model {name!r} could not be exported") from None
    source = ModelSource(
        name=name,
        sha256=entry["sha256"],
        inputs=model.inputs,
        outputs=model.outputs,
        onnx_path=Path(entry["onnx"]),
        torch_factory=model.factory,
        weights_path=Path(entry["weights"]),
    )
    ref = ModelRef(
        name=name,
        source="builtin",
        sha256=entry["sha256"],
        path=None,
        inputs=tensors(model.inputs),
        outputs=tensors(model.outputs),
        parameters=model.parameters,
        macs=model.macs,
    )
    return ResolvedModel(ref, source, model.value_range, model.limits)


def _resolve_onnx(path: Path, name: str, flag: str) -> ResolvedModel:
    try:
        answer, _ = run_job(
            "suites.onnx_file:inspect", {"path": str(path)}, deadline_s=300.0, phase=f"reading {path}"
        )
    except WorkerFailure as failure:
        raise _as_input_error(failure, f"{flag} {path} could not be read") from None
    inputs, outputs = (
        tuple(TensorSpec.from_json(entry) for entry in answer[key]) for key in ("inputs", "outputs")
    )
    absolute = path.resolve()
    source = ModelSource(name, answer["sha256"], inputs, outputs, onnx_path=absolute)
    ref = ModelRef(
        name=name,
        source="onnx",
        sha256=answer["sha256"],
        path=str(absolute),
        inputs=tensors(inputs),
        outputs=tensors(outputs),
        parameters=answer.get("parameters"),
        macs=None,
    )
    return ResolvedModel(ref, source, {}, {})


def _as_input_error(failure: WorkerFailure, what: str) -> HarnessError:
    if failure.kind == "ModuleNotFoundError":
        hint = "install the reference: pip install 'inference-harness[torch]'"
        return InputError(f"{what}: {failure.message}", hint)
    return InputError(
        f"{what}: {failure.message}" if what not in failure.message else failure.message, failure.hint
    )


def _looks_like_path(name: str) -> bool:
    return name.endswith(".onnx") or os.sep in name or Path(name).exists()

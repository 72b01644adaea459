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
from harness.records import ModelRef, Tensor
from harness.run.jobs import run_job
from harness.run.observer import Observer
from harness.run.references import References, make_references
from harness.run.worker import WorkerFailure
from harness.worker.turning import held_back

EXPORT_DEADLINE_S = 900.0


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


@dataclass(frozen=True)
class ResolvedModel:
    """A model that exists, before inputs and references are made for one variant."""

    ref: ModelRef
    source: ModelSource
    ranges: Mapping[str, tuple[int, int]]
    limits: Mapping[str, int]
    """The largest size of a named dynamic dimension, where there is one."""


def resolve_model(model: str, name: str, observer: Observer, *, threads: int) -> ResolvedModel:
    """Find a built-in model (exporting it once), an ONNX file, or an encoder's weights (`suites.encoder_export`).

    `name` is what it is called in results. Raises InputError for what cannot be used.
    """
    from suites.catalogue import BUILTINS, builtin
    from suites.encoder_export import is_encoder
    from suites.errors import ModelError

    if model in BUILTINS:
        return _resolve_builtin(model, observer, threads)
    if is_encoder(model):
        from harness.run.encoders import resolve_encoder

        return resolve_encoder(model, name, observer, threads=threads)
    if _looks_like_path(model):
        return _resolve_onnx(Path(model), name)
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
    hashes = _hashes({**feeds, **held})
    references = make_references(resolved.source, {**feeds, **held}, hashes, threads, observer, precisions)
    return ReadyModel(
        resolved.ref, resolved.source, feeds, hashes, references, held_back=next(iter(held), "")
    )


def prepare_feeds(
    resolved: ResolvedModel,
    *,
    batch: int,
    dims: Mapping[str, int],
    input_sets: Sequence[str],
    inputs: Path | None,
    pipeline: str = "",
) -> dict[str, Mapping[str, Array]]:
    """The inputs for one variant by input set; `pipeline` (empty: the model's own) makes those of samples.

    Raises InputError.
    """
    from suites.errors import ModelError
    from suites.inputs import SAMPLES, load_npz, make_inputs

    source = resolved.source
    check_variant(source.inputs, batch, dims)
    for name, most in resolved.limits.items():
        if dims.get(name, most) > most:
            raise InputError(
                f"--dim {name}={dims[name]}: model {source.name!r} takes at most {most}",
                f"give a size from 1 to {most}",
            )
    try:
        if inputs is not None:
            given = load_npz(inputs, source.inputs)
            _check_sizes(inputs, given, source.inputs, batch, dims)
            return {inputs.name: given}
        return {
            name: _from_samples(resolved, name, batch, dims, pipeline)
            if name in SAMPLES
            else make_inputs(source.inputs, name, batch=batch, dims=dims, ranges=resolved.ranges)
            for name in input_sets
        }
    except ModelError as error:
        raise InputError(error.message, error.hint) from None


def own_pipeline(model: ModelRef) -> str:
    """The pipeline that a built-in model comes with; empty where there is none."""
    from suites.catalogue import BUILTINS

    return BUILTINS[model.name].pipeline if model.source == "builtin" else ""


def own_dims(model: ModelRef) -> Mapping[str, int]:
    """Sizes of dynamic dimensions that a built-in model comes with; empty where there are none."""
    from suites.catalogue import BUILTINS

    return BUILTINS[model.name].dims if model.source == "builtin" else {}


def _from_samples(
    resolved: ResolvedModel, name: str, batch: int, dims: Mapping[str, int], pipeline: str
) -> dict[str, Array]:
    """Shipped samples through the pipeline, in a worker: it runs other people's code, and decodes."""
    from suites.sample_inputs import check_samples

    chosen = pipeline or own_pipeline(resolved.ref)
    check_samples(name, chosen, resolved.ref.name)
    asked = {
        "pipeline": chosen,
        "inputs": [spec.to_json() for spec in resolved.source.inputs],
        "outputs": [spec.to_json() for spec in resolved.source.outputs],
        "dims": dict(dims),
        "batch": batch,
    }
    try:
        _, arrays = run_job(
            "suites.sample_inputs:sample_inputs", asked, deadline_s=300.0, phase=f"input set {name}"
        )
    except WorkerFailure as failure:
        raise InputError(
            f"the input set {name!r} could not be made: {failure.message}", failure.hint
        ) from None
    return arrays


def _hashes(feeds: Mapping[str, Mapping[str, Array]]) -> dict[str, str]:
    from suites.errors import ModelError
    from suites.inputs import sha256_of

    try:
        return {name: sha256_of(arrays) for name, arrays in feeds.items()}
    except ModelError as error:
        raise InputError(error.message, error.hint) from None


def check_variant(specs: Sequence[TensorSpec], batch: int, dims: Mapping[str, int]) -> None:
    """Raise InputError for a size that the model would silently ignore."""
    named = dict.fromkeys(dim for spec in specs for dim in spec.shape if isinstance(dim, str))
    for name, size in dims.items():
        if name not in named:
            raise InputError(
                f"--dim {name}={size}: the model has no dynamic dimension of that name",
                f"its dynamic dimensions: {', '.join(named) or 'none'}",
            )
    firsts = {spec.shape[0] for spec in specs if spec.shape}
    open_to_batch = any(isinstance(first, str) and first not in dims for first in firsts)
    if batch != 1 and not open_to_batch and batch not in firsts:
        fixed = ", ".join(sorted(str(dims.get(str(first), first)) for first in firsts)) or "none"
        raise InputError(
            f"--batch {batch}: the model's first dimension is fixed (size {fixed})",
            "export it with a dynamic first dimension, or leave --batch out",
        )


def _check_sizes(
    path: Path,
    arrays: Mapping[str, Array],
    specs: Sequence[TensorSpec],
    batch: int,
    dims: Mapping[str, int],
) -> None:
    """Raise InputError where the user's arrays have other sizes than the flags say."""
    for spec in specs:
        for axis, (dim, size) in enumerate(zip(spec.shape, arrays[spec.name].shape, strict=True)):
            if not isinstance(dim, str):
                continue
            if dim in dims and dims[dim] != size:
                raise InputError(
                    f"--inputs {path}: {spec.name!r} has size {size} in dimension {dim!r}, --dim says {dims[dim]}",
                    f"give --dim {dim}={size}",
                )
            if axis == 0 and dim not in dims and size != batch:
                raise InputError(
                    f"--inputs {path}: {spec.name!r} holds a batch of {size}, --batch says {batch}",
                    f"give --batch {size}",
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
        inputs=_tensors(model.inputs),
        outputs=_tensors(model.outputs),
        parameters=model.parameters,
        macs=model.macs,
    )
    return ResolvedModel(ref, source, model.value_range, model.limits)


def _resolve_onnx(path: Path, name: str) -> ResolvedModel:
    try:
        answer, _ = run_job(
            "suites.onnx_file:inspect", {"path": str(path)}, deadline_s=300.0, phase=f"reading {path}"
        )
    except WorkerFailure as failure:
        raise _as_input_error(failure, f"--model {path} could not be read") from None
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
        inputs=_tensors(inputs),
        outputs=_tensors(outputs),
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


def _tensors(specs: Sequence[TensorSpec]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name=s.name, dtype=s.dtype, shape=s.shape) for s in specs)

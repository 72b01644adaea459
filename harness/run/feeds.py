"""The inputs of one variant: made of seeds, of shipped samples, or read from a file, and held against the signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from backends.contract import Array, TensorSpec
from harness.errors import InputError
from harness.records import ModelRef
from harness.run.jobs import run_job
from harness.run.resolved import ResolvedModel
from harness.run.worker import WorkerFailure


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


def hashes_of(feeds: Mapping[str, Mapping[str, Array]]) -> dict[str, str]:
    """Input set -> hash of its arrays. Raises InputError."""
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
    if batch != 1 and not open_to_batch(specs, dims) and batch not in firsts:
        fixed = ", ".join(sorted(str(dims.get(str(first), first)) for first in firsts)) or "none"
        raise InputError(
            f"--batch {batch}: the model's first dimension is fixed (size {fixed})",
            "export it with a dynamic first dimension, or leave --batch out",
        )


def open_to_batch(specs: Sequence[TensorSpec], dims: Mapping[str, int]) -> bool:
    """Whether an input's first dimension takes any size: it is dynamic, and `dims` does not name it."""
    firsts = {spec.shape[0] for spec in specs if spec.shape}
    return any(isinstance(first, str) and first not in dims for first in firsts)


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

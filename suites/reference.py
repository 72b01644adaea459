"""What is right: a model's outputs from the reference, in float64 or (for the yardstick) in float32.

`reference` is a job: the parent runs it in a worker process, because it imports torch or onnx. A model with a torch
factory is judged by torch; one that exists only as ONNX by the ONNX reference evaluator. Where that cannot run a
model, the parent may ask `suites.engine_reference` instead.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.contract import Array, ModelSource
from suites.errors import ModelError

DTYPES = ("float64", "float32")

REVISION = 2
"""Raised whenever the same model and inputs may give other outputs, so that cached ones are made again."""

CURRENT_OPSET = 21
"""The oldest opset of which the evaluator knows every operator; older models are converted when it lacks one."""


def reference(arguments: dict[str, Any], arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: outputs of the model `arguments["source"]` (see `ModelSource.to_json`) for one input set, `arrays`.

    `arguments["dtype"]` is "float64" or "float32"; `arguments["threads"]` (default 1) is torch's number of threads.
    Floating-point inputs are cast to that precision, all arithmetic is done in it, and floating-point outputs have
    it. `arguments["run"]` (default 0) seeds torch's generator, and from 1 on the seeds that an ONNX model fixes are
    taken out: what is random differs from run to run. With `arguments["nudge"]` inputs and weights are moved by one
    rounding of their own format each (see `suites.nudge`).

    Answers {"description": e.g. "torch 2.13.0 float64", "strength": "independent", or "mixed" where operators were
    computed in a lower precision, "note": which, "quantised": whether the model computes on a coarse grid} and the
    outputs by name, in the model's order. Raises ModelError for an unknown dtype, a model in no usable form, or an
    operator that the evaluator lacks.
    """
    source = ModelSource.from_json(arguments["source"])
    dtype, run = str(arguments["dtype"]), int(arguments.get("run", 0))
    if dtype not in DTYPES:
        raise ModelError(f"there is no reference in {dtype!r}", f"expected one of: {', '.join(DTYPES)}")
    given = inputs_of(source, arrays)
    if source.torch_factory is not None:
        feeds = {name: _cast(array, dtype) for name, array in given.items()}
        return _by_torch(source, dtype, feeds, int(arguments.get("threads", 1)), run)
    if source.onnx_path is not None:
        return _by_onnx(source, dtype, given, run, nudge=bool(arguments.get("nudge", False)))
    raise ModelError(
        f"the model {source.name!r} has neither an ONNX file nor a torch module", "give one of them"
    )


def inputs_of(source: ModelSource, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The declared inputs among `arrays`, in order; raises ModelError where one is missing."""
    missing = [spec.name for spec in source.inputs if spec.name not in arrays]
    if missing:
        raise ModelError(
            f"the reference of {source.name!r} lacks the inputs {', '.join(missing)}",
            f"it was given: {', '.join(arrays) or 'none'}",
        )
    return {spec.name: arrays[spec.name] for spec in source.inputs}


def _cast(array: Array, dtype: str) -> Array:
    return array.astype(dtype) if np.issubdtype(array.dtype, np.floating) else array


def _by_torch(
    source: ModelSource, dtype: str, feeds: dict[str, Array], threads: int, run: int
) -> tuple[dict[str, Any], dict[str, Array]]:
    import torch

    torch.set_num_threads(threads)
    # Whatever the user's environment says: the yardstick's float32 is not to be computed in tf32 or bf16.
    torch.set_float32_matmul_precision("highest")
    module_name, _, attribute = str(source.torch_factory).partition(":")
    build = getattr(importlib.import_module(module_name), attribute)
    module = build(source.weights_path).to(getattr(torch, dtype))
    # After building: a factory may have set a seed of its own.
    torch.manual_seed(run)
    with torch.inference_mode():
        answer = module(*(torch.from_numpy(feeds[spec.name]) for spec in source.inputs))
    if isinstance(answer, Mapping):
        answer = [answer[spec.name] for spec in source.outputs if spec.name in answer]
    values = answer if isinstance(answer, tuple | list) else (answer,)
    outputs = _named(source, [value.numpy() for value in values], dtype)
    description = f"torch {torch.__version__.partition('+')[0]} {dtype}"
    return {"description": description, "strength": "independent", "note": "", "quantised": False}, outputs


def _by_onnx(
    source: ModelSource, dtype: str, given: dict[str, Array], run: int, *, nudge: bool
) -> tuple[dict[str, Any], dict[str, Array]]:
    import onnx

    from suites.evaluator import LackingError, evaluate
    from suites.nudge import nudged, nudged_model
    from suites.onnx_precision import set_precision
    from suites.random_operators import drop_seeds, is_quantised

    model = onnx.load_model(source.onnx_path, format="protobuf")
    quantised = is_quantised(model)
    if run:
        drop_seeds(model)
    if nudge:
        nudged_model(model)
        given = nudged(given)
    names, exact = [spec.name for spec in source.outputs], dtype == "float64"
    feeds = {name: _cast(array, dtype) for name, array in given.items()}
    lowered: set[str] = set()
    notes = []
    set_precision(model, dtype)
    try:
        values = evaluate(model, source.name, names, feeds, exact=exact, lowered=lowered)
    except LackingError:
        newer = _newer(model)
        if newer is None:
            raise
        notes.append(f"the model was converted to opset {CURRENT_OPSET} for it")
        set_precision(newer, dtype)
        values = evaluate(newer, source.name, names, feeds, exact=exact, lowered=lowered)
    if lowered:
        notes.append(f"it computes {', '.join(sorted(lowered))} in a lower precision than float64")
    return {
        "description": f"onnx {onnx.__version__} reference evaluator {dtype}",
        "strength": "mixed" if lowered else "independent",
        "note": "; ".join(notes),
        "quantised": quantised,
    }, _named(source, values, dtype)


def _newer(model: Any) -> Any | None:
    """`model` in CURRENT_OPSET; None where it is not older, or onnx cannot convert it."""
    from onnx import version_converter

    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset >= CURRENT_OPSET:
        return None
    try:
        return version_converter.convert_version(model, CURRENT_OPSET)
    except (RuntimeError, version_converter.ConvertError):
        return None


def _named(source: ModelSource, values: Sequence[Array], dtype: str) -> dict[str, Array]:
    names = [spec.name for spec in source.outputs]
    if len(values) != len(names):
        raise ModelError(
            f"the reference of {source.name!r} gives {len(values)} outputs, {len(names)} are declared",
            f"declared: {', '.join(names)}",
        )
    outputs = dict(zip(names, values, strict=True))
    for name, value in outputs.items():
        if np.issubdtype(value.dtype, np.floating) and value.dtype != np.dtype(dtype):
            raise ModelError(
                f"the reference output {name!r} of {source.name!r} is {value.dtype}, not {dtype}",
                "the model casts inside; without a reference its parity stays unknown",
            )
    return outputs

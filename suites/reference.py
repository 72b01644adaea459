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
from suites.nudge import Nudge, moved, moved_all, moved_model

DTYPES = ("float64", "float32")

REVISION = 7
"""Raised whenever the same model and inputs may give other outputs, so that cached ones are made again."""

CURRENT_OPSET = 21
"""The oldest opset of which the evaluator knows every operator; older models are converted when it lacks one."""


def reference(arguments: dict[str, Any], arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: outputs of the model `arguments["source"]` (see `ModelSource.to_json`) for one input set, `arrays`.

    `arguments["dtype"]` is "float64" or "float32"; `arguments["threads"]` (default 1) is torch's number of threads.
    Floating-point inputs are cast to that precision, all arithmetic is done in it, and floating-point outputs have
    it. `arguments["run"]` (default 0) seeds torch's generator, and from 1 on the seeds that an ONNX model fixes are
    taken out: what is random differs from run to run. With `arguments["nudge"]` ("count", "size": see
    `suites.nudge.Nudge`) there are several runs, and the outputs are named "RUN/NAME", from 0.

    Answers {"description": e.g. "torch 2.13.0 float64", "strength": "independent", or "mixed" where operators were
    computed in a lower precision, "note": which, "precision": the coarsest format that the model rounds to by itself,
    "sums": whether the order of summation may decide its error, where that is known}
    and the outputs by name, in the model's order. Raises ModelError for an unknown dtype, a model in no usable form,
    or an operator that the evaluator lacks.
    """
    source = ModelSource.from_json(arguments["source"])
    dtype = str(arguments["dtype"])
    if dtype not in DTYPES:
        raise ModelError(f"there is no reference in {dtype!r}", f"expected one of: {', '.join(DTYPES)}")
    given = inputs_of(source, arrays)
    feeds = {
        name: array.astype(dtype) if np.issubdtype(array.dtype, np.floating) else array
        for name, array in given.items()
    }
    nudge = Nudge.from_json(arguments["nudge"]) if arguments.get("nudge") else None
    run = int(arguments.get("run", 0))
    if source.torch_factory is not None:
        return _by_torch(source, dtype, feeds, int(arguments.get("threads", 1)), run, nudge)
    if source.onnx_path is not None:
        return _by_onnx(source, dtype, feeds, run, nudge)
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


def _by_torch(
    source: ModelSource, dtype: str, feeds: dict[str, Array], threads: int, run: int, nudge: Nudge | None
) -> tuple[dict[str, Any], dict[str, Array]]:
    import torch

    torch.set_num_threads(threads)
    # Whatever the user's environment says: the yardstick's float32 is not to be computed in tf32 or bf16.
    torch.set_float32_matmul_precision("highest")
    module_name, _, attribute = str(source.torch_factory).partition(":")
    build = getattr(importlib.import_module(module_name), attribute)
    module = build(source.weights_path).to(getattr(torch, dtype))

    def call(given: Mapping[str, Array]) -> dict[str, Array]:
        # After building: a factory may have set a seed of its own.
        torch.manual_seed(run)
        with torch.inference_mode():
            answer = module(*(torch.from_numpy(given[spec.name]) for spec in source.inputs))
        if isinstance(answer, Mapping):
            answer = [answer[spec.name] for spec in source.outputs if spec.name in answer]
        values = answer if isinstance(answer, tuple | list) else (answer,)
        return _named(source, [value.numpy() for value in values], dtype)

    if nudge is None:
        outputs = call(feeds)
    else:
        weights = [t for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()]
        kept = [weight.detach().numpy().copy() for weight in weights]
        outputs = {}
        for index, random in enumerate(nudge.generators()):
            with torch.no_grad():
                for weight, value in zip(weights, kept, strict=True):
                    weight.copy_(torch.from_numpy(moved(value, random, nudge.size)))
            outputs |= _numbered(index, call(moved_all(feeds, random, nudge.size)))
    description = f"torch {torch.__version__.partition('+')[0]} {dtype}"
    return {"description": description, "strength": "independent", "note": "", "precision": "fp32"}, outputs


def _by_onnx(
    source: ModelSource, dtype: str, feeds: dict[str, Array], run: int, nudge: Nudge | None
) -> tuple[dict[str, Any], dict[str, Array]]:
    import onnx

    from suites.evaluator import LackingError, evaluate
    from suites.evaluator_sums import adding_in
    from suites.model_traits import drop_seeds, has_long_sums, own_precision
    from suites.onnx_precision import set_precision

    model = onnx.load_model(source.onnx_path, format="protobuf")
    precision = own_precision(model)
    if run:
        drop_seeds(model)
    names = [spec.name for spec in source.outputs]
    lowered: set[str] = set()
    notes = []

    def call(what: Any, given: Mapping[str, Array]) -> dict[str, Array]:
        values = evaluate(what, source.name, names, given, exact=dtype == "float64", lowered=lowered)
        return _named(source, values, dtype)

    def call_all(what: Any) -> dict[str, Array]:
        set_precision(what, dtype)
        if nudge is None:
            with adding_in(None):
                return call(what, feeds)
        outputs: dict[str, Array] = {}
        for index, random in enumerate(nudge.generators()):
            neighbour = moved_model(what, random, nudge.size)
            with adding_in(nudge.lanes[index] if nudge.lanes else None):
                outputs |= _numbered(index, call(neighbour, moved_all(feeds, random, nudge.size)))
        return outputs

    try:
        outputs = call_all(model)
    except LackingError:
        newer = _newer(model)
        if newer is None:
            raise
        notes.append(f"the model was converted to opset {CURRENT_OPSET} for it")
        outputs = call_all(newer)
    if lowered:
        notes.append(f"it computes {', '.join(sorted(lowered))} in a lower precision than float64")
    return {
        "description": f"onnx {onnx.__version__} reference evaluator {dtype}",
        "strength": "mixed" if lowered else "independent",
        "note": "; ".join(notes),
        "precision": precision,
        "sums": has_long_sums(model),
    }, outputs


def _numbered(index: int, outputs: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{index}/{name}": value for name, value in outputs.items()}


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

"""What is right: a model's outputs from the reference, in float64 or (for the yardstick) in float32.

`reference` is a job: the parent runs it in a worker process, because it imports torch or onnx. A model with a torch
factory is judged by torch; one that exists only as ONNX by the ONNX reference evaluator.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.contract import Array, ModelSource
from suites.errors import ModelError

DTYPES = ("float64", "float32")

REVISION = 1
"""Raised whenever the same model and inputs may give other outputs, so that cached ones are made again."""


def reference(arguments: dict[str, Any], arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: outputs of the model `arguments["source"]` (see `ModelSource.to_json`) for one input set, `arrays`.

    `arguments["dtype"]` is "float64" or "float32"; `arguments["threads"]` (default 1) is torch's number of threads.
    Floating-point inputs are cast to that precision, all arithmetic is done in it, and floating-point outputs have
    it. Answers {"description": e.g. "torch 2.13.0 float64"} and the outputs by name, in the model's order. Raises
    ModelError for an unknown dtype, a model in no usable form, an operator that the evaluator lacks, or one that it
    computes in a lower precision.
    """
    source = ModelSource.from_json(arguments["source"])
    dtype = str(arguments["dtype"])
    if dtype not in DTYPES:
        raise ModelError(f"there is no reference in {dtype!r}", f"expected one of: {', '.join(DTYPES)}")
    missing = [spec.name for spec in source.inputs if spec.name not in arrays]
    if missing:
        raise ModelError(
            f"the reference of {source.name!r} lacks the inputs {', '.join(missing)}",
            f"it was given: {', '.join(arrays) or 'none'}",
        )
    feeds = {spec.name: _cast(arrays[spec.name], dtype) for spec in source.inputs}
    if source.torch_factory is not None:
        return _by_torch(source, dtype, feeds, int(arguments.get("threads", 1)))
    if source.onnx_path is not None:
        return _by_onnx(source, dtype, feeds)
    raise ModelError(
        f"the model {source.name!r} has neither an ONNX file nor a torch module", "give one of them"
    )


def _cast(array: Array, dtype: str) -> Array:
    return array.astype(dtype) if np.issubdtype(array.dtype, np.floating) else array


def _by_torch(
    source: ModelSource, dtype: str, feeds: dict[str, Array], threads: int
) -> tuple[dict[str, Any], dict[str, Array]]:
    import torch

    torch.set_num_threads(threads)
    # Whatever the user's environment says: the yardstick's float32 is not to be computed in tf32 or bf16.
    torch.set_float32_matmul_precision("highest")
    module_name, _, attribute = str(source.torch_factory).partition(":")
    build = getattr(importlib.import_module(module_name), attribute)
    module = build(source.weights_path).to(getattr(torch, dtype))
    with torch.inference_mode():
        answer = module(*(torch.from_numpy(feeds[spec.name]) for spec in source.inputs))
    values = answer if isinstance(answer, tuple | list) else (answer,)
    outputs = _named(source, [value.numpy() for value in values], dtype)
    return {"description": f"torch {torch.__version__.partition('+')[0]} {dtype}"}, outputs


def _by_onnx(
    source: ModelSource, dtype: str, feeds: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    import onnx

    from suites.evaluator import evaluate
    from suites.onnx_precision import set_precision

    model = onnx.load_model(source.onnx_path, format="protobuf")
    set_precision(model, dtype)
    values = evaluate(
        model, source.name, [spec.name for spec in source.outputs], feeds, exact=dtype == "float64"
    )
    return {"description": f"onnx {onnx.__version__} reference evaluator {dtype}"}, _named(
        source, values, dtype
    )


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

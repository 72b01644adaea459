"""Who answers as reference on labelled data: jobs that keep the model between the batches of one worker.

PyTorch in float32, because that is what a quantised or faster engine stands in for. A model that exists only as ONNX
is answered for by the ONNX reference evaluator in float64 where that is quick enough (`suites.reference`), else by
ONNX Runtime without its optimisations.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from backends.contract import Array, ModelSource
from suites.engine_reference import open_plain, run_plain
from suites.errors import ModelError
from suites.reference import inputs_of

Answer = tuple[dict[str, Any], dict[str, Array]]


def by_torch(arguments: dict[str, Any], arrays: dict[str, Array]) -> Answer:
    """Job: outputs by name, float32, of the torch module of `arguments["source"]`; "threads" is torch's number.

    Answers {"description": e.g. "torch 2.13.0 float32"}. Raises ModelError for a missing input.
    """
    import torch

    source = ModelSource.from_json(arguments["source"])
    torch.set_num_threads(int(arguments["threads"]))
    # As the yardstick is computed: a user's environment must not turn it into tf32 or bf16.
    torch.set_float32_matmul_precision("highest")
    given = inputs_of(source, arrays)
    module = _module(str(source.torch_factory), source.weights_path)
    with torch.inference_mode():
        answer = module(*(torch.from_numpy(array) for array in given.values()))
    values = answer if isinstance(answer, tuple | list) else (answer,)
    outputs = {spec.name: value.numpy() for spec, value in zip(source.outputs, values, strict=True)}
    return {"description": f"torch {torch.__version__.partition('+')[0]} float32"}, outputs


def by_onnxruntime(arguments: dict[str, Any], arrays: dict[str, Array]) -> Answer:
    """Job: outputs by name of the ONNX file of `arguments["source"]`, by ONNX Runtime without its optimisations.

    Raises ModelError for a model that is no ONNX file, or that it cannot run.
    """
    import onnxruntime as ort

    source = ModelSource.from_json(arguments["source"])
    if source.onnx_path is None:
        raise ModelError(f"the model {source.name!r} is no ONNX file", "ONNX Runtime needs one")
    path, threads = str(source.onnx_path), int(arguments["threads"])
    values = run_plain(source, lambda: _session(path, threads), inputs_of(source, arrays))
    outputs = {spec.name: value for spec, value in zip(source.outputs, values, strict=True)}
    return {"description": f"onnxruntime {ort.__version__} float32, not optimised"}, outputs


@lru_cache(maxsize=1)
def _module(factory: str, weights: Path | None) -> Any:
    module_name, _, attribute = factory.partition(":")
    return getattr(importlib.import_module(module_name), attribute)(weights)


_session = lru_cache(maxsize=1)(open_plain)

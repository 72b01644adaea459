"""The last resort: what ONNX Runtime computes in float32 without its optimisations, where nothing computes float64.

`engine_reference` is a job: it imports onnx and onnxruntime. What it says is worth less than the reference: an error
that ONNX Runtime's plain kernels make themselves stays hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backends.contract import Array, ModelSource
from suites.errors import ModelError
from suites.nudge import Nudge, moved_all, moved_model
from suites.reference import inputs_of

ENGINE = "ort"
"""The backend that this reference is of: it must not be called right by itself alone."""


def engine_reference(
    arguments: dict[str, Any], arrays: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: outputs of the ONNX file of `arguments["source"]` for one input set; arguments as `suites.reference`'s.

    "dtype" is not looked at: floats are computed as the model says, and given back in float64 ("float64" asked) or
    float32. Answers like `suites.reference.reference`, with the strength "engine". Raises ModelError where the model
    is no ONNX file or ONNX Runtime cannot run it.
    """
    import onnx
    import onnxruntime as ort

    from suites.model_traits import drop_seeds, own_precision

    source = ModelSource.from_json(arguments["source"])
    if source.onnx_path is None:
        raise ModelError(f"the model {source.name!r} is no ONNX file", "ONNX Runtime needs one")
    given = inputs_of(source, arrays)
    dtype, threads = str(arguments["dtype"]), int(arguments.get("threads", 1))
    model = onnx.load_model(source.onnx_path, format="protobuf")
    precision = own_precision(model)
    if arguments.get("run"):
        drop_seeds(model)

    def call(what: Any, feeds: dict[str, Array]) -> dict[str, Array]:
        # A file may be larger than the 2 GB that a model in memory can have.
        changed = what is not model or bool(arguments.get("run"))
        which = what.SerializeToString() if changed else str(source.onnx_path)
        values = run_plain(source, lambda: open_plain(which, threads), feeds)
        return {
            spec.name: value.astype(dtype) if value.dtype.kind == "f" else value
            for spec, value in zip(source.outputs, values, strict=True)
        }

    if not arguments.get("nudge"):
        outputs = call(model, given)
    else:
        nudge = Nudge.from_json(arguments["nudge"])
        outputs = {}
        for index, random in enumerate(nudge.generators()):
            neighbour = moved_model(model, random, nudge.size)
            found = call(neighbour, moved_all(given, random, nudge.size))
            outputs |= {f"{index}/{name}": value for name, value in found.items()}
    return {
        "description": f"onnxruntime {ort.__version__} float32, not optimised",
        "strength": "engine",
        "note": "",
        "precision": precision,
    }, outputs


def open_plain(what: bytes | str, threads: int) -> Any:
    """A session of ONNX Runtime on the CPU without its optimisations; `what` is a model or its path."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(what, options, providers=["CPUExecutionProvider"])


def run_plain(source: ModelSource, opened: Callable[[], Any], feeds: Mapping[str, Array]) -> list[Array]:
    """Outputs of the session that `opened` gives, in the order of `source`. Raises ModelError where it cannot run."""
    try:
        values = opened().run([spec.name for spec in source.outputs], dict(feeds))
    except Exception as error:
        # Its errors have no common base class.
        reason = str(error).strip().partition("\n")[0][:300]
        raise ModelError(
            f"ONNX Runtime cannot run {source.name!r}: {reason}", "export it with standard operators"
        ) from error
    return [np.asarray(value) for value in values]

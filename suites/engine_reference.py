"""The last resort: what ONNX Runtime computes in float32 without its optimisations, where nothing computes float64.

`engine_reference` is a job: it imports onnx and onnxruntime. What it says is worth less than the reference: an error
that ONNX Runtime's plain kernels make themselves stays hidden.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.contract import Array, ModelSource
from suites.errors import ModelError
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

    from suites.nudge import nudged, nudged_model
    from suites.random_operators import drop_seeds, is_quantised

    source = ModelSource.from_json(arguments["source"])
    if source.onnx_path is None:
        raise ModelError(f"the model {source.name!r} is no ONNX file", "ONNX Runtime needs one")
    given = inputs_of(source, arrays)
    model = onnx.load_model(source.onnx_path, format="protobuf")
    if arguments.get("run"):
        drop_seeds(model)
    if arguments.get("nudge"):
        nudged_model(model)
        given = nudged(given)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = int(arguments.get("threads", 1))
    options.log_severity_level = 3
    names = [spec.name for spec in source.outputs]
    changed = arguments.get("run") or arguments.get("nudge")
    # A file may be larger than the 2 GB that a model in memory can have.
    what = model.SerializeToString() if changed else str(source.onnx_path)
    try:
        session = ort.InferenceSession(what, options, providers=["CPUExecutionProvider"])
        values = session.run(names, given)
    except Exception as error:
        # Its errors have no common base class.
        reason = str(error).strip().partition("\n")[0][:300]
        raise ModelError(
            f"ONNX Runtime cannot run {source.name!r}: {reason}", "export it with standard operators"
        ) from error
    dtype = str(arguments["dtype"])
    outputs = {
        name: value.astype(dtype) if value.dtype.kind == "f" else value
        for name, value in zip(names, (np.asarray(value) for value in values), strict=True)
    }
    return {
        "description": f"onnxruntime {ort.__version__} float32, not optimised",
        "strength": "engine",
        "note": "",
        "quantised": is_quantised(model),
    }, outputs

"""ONNX files whose intermediate tensors are outputs: how an engine that builds from ONNX is made to show them.

`skeleton` and `mark` are jobs: the parent runs them in a worker process, because they import onnx and parse untrusted
bytes. The weights are written once, beside the files; each marked file is small.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backends.contract import Array
from suites.graph_tensors import described, used_names
from suites.onnx_file import DTYPES

SKELETON = "skeleton.onnx"
_WEIGHTS = "weights.bin"
_INLINE_BYTES = 1024


def skeleton(arguments: dict[str, Any], _arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: write the ONNX file `arguments["path"]` into "folder" with its weights in a file of their own.

    Answers {"path", "types": {tensor: {"dtype", "shape"} as far as they can be inferred}, "varying": tensors of nodes
    that depend on the model's inputs, "nodes" and "outputs": see `suites.graph_tensors`}.
    """
    import onnx
    from onnx import external_data_helper, shape_inference

    folder = Path(str(arguments["folder"]))
    model = onnx.load_model(str(arguments["path"]), format="protobuf")
    external_data_helper.convert_model_to_external_data(
        model, all_tensors_to_one_file=True, location=_WEIGHTS, size_threshold=_INLINE_BYTES
    )
    path = folder / SKELETON
    onnx.save_model(model, str(path))
    light = onnx.load_model(str(path), format="protobuf", load_external_data=False)
    told = {**described(light.graph), "varying": _varying(light.graph)}
    # Where inference fails, what the file itself declares is left.
    with contextlib.suppress(shape_inference.InferenceError):
        light = shape_inference.infer_shapes(light, data_prop=True)
    return {"path": str(path), "types": dict(_types(light.graph)), **told}, {}


def mark(arguments: dict[str, Any], _arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: make the tensors `arguments["tensors"]` outputs of the skeleton "path"; the file is written to "to".

    "to" must lie in the skeleton's folder. "types" gives the dtype and shape of each ({"dtype", "shape"}, see
    `TensorSpec`). Outputs that are there stay, and stay first.
    """
    import numpy as np
    import onnx
    from onnx import helper

    model = onnx.load_model(str(arguments["path"]), format="protobuf", load_external_data=False)
    there = {value.name for value in model.graph.output}
    for name in arguments["tensors"]:
        if name not in there:
            told = arguments["types"][name]
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(told["dtype"]))
            model.graph.output.append(helper.make_tensor_value_info(name, kind, told["shape"]))
    path = Path(str(arguments["to"]))
    path.write_bytes(model.SerializeToString())
    return {"path": str(path)}, {}


def _varying(graph: Any) -> list[str]:
    constants = {tensor.name for tensor in graph.initializer}
    found = {value.name for value in graph.input} - constants
    inputs = set(found)
    for node in graph.node:
        if any(name in found for name in used_names(node)):
            found.update(name for name in node.output if name)
    return sorted(found - inputs)


def _types(graph: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from onnx import TensorProto

    for value in (*graph.value_info, *graph.input, *graph.output):
        if value.type.WhichOneof("value") != "tensor_type":
            continue
        tensor = value.type.tensor_type
        dtype = DTYPES.get(TensorProto.DataType.Name(tensor.elem_type))
        if dtype is None or not tensor.HasField("shape"):
            continue
        shape = [
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or f"{value.name}_dim{axis}"
            for axis, dim in enumerate(tensor.shape.dim)
        ]
        yield value.name, {"dtype": dtype, "shape": shape}

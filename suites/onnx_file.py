"""What an ONNX file declares: signature, hash, operators; and clear words for a file that cannot be used.

`inspect` is a job: the parent runs it in a worker process, because it imports onnx and parses untrusted bytes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from backends.contract import Array, TensorSpec
from backends.onnx_walk import constants, initialisers, label, nodes
from suites.cache import file_sha256
from suites.errors import ModelError

LARGEST_MESSAGE = 2**31 - 1
"""Protobuf's limit for one message, bytes: a larger ONNX file keeps its weights in external data."""

DTYPES = {
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "FLOAT16": "float16",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "BOOL": "bool",
}


def inspect(arguments: dict[str, Any], _arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: read the ONNX file `arguments["path"]`.

    Answers {"inputs", "outputs": [{"name", "dtype", "shape"}], "sha256", "bytes", "opset": {domain: version},
    "producer", "parameters", "operators": {type: count}, "external_data": [{"location", "bytes"}]}. "sha256" and
    "bytes" cover the external data too; "parameters" counts the elements of floating-point and 8-bit constants.
    Raises ModelError for a file that is missing, empty, cut short or not ONNX, that the ONNX checker refuses, whose
    external data is missing, or that takes or gives anything but plain tensors.
    """
    path = Path(str(arguments["path"]))
    model = read(path)
    external = _external_data(model, path)
    initialised = {tensor.name for tensor in initialisers(model.graph)}
    inputs = [_spec(value, "input") for value in model.graph.input if value.name not in initialised]
    inferred = _complete(model)
    outputs = [_spec(value, "output") for value in inferred.graph.output]
    # The checker refuses open outputs, which engines take; it finds external data by the file's path only.
    _check(path if inferred is model or external else inferred, path)
    return {
        "inputs": [spec.to_json() for spec in inputs],
        "outputs": [spec.to_json() for spec in outputs],
        "sha256": _sha256(path, external),
        "bytes": path.stat().st_size + sum(file.stat().st_size for file in external.values()),
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "parameters": _parameters(model),
        "operators": dict(sorted(Counter(label(node) for node in nodes(model)).items())),
        "external_data": [
            {"location": name, "bytes": file.stat().st_size} for name, file in external.items()
        ],
    }, {}


def read(path: Path) -> Any:
    """The `onnx.ModelProto` in `path`, external data not loaded. Raises ModelError for what is no ONNX file."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if not path.exists():
        raise ModelError(
            f"there is no model file {path}", "give the path of an ONNX file or a built-in model"
        )
    if path.is_dir():
        raise ModelError(f"the model {path} is a folder", "give the path of the .onnx file in it")
    size = path.stat().st_size
    if size == 0:
        raise ModelError(f"the model file {path} is empty", "export or download it again")
    if size > LARGEST_MESSAGE:
        raise ModelError(
            f"the model file {path} has {size} bytes; one ONNX file holds at most {LARGEST_MESSAGE}",
            "save it with external data",
        )
    not_onnx = ModelError(
        f"{path} is not an ONNX file, or it was cut short ({size} bytes)",
        "check that the download or export is complete; expected a binary ONNX model",
    )
    try:
        model = onnx.load_model(path, format="protobuf", load_external_data=False)
    except DecodeError as error:
        raise not_onnx from error
    except PermissionError as error:
        raise ModelError(
            f"cannot read the model file {path}: {error.strerror}", "make it readable"
        ) from error
    # Protobuf takes many byte strings for a message: only the fields that every model has tell.
    if not model.ir_version or not model.HasField("graph"):
        raise not_onnx
    if not model.graph.output:
        raise ModelError(f"the graph in {path} has no outputs", "expected a model with at least one output")
    return model


def _check(model: Any, path: Path) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"the ONNX checker refuses {path}: {lines[0] if lines else 'no reason given'}",
            "export the model again with a current exporter",
        ) from error


def _spec(value: Any, role: str) -> TensorSpec:
    import onnx

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        shown = (kind or "no").removesuffix("_type").replace("_", " ")
        raise ModelError(
            f"{role} {value.name!r} has {shown} type; only plain tensors can be measured",
            f"export the model with tensors as {role}s",
        )
    tensor = value.type.tensor_type
    dtype_name = onnx.TensorProto.DataType.Name(tensor.elem_type)
    if dtype_name not in DTYPES:
        raise ModelError(
            f"{role} {value.name!r} is of type {dtype_name.lower()}, which is not supported",
            f"supported: {', '.join(DTYPES.values())}",
        )
    if not tensor.HasField("shape"):
        raise ModelError(
            f"{role} {value.name!r} declares no shape, not even a number of dimensions",
            "export the model with shapes; dimensions may be dynamic",
        )
    shape = tuple(_dimension(dim, value.name, axis) for axis, dim in enumerate(tensor.shape.dim))
    return TensorSpec(value.name, DTYPES[dtype_name], shape)


def _dimension(dim: Any, tensor: str, axis: int) -> int | str:
    # Some exporters write -1 for a dynamic dimension.
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return int(dim.dim_value)
    return str(dim.dim_param) or f"{tensor}_dim{axis}"


def _complete(model: Any) -> Any:
    """`model`, or a copy with inferred types where its outputs leave theirs open."""
    from onnx import shape_inference

    if all(_is_complete(value) for value in model.graph.output):
        return model
    return shape_inference.infer_shapes(model, data_prop=True)


def _is_complete(value: Any) -> bool:
    if value.type.WhichOneof("value") != "tensor_type":
        return True
    tensor = value.type.tensor_type
    return bool(tensor.elem_type) and bool(tensor.HasField("shape"))


def _sha256(path: Path, external: dict[str, Path]) -> str:
    own = file_sha256(path)
    if not external:
        return own
    lines = [own, *(f"{name} {file_sha256(file)}" for name, file in sorted(external.items()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _external_data(model: Any, path: Path) -> dict[str, Path]:
    """Location -> file. Raises ModelError where one is missing or lies outside the model's folder."""
    import onnx

    found: dict[str, Path] = {}
    folder = path.parent.resolve()
    for tensor in constants(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = (folder / location).resolve()
        if not location or not file.is_relative_to(folder):
            raise ModelError(
                f"{path} keeps the tensor {tensor.name!r} in {location!r}, which is outside the model's folder",
                "save the model again with its external data beside it",
            )
        if not file.is_file():
            raise ModelError(
                f"{path} needs the external data file {location!r}, which is not in {folder}",
                "copy that file beside the model",
            )
        found[location] = file
    return found


def _parameters(model: Any) -> int:
    import math

    import onnx

    kinds = onnx.TensorProto
    counted = {kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BFLOAT16, kinds.INT8, kinds.UINT8}
    return sum(math.prod(tensor.dims) for tensor in constants(model) if tensor.data_type in counted)

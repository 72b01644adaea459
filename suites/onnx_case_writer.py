"""Writes conformance cases into the files of an export, and what its index says of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from backends.contract import TensorSpec

_RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


@dataclass
class Case:
    """One case as onnx has it; values are arrays, `TensorProto`s, or what is not carried."""

    name: str
    kind: str
    model: Any
    data_sets: list[tuple[list[Any], list[Any]]]
    rtol: float
    atol: float
    operator: str = ""


class CaseWriter:
    """Appends cases to the two big files, and tells what the index says of each."""

    def __init__(self, models: BinaryIO, tensors: BinaryIO) -> None:
        self._models = models
        self._tensors = tensors

    def write(self, case: Case) -> dict[str, Any]:
        """Append one case. A case that cannot be carried is in the index with its reason, and nowhere else."""
        model = case.model
        inputs, outputs = inputs_of(model), list(model.graph.output)
        entry: dict[str, Any] = {
            "name": case.name,
            "kind": case.kind,
            "operator": case.operator,
            "operators": sorted({operator_of(node) for node in model.graph.node}),
            "opset": _opset(model, case.operator),
            "domains": {each.domain or "ai.onnx": each.version for each in model.opset_import},
            "random": _is_random(model, case),
            "rtol": case.rtol,
            "atol": case.atol,
            "reason": _reason(inputs, outputs),
            "dtypes": _dtypes([*inputs, *outputs]),
        }
        digest = hashlib.sha256(model.SerializeToString(deterministic=True))
        digest.update(f"{case.rtol} {case.atol}".encode())
        if not entry["reason"]:
            entry["model"] = self._append(self._models, model.SerializeToString(deterministic=True))
            entry["inputs"] = [_spec(value).to_json() for value in inputs]
            entry["outputs"] = [_spec(value).to_json() for value in outputs]
            entry["data_sets"] = [
                {
                    "inputs": self._arrays(given, inputs, digest),
                    "outputs": self._arrays(expected, outputs, digest),
                }
                for given, expected in case.data_sets
            ]
        entry["sha256"] = digest.hexdigest()
        return entry

    def _arrays(self, values: list[Any], declared: list[Any], digest: Any) -> list[dict[str, Any]]:
        written = []
        for value, info in zip(values, declared, strict=True):
            array = np.asarray(array_of(value))
            digest.update(f"{info.name} {array.dtype.name} {array.shape}".encode())
            digest.update(array.tobytes())
            place = self._append(self._tensors, array.tobytes())
            written.append(
                {"name": info.name, "dtype": array.dtype.name, "shape": list(array.shape), **place}
            )
        return written

    def _append(self, file: BinaryIO, data: bytes) -> dict[str, int]:
        # Aligned, so that a mapped tensor can be used where it is.
        file.write(bytes(-file.tell() % 64))
        offset = file.tell()
        file.write(data)
        return {"offset": offset, "bytes": len(data)}


def array_of(value: Any) -> Any:
    """A value as an array, where it is a tensor."""
    import onnx

    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _opset(model: Any, operator: str) -> int:
    """The version of the operator's set that the model asks for; of ONNX's own set for a whole model."""
    domain = operator.partition(":")[0] if ":" in operator else ""
    versions = {("" if e.domain == "ai.onnx" else e.domain): e.version for e in model.opset_import}
    return int(versions.get(domain, next(iter(versions.values()))))


def _is_random(model: Any, case: Case) -> bool:
    """Whether the specification leaves the values open: a random operator, or a dropout told to train."""
    operators = {node.op_type for node in model.graph.node}
    if operators & _RANDOM:
        return True
    return "Dropout" in operators and "training" in case.name and "zero_ratio" not in case.name


def _reason(inputs: list[Any], outputs: list[Any]) -> str:
    """Why our contract cannot carry a case; empty when it can."""
    import onnx

    for role, values in (("input", inputs), ("output", outputs)):
        for value in values:
            kind = value.type.WhichOneof("value")
            if kind != "tensor_type":
                return f"its {role}s are not all tensors: {kind.removesuffix('_type')}"
            if value.type.tensor_type.elem_type == onnx.TensorProto.STRING:
                return f"its {role}s are not all numbers: string"
    return ""


def _dtypes(values: list[Any]) -> list[str]:
    return sorted(
        {
            _dtype(value)
            for value in values
            if value.type.WhichOneof("value") == "tensor_type" and value.type.tensor_type.elem_type
        }
    )


def _dtype(value: Any) -> str:
    import onnx

    if value.type.tensor_type.elem_type == onnx.TensorProto.STRING:
        return "string"
    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)).name)


def _spec(value: Any) -> TensorSpec:
    dims = value.type.tensor_type.shape.dim
    shape = tuple(
        int(dim.dim_value) if dim.HasField("dim_value") else (dim.dim_param or f"{value.name}_dim{axis}")
        for axis, dim in enumerate(dims)
    )
    return TensorSpec(value.name, _dtype(value), shape)


def inputs_of(model: Any) -> list[Any]:
    """The graph's inputs that are no constants."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def operator_of(node: Any) -> str:
    """A node's operator, with its domain where that is not ONNX's own."""
    return str(node.op_type) if node.domain in ("", "ai.onnx") else f"{node.domain}:{node.op_type}"

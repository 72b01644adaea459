"""The ONNX project's own backend test cases, exported once into the cache.

They come with the `onnx` package: cases of one operator, simple models, models that PyTorch exported, and "light"
models (whole networks whose weights are constants). An export is three files: `index.json` (a list of cases),
`models.bin` (ONNX files end to end) and `tensors.bin` (inputs and expected outputs end to end, each C-contiguous;
types below a byte take one byte an element). The index says where in them each case lies.

`export` is a job: the parent runs it in a worker, because it imports onnx.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backends.contract import Array, TensorSpec
from suites import cache
from suites.errors import ModelError

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "light")
INDEX, MODELS, TENSORS = "index.json", "models.bin", "tensors.bin"
LAYOUT = 1
"""Raised when the files change their meaning, so that older exports are made again."""

_RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


def export_key(onnx_version: str) -> str:
    """The cache's key of the export made from this version of onnx."""
    return cache.entry_key(kind="onnx cases", onnx=onnx_version, layout=LAYOUT)


def find_export(onnx_version: str) -> cache.CacheEntry | None:
    """The export from this version of onnx, where it was made before."""
    return cache.find(export_key(onnx_version))


def export(_arguments: dict[str, Any], _arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: export all cases; answers {"folder", "onnx": version, "cases": how many}. Raises ModelError."""
    try:
        import onnx
        from onnx.backend.test import loader  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"the cases come with the package onnx, which cannot be used here: {error}",
            "pip install onnx",
        ) from error
    entry = find_export(onnx.__version__)
    if entry is None:
        entry = cache.store(export_key(onnx.__version__), _fill)
    return {"folder": str(entry.folder), "onnx": onnx.__version__, "cases": entry.meta["cases"]}, {}


def _fill(folder: Path) -> dict[str, Any]:
    import onnx

    index = []
    with (folder / MODELS).open("wb") as models, (folder / TENSORS).open("wb") as tensors:
        writer = _Writer(models, tensors)
        for case in _cases():
            index.append(writer.write(case))
    index.sort(key=lambda entry: (KINDS.index(entry["kind"]), entry["name"]))
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return {"cases": len(index), "onnx": onnx.__version__}


@dataclass
class _Case:
    name: str
    kind: str
    model: Any
    data_sets: list[tuple[list[Any], list[Any]]]
    rtol: float
    atol: float
    operator: str = ""
    problem: str = field(default="")


def _cases() -> Iterator[_Case]:
    from onnx.backend.test.case import node as node_cases
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        # Cases overflow and divide by zero on purpose.
        warnings.simplefilter("ignore")
        nodes = load_model_tests(kind="node")
    about = node_cases._existing_names
    for case in nodes:
        # A case "X_expanded..." is case X with its operator written out as the function that defines it.
        node = about.get(case.name) or about.get(case.name.partition("_expanded")[0])
        operator = "" if node is None else _operator(node)
        sets = [(list(inputs), list(outputs)) for inputs, outputs in case.data_sets or ()]
        yield _Case(case.name, "node", case.model, sets, case.rtol, case.atol, operator)
    for kind in KINDS[1:-1]:
        for case in load_model_tests(kind=kind):
            yield _from_folder(case, kind)
    for case in load_model_tests(kind="real"):
        yield _light(case)


def _from_folder(case: Any, kind: str) -> _Case:
    import onnx

    folder = Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    inputs, outputs = _inputs(model), list(model.graph.output)
    sets = []
    for data in sorted(folder.glob("test_data_set*")):
        given = _read_all(data, "input", [value.type for value in inputs])
        expected = _read_all(data, "output", [value.type for value in outputs])
        sets.append((given, expected))
    return _Case(case.name, kind, model, sets, case.rtol, case.atol, _only_operator(model))


def _light(case: Any) -> _Case:
    """A whole network; its input is the ramp that onnx's own runner makes, its output comes with onnx."""
    import onnx

    # The package's root: the cases name their files relative to what it lies in.
    path = Path(onnx.__file__).parent.parent / case.url
    model = onnx.load(path)
    given: list[Any] = []
    for value in _inputs(model):
        shape = tuple(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim)
        size = int(np.prod(shape))
        given.append((np.arange(size).reshape(shape) / size).astype(np.float32))
    expected = [
        _read(path.with_name(f"{path.stem}_output_{index}.pb"), value.type)
        for index, value in enumerate(model.graph.output)
    ]
    return _Case(case.name, "light", model, [(given, expected)], case.rtol, case.atol, "")


def _read_all(folder: Path, role: str, types: list[Any]) -> list[Any]:
    return [
        _read(folder / f"{role}_{index}.pb", kind)
        for index, kind in enumerate(types)
        if (folder / f"{role}_{index}.pb").exists()
    ]


def _read(path: Path, kind: Any) -> Any:
    """One tensor as an array; anything else as the kind of thing it is (a str), which is not carried."""
    import onnx

    if kind.WhichOneof("value") != "tensor_type":
        return _Uncarried(kind.WhichOneof("value").removesuffix("_type"))
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return onnx.numpy_helper.to_array(tensor)


class _Uncarried(str):
    """The kind of a value that is no tensor."""


def _inputs(model: Any) -> list[Any]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def _operator(node: Any) -> str:
    return str(node.op_type) if node.domain in ("", "ai.onnx") else f"{node.domain}:{node.op_type}"


def _only_operator(model: Any) -> str:
    """The operator of a model that has only one beside constants; empty for others."""
    operators = {_operator(node) for node in model.graph.node} - {"Constant"}
    return operators.pop() if len(operators) == 1 else ""


class _Writer:
    """Appends cases to the two big files, and tells what the index says of each."""

    def __init__(self, models: BinaryIO, tensors: BinaryIO) -> None:
        self._models = models
        self._tensors = tensors

    def write(self, case: _Case) -> dict[str, Any]:
        """Append one case. A case that cannot be carried is in the index with its reason, and nowhere else."""
        model = case.model
        inputs, outputs = _inputs(model), list(model.graph.output)
        entry: dict[str, Any] = {
            "name": case.name,
            "kind": case.kind,
            "operator": case.operator,
            "operators": sorted({_operator(node) for node in model.graph.node}),
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
            array = np.asarray(_array(value))
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


def _array(value: Any) -> Any:
    import onnx

    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _opset(model: Any, operator: str) -> int:
    """The version of the operator's set that the model asks for; of ONNX's own set for a whole model."""
    domain = operator.partition(":")[0] if ":" in operator else ""
    versions = {("" if e.domain == "ai.onnx" else e.domain): e.version for e in model.opset_import}
    return int(versions.get(domain, next(iter(versions.values()))))


def _is_random(model: Any, case: _Case) -> bool:
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

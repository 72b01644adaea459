"""The ONNX project's own backend test cases, exported once into the cache.

They come with the `onnx` package: cases of one operator, simple models, models that PyTorch exported, and "light"
models (whole networks whose weights are constants). An export is three files: `index.json` (a list of cases),
`models.bin` (ONNX files end to end) and `tensors.bin` (inputs and expected outputs end to end, each C-contiguous;
types below a byte take one byte an element). The index says where in them each case lies.

`export` is a job: the parent runs it in a worker, because it imports onnx.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from suites import cache
from suites.errors import ModelError
from suites.onnx_case_writer import Case, CaseWriter, inputs_of, operator_of

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "light")
INDEX, MODELS, TENSORS = "index.json", "models.bin", "tensors.bin"
LAYOUT = 1
"""Raised when the files change their meaning, so that older exports are made again."""


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
        writer = CaseWriter(models, tensors)
        for case in _cases():
            index.append(writer.write(case))
    index.sort(key=lambda entry: (KINDS.index(entry["kind"]), entry["name"]))
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return {"cases": len(index), "onnx": onnx.__version__}


def _cases() -> Iterator[Case]:
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
        operator = "" if node is None else operator_of(node)
        sets = [(list(inputs), list(outputs)) for inputs, outputs in case.data_sets or ()]
        yield Case(case.name, "node", case.model, sets, case.rtol, case.atol, operator)
    for kind in KINDS[1:-1]:
        for case in load_model_tests(kind=kind):
            yield _from_folder(case, kind)
    for case in load_model_tests(kind="real"):
        yield _light(case)


def _from_folder(case: Any, kind: str) -> Case:
    import onnx

    folder = Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    inputs, outputs = inputs_of(model), list(model.graph.output)
    sets = []
    for data in sorted(folder.glob("test_data_set*")):
        given = _read_all(data, "input", [value.type for value in inputs])
        expected = _read_all(data, "output", [value.type for value in outputs])
        sets.append((given, expected))
    return Case(case.name, kind, model, sets, case.rtol, case.atol, _only_operator(model))


def _light(case: Any) -> Case:
    """A whole network; its input is the ramp that onnx's own runner makes, its output comes with onnx."""
    import onnx

    # The package's root: the cases name their files relative to what it lies in.
    path = Path(onnx.__file__).parent.parent / case.url
    model = onnx.load(path)
    given: list[Any] = []
    for value in inputs_of(model):
        shape = tuple(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim)
        size = int(np.prod(shape))
        given.append((np.arange(size).reshape(shape) / size).astype(np.float32))
    expected = [
        _read(path.with_name(f"{path.stem}_output_{index}.pb"), value.type)
        for index, value in enumerate(model.graph.output)
    ]
    return Case(case.name, "light", model, [(given, expected)], case.rtol, case.atol, "")


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


def _only_operator(model: Any) -> str:
    """The operator of a model that has only one beside constants; empty for others."""
    operators = {operator_of(node) for node in model.graph.node} - {"Constant"}
    return operators.pop() if len(operators) == 1 else ""

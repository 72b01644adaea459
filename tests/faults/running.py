"""References and engines in this process, so that a hundred faults take seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from backends.base import Backend, Session
from backends.catalogue import load_adapter
from backends.contract import Array, ModelSource, TensorSpec, Variant
from backends.digest import sha256_of
from harness.run.observer import Silent
from harness.run.references import References, make_references
from suites.evaluator import evaluate
from suites.inputs import make_inputs
from suites.marked import mark, skeleton
from suites.onnx_file import inspect
from suites.onnx_precision import set_precision
from tests.faults.battery import healthy
from tests.faults.models import BATCH, RANGES

SETS = ("normal:0", "uniform:0", "sparse:0", "extremes:0", "extremes:1", "zeros", "ones")


@cache
def feeds(model: str, input_set: str) -> Mapping[str, Array]:
    """An input set of a healthy model."""
    specs = [spec_of(value) for value in healthy(model).graph.input]
    return make_inputs(specs, input_set, BATCH, {}, RANGES)


def spec_of(value: Any) -> TensorSpec:
    kind = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
    return TensorSpec(value.name, dtype.name, tuple(dim.dim_param or dim.dim_value for dim in kind.shape.dim))


def values(
    model: Any, tensors: Sequence[str], inputs: Mapping[str, Array], dtype: str = ""
) -> dict[str, Array]:
    """Tensors of an ONNX model by the reference evaluator, all arithmetic in `dtype`; "": as the model says."""
    copy, given = model, dict(inputs)
    if dtype:
        copy = onnx.ModelProto.FromString(model.SerializeToString())
        set_precision(copy, dtype)
        given = {name: v.astype(dtype) if v.dtype.kind == "f" else v for name, v in inputs.items()}
    found = evaluate(copy, "planted", tensors, given, exact=dtype == "float64")
    return dict(zip(tensors, found, strict=True))


def tensors_of(model: Any) -> list[str]:
    return [name for node in model.graph.node for name in node.output if name]


@cache
def references(model: str) -> References:
    """What the harness itself takes for right, for a healthy model on the input sets on which faults show."""
    sets = {name: feeds(model, name) for name in ("normal:0", "zeros")}
    with TemporaryDirectory() as folder:
        return references_of(source_of(healthy(model), Path(folder), model), sets, ("fp32",))


def references_of(
    source: ModelSource, sets: Mapping[str, Mapping[str, Array]], precisions: Sequence[str]
) -> References:
    """References as every command makes them, in a worker."""
    hashes = {name: sha256_of(arrays) for name, arrays in sets.items()}
    return make_references(source, sets, hashes, 1, Silent(), precisions)


@cache
def reference(model: str, input_set: str) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """All tensors of a healthy model in float64, and in float32: what is right, and the yardstick."""
    proto, inputs = healthy(model), feeds(model, input_set)
    names = tensors_of(proto)
    return values(proto, names, inputs, "float64"), values(proto, names, inputs, "float32")


def outputs_of(model: Any) -> list[str]:
    return [value.name for value in model.graph.output]


def source_of(model: Any, folder: Path, name: str) -> ModelSource:
    """The model as an ONNX file in `folder`."""
    path = folder / f"{name}.onnx"
    onnx.save_model(model, path)
    return described(path, name)


def described(path: Path, name: str) -> ModelSource:
    """An ONNX file as the harness describes it."""
    told, _ = inspect({"path": str(path)}, {})
    inputs, outputs = (
        tuple(TensorSpec.from_json(spec) for spec in told[side]) for side in ("inputs", "outputs")
    )
    return ModelSource(name, told["sha256"], inputs, outputs, onnx_path=path)


@cache
def engine(name: str) -> Backend:
    return load_adapter(name)


def open_session(name: str, source: ModelSource, folder: Path, precision: str = "fp32") -> Session:
    variant = Variant(precision=precision, batch=BATCH, threads=1)
    build = folder / f"{source.name}.{name}.{precision}"
    build.mkdir()
    backend = engine(name)
    return backend.load(source, backend.build(source, variant, build), variant)


def run(session: Session, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """One inference as the worker makes it."""
    session.prepare(dict(inputs))
    session.upload()
    session.infer()
    session.synchronize()
    return session.download()


def distance(actual: Array, right: Array, yardstick: Array) -> float:
    """Error in yardsticks (root mean square), by other code than the judge's.

    Infinity for another shape, for NaN and for wrong integers.
    """
    if actual.shape != right.shape or not np.isfinite(actual.astype(np.float64)).all():
        return float("inf")
    if right.dtype.kind in "biu":
        return 0.0 if np.array_equal(actual, right) else float("inf")
    wide = right.astype(np.float64)
    size = float(np.linalg.norm(wide)) or 1.0
    unit = max(float(np.linalg.norm(yardstick - wide)), 2.0**-24 * size)
    return float(np.linalg.norm(actual.astype(np.float64) - wide)) / unit


def every_tensor(name: str, model: Any, inputs: Mapping[str, Array], folder: Path) -> dict[str, Array]:
    """All tensors of an ONNX model as an engine computes them when it must hand out every one."""
    plain = folder / "plain.onnx"
    onnx.save_model(model, plain)
    made, _ = skeleton({"path": str(plain), "folder": str(folder)}, {})
    tensors = [tensor for tensor in tensors_of(model) if tensor in made["types"]]
    marked = folder / "marked.onnx"
    mark({"path": made["path"], "to": str(marked), "tensors": tensors, "types": made["types"]}, {})
    session = open_session(name, described(marked, "marked"), folder)
    try:
        return run(session, inputs)
    finally:
        session.close()

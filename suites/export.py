"""Export of built-in models to ONNX, once per machine and set of versions: the cache entry that all contenders share.

`export` is a job: the parent runs it in a worker process, because it imports torch. `find_export` needs no torch.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from backends.contract import Array
from backends.torch_quiet import quiet_export
from suites import cache
from suites.catalogue import BuiltinModel, builtin
from suites.errors import ModelError

OPSET = 18
"""The opset that torch's exporter writes natively, so that no converter runs over the graph."""
FORMAT = 1
"""Raised when this module writes other files from the same model and versions."""
ONNX_FILE = "model.onnx"
WEIGHTS_FILE = "weights.npz"


def export(arguments: dict[str, Any], _arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: the cache entry of the built-in model `arguments["name"]`, made where absent.

    Answers {"onnx": path, "weights": path, "sha256": of the ONNX file, "weights_sha256", "key", "created": bool}.
    Raises ModelError for an unknown name, when torch, onnx or onnxscript is missing, and when the cache cannot be
    written.
    """
    model = builtin(str(arguments["name"]))
    key = _key(model)
    if key is None:
        raise ModelError(
            f"building {model.name!r} needs torch, onnx and onnxscript",
            "pip install 'inference-harness[torch]'",
        )
    entry = cache.find(key)
    created = entry is None
    if entry is None:
        entry = cache.store(key, lambda folder: _fill(model, folder))
    return _answer(entry, created=created), {}


def find_export(name: str) -> dict[str, Any] | None:
    """What `export` would answer, where the entry is there already; else None. Imports no engine.

    Without torch, onnx or onnxscript here, the newest entry of the same model serves, whichever versions made it.
    Raises ModelError for an unknown name.
    """
    model = builtin(name)
    key = _key(model)
    if key is not None:
        entry = cache.find(key)
        return None if entry is None else _answer(entry, created=False)
    for candidate in cache.entries():
        if all(candidate.meta.get(fact) == value for fact, value in _identity(model).items()):
            entry = cache.find(candidate.key)
            if entry is not None:
                return _answer(entry, created=False)
    return None


def _identity(model: BuiltinModel) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": model.name,
        "revision": model.revision,
        "seed": model.seed,
        "opset": OPSET,
        "format": FORMAT,
    }
    # Shipped weights may be exchanged by hand: their bytes decide, whatever the revision says.
    return facts if model.weights is None else {**facts, "weights": cache.file_sha256(model.weights)}


def _key(model: BuiltinModel) -> str | None:
    versions = exporter_versions()
    return None if versions is None else cache.entry_key(**_identity(model), versions=versions)


def exporter_versions() -> dict[str, str] | None:
    """Versions of what decides the exported graph, or None where one of them is missing."""
    try:
        return {package: metadata.version(package) for package in ("torch", "onnx", "onnxscript")}
    except metadata.PackageNotFoundError:
        return None


def _answer(entry: cache.CacheEntry, *, created: bool) -> dict[str, Any]:
    return {
        "onnx": str(entry.folder / ONNX_FILE),
        "weights": str(entry.folder / WEIGHTS_FILE),
        "sha256": entry.meta["files"][ONNX_FILE]["sha256"],
        "weights_sha256": entry.meta["files"][WEIGHTS_FILE]["sha256"],
        "key": entry.key,
        "created": created,
    }


def _fill(model: BuiltinModel, folder: Path) -> Mapping[str, Any]:
    module_name, _, attribute = model.factory.partition(":")
    build = getattr(importlib.import_module(module_name), attribute)
    if model.weights is None:
        _seed_weights(build(None), model, folder / WEIGHTS_FILE)
    else:
        shutil.copyfile(model.weights, folder / WEIGHTS_FILE)
    # Exported from the weights as stored, so that the ONNX file and the torch contender hold the same numbers.
    write_onnx(build(folder / WEIGHTS_FILE), model, folder / ONNX_FILE)
    check_export(model, folder / ONNX_FILE)
    return {**_identity(model), "versions": exporter_versions()}


def _seed_weights(fresh: Any, model: BuiltinModel, path: Path) -> None:
    from suites.conditioning import condition
    from suites.weights import save_weights

    condition(fresh, model)
    save_weights(fresh, path)


def write_onnx(module: Any, model: BuiltinModel, path: Path) -> None:
    """Export `module` to `path`, with the names, dtypes and dynamic dimensions that `model` declares."""
    import onnx
    import torch

    # Batch 2 for the example: torch specialises dimensions of size 0 and 1.
    examples = [
        torch.zeros(spec.concrete(2, model.dims), dtype=getattr(torch, spec.dtype)) for spec in model.inputs
    ]
    names = {dim for spec in model.inputs for dim in spec.shape if isinstance(dim, str)}
    dims = {name: torch.export.Dim(name, max=model.limits.get(name)) for name in names}
    shapes = tuple(
        {axis: dims[dim] for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
        for spec in model.inputs
    )
    with quiet_export():
        program = torch.onnx.export(
            module,
            tuple(examples),
            input_names=[spec.name for spec in model.inputs],
            output_names=[spec.name for spec in model.outputs],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=shapes,
            external_data=False,
            verbose=False,
        )
    proto = program.model_proto
    # The exporter notes source lines with their paths: another folder would give another SHA-256.
    del proto.metadata_props[:], proto.graph.metadata_props[:]
    for item in (*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    proto.graph.doc_string = ""
    onnx.save_model(proto, path)


def check_export(model: BuiltinModel, path: Path) -> None:
    """Raise ModelError where the ONNX file at `path` has another signature than `model` declares."""
    from suites.onnx_file import inspect

    found, _ = inspect({"path": str(path)}, {})
    for kind, specs in (("inputs", model.inputs), ("outputs", model.outputs)):
        expected = [spec.to_json() for spec in specs]
        if found[kind] != expected:
            raise ModelError(
                f"the export of {model.name!r} has the {kind} {found[kind]}, the catalogue says {expected}",
                "this version of torch exports it otherwise; please report it with torch's version",
            )

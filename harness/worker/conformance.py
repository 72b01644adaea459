"""Runs conformance cases on one engine, one after the other, through its adapter.

A case that ends in an error is an answer: with the step it came from and, where that is the engine's way to say that
it lacks something, the engine's words. Comparing is the parent's work.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Backend
from backends.catalogue import load_adapter
from backends.contract import Array, ModelSource, TensorSpec, UncarriedError, Variant
from backends.dtypes import dtype_of
from harness.worker.plain import plain_text

_LONGEST = 2000
_backends: dict[str, Backend] = {}
_mapped: dict[str, Any] = {}


def run_case(arguments: dict[str, Any], _arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: build, load and run one case of an export of `suites.onnx_cases`.

    Takes {"backend", "variant": fields of `Variant`, "case": its entry in the index, "models", "tensors": the
    export's big files, "folder": for scratch}. Answers {"problem": None} with the outputs of every data set as arrays
    called "SET/INDEX", in the declared order, or {"problem": {"phase", "type", "message", "lacks", "uncarried"}}:
    "lacks" is what the engine says that it lacks, "uncarried" whether the adapter alone refused.
    """
    name = arguments["backend"]
    if name not in _backends:
        _backends[name] = load_adapter(name)
    steps = _Steps(_backends[name], Variant(**arguments["variant"]))
    with tempfile.TemporaryDirectory(dir=arguments["folder"]) as folder:
        try:
            outputs = steps.run(arguments, Path(folder))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is answered, not swallowed
            return {"problem": _problem(steps, error)}, {}
    return {"problem": None}, outputs


def describe(arguments: dict[str, Any], _arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: what "backend" with "flavour" builds from, and in which precisions."""
    can = load_adapter(arguments["backend"]).capabilities(arguments["flavour"])
    return {"sources": list(can.sources), "precisions": list(can.precisions)}, {}


class _Steps:
    """The steps of one case; `phase` is the one that it is in."""

    def __init__(self, backend: Backend, variant: Variant) -> None:
        self.backend = backend
        self.phase = "reading"
        self._variant = variant

    def run(self, arguments: Mapping[str, Any], folder: Path) -> dict[str, Array]:
        case = arguments["case"]
        path = folder / "model.onnx"
        path.write_bytes(_slice(arguments["models"], case["model"]).tobytes())
        inputs, outputs = (
            tuple(TensorSpec.from_json(entry) for entry in case[role]) for role in ("inputs", "outputs")
        )
        source = ModelSource(case["name"], case["sha256"], inputs, outputs, onnx_path=path)
        built = folder / "built"
        built.mkdir()
        self.phase = "build"
        artefact = self.backend.build(source, self._variant, built)
        self.phase = "load"
        session = self.backend.load(source, artefact, self._variant)
        try:
            found: dict[str, Array] = {}
            for number, data in enumerate(case["data_sets"]):
                self.phase = "prepare"
                session.prepare(
                    {entry["name"]: _array(arguments["tensors"], entry) for entry in data["inputs"]}
                )
                session.upload()
                self.phase = "infer"
                session.infer()
                session.synchronize()
                self.phase = "download"
                values = session.download()
                for index, spec in enumerate(outputs):
                    # An output that is not there is left out: the parent counts.
                    if spec.name in values:
                        found[f"{number}/{index}"] = np.asarray(values[spec.name])
            return found
        finally:
            session.close()


def _problem(steps: _Steps, error: BaseException) -> dict[str, Any]:
    return {
        "phase": steps.phase,
        "type": type(error).__name__,
        "message": plain_text(str(error) or type(error).__name__, _LONGEST),
        "lacks": plain_text(steps.backend.lacks(error), _LONGEST),
        "uncarried": isinstance(error, UncarriedError),
        "out_of_memory": isinstance(error, MemoryError),
    }


def _slice(path: str, place: Mapping[str, int]) -> Array:
    if path not in _mapped:
        _mapped[path] = np.memmap(path, dtype=np.uint8, mode="r")
    taken: Array = _mapped[path][place["offset"] : place["offset"] + place["bytes"]]
    return taken


def _array(path: str, entry: Mapping[str, Any]) -> Array:
    """A tensor of the export, as a copy of its own."""
    data = np.array(_slice(path, entry))
    return data.view(dtype_of(entry["dtype"])).reshape(tuple(entry["shape"]))

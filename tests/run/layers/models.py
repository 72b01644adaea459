"""The kit's models with planted faults, and plans to search them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from backends.conformance.models import MODELS
from backends.contract import Array, ModelSource
from harness.records import ContenderRef, ModelRef, Tensor, VariantRef
from harness.run.layers import LayerPlan
from harness.run.resolved import ResolvedModel

BATCH = 2


def resolved(source: ModelSource) -> ResolvedModel:
    """A source as the runner has it."""
    inputs, outputs = (
        tuple(Tensor(name=s.name, dtype=s.dtype, shape=s.shape) for s in specs)
        for specs in (source.inputs, source.outputs)
    )
    ref = ModelRef(name=source.name, source="onnx", sha256=source.sha256, inputs=inputs, outputs=outputs)
    return ResolvedModel(ref, source, {}, {})


def kit(kind: str, folder: Path) -> ResolvedModel:
    """A healthy model of the kit."""
    return resolved(MODELS[kind].source(folder))


def planted(healthy: ResolvedModel, folder: Path, edit: Callable[[Any], None]) -> ResolvedModel:
    """A copy of a model whose graph went through `edit`."""
    source = healthy.source
    proto = onnx.load(source.onnx_path)
    edit(proto.graph)
    path = folder / "faulty.onnx"
    onnx.save(proto, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return resolved(ModelSource("faulty", sha256, source.inputs, source.outputs, onnx_path=path))


def set_constant(name: str, change: Callable[[Array], Array]) -> Callable[[Any], None]:
    """An edit of one initializer."""

    def edit(graph: Any) -> None:
        tensor = next(tensor for tensor in graph.initializer if tensor.name == name)
        value = change(np.array(numpy_helper.to_array(tensor)))
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), name))

    return edit


def plan(
    kind: str,
    contender: str,
    model: ResolvedModel,
    reference: ResolvedModel | None = None,
    folder: Path | None = None,
    feeds: Mapping[str, Array] | None = None,
    **more: Any,
) -> LayerPlan:
    """A plan for `contender`, e.g. "openvino@bf16"."""
    backend, _, precision = contender.partition("@")
    return LayerPlan(
        model=model,
        reference=reference or model,
        contender=ContenderRef(text=contender, backend=backend, precision=precision or "fp32"),
        variant=VariantRef(batch=BATCH, dims=dict(MODELS[kind].dims)),
        feeds=feeds or MODELS[kind].feeds(0, BATCH),
        input_set="normal:0",
        folder=folder,
        **more,
    )

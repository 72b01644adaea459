"""The built-in models: what they are called, take and give. Needs neither torch nor onnx."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from backends.contract import ModelSource, TensorSpec
from suites.errors import ModelError


@dataclass(frozen=True)
class BuiltinModel:
    """A model that comes with the harness.

    `factory` is "package.module:callable" (see `ModelSource.torch_factory`). `seed` draws its weights; `revision`
    is raised whenever the same seed would give other weights. `macs` counts the multiply-accumulates of
    convolutions and linear layers in one inference at batch 1. `value_range` holds, for integer inputs, the
    half-open range of meaningful values.
    """

    name: str
    summary: str
    family: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    factory: str
    seed: int
    revision: int
    parameters: int
    macs: int
    value_range: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def source(self, exported: Mapping[str, Any]) -> ModelSource:
        """What an adapter builds from; `exported` is the answer of `suites.export`."""
        return ModelSource(
            name=self.name,
            sha256=str(exported["sha256"]),
            inputs=self.inputs,
            outputs=self.outputs,
            onnx_path=Path(exported["onnx"]),
            torch_factory=self.factory,
            weights_path=Path(exported["weights"]),
        )


_MODELS = (
    BuiltinModel(
        name="resnet50",
        summary="ResNet-50 v1.5, 224x224 images, 1000 classes, seeded weights",
        family="cnn",
        inputs=(TensorSpec("input", "float32", ("batch", 3, 224, 224)),),
        outputs=(TensorSpec("logits", "float32", ("batch", 1000)),),
        factory="suites.models.resnet50:build",
        seed=0,
        revision=1,
        parameters=25_557_032,
        macs=4_089_184_256,
    ),
    BuiltinModel(
        name="tiny-cnn",
        summary="a small residual network, 32x32 images, 10 classes, for trying things out",
        family="cnn",
        inputs=(TensorSpec("input", "float32", ("batch", 3, 32, 32)),),
        outputs=(TensorSpec("logits", "float32", ("batch", 10)),),
        factory="suites.models.tiny_cnn:build",
        seed=0,
        revision=1,
        parameters=79_962,
        macs=3_459_584,
    ),
)

BUILTINS: Mapping[str, BuiltinModel] = MappingProxyType({model.name: model for model in _MODELS})


def builtin(name: str) -> BuiltinModel:
    """The built-in model called `name`; raises ModelError, with the nearest name, when there is none."""
    if name in BUILTINS:
        return BUILTINS[name]
    near = difflib.get_close_matches(name.lower().replace("_", "-"), BUILTINS, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise ModelError(
        f"there is no built-in model {name!r}",
        f"{guess}Built-in models: {', '.join(BUILTINS)}; or give the path of an ONNX file",
    )

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
from suites.shipped import DIGITS_WEIGHTS


@dataclass(frozen=True)
class BuiltinModel:
    """A model that comes with the harness.

    `factory` is "package.module:callable" (see `ModelSource.torch_factory`). `seed` draws its weights; where they are
    trained, `weights` is the `.npz` state dict that is shipped. `revision` is raised whenever the weights change.
    `family` is "cnn", "encoder" or "detector". `macs`
    counts the multiply-accumulates of convolutions, linear layers and matrix products in one inference at batch 1
    and the sizes in `dims`. `value_range` holds, for integer inputs, the half-open range of meaningful values.
    `dims` has a size for each dynamic dimension but the batch, taken where the user gives none; `limits` the largest
    one. `pipeline` names what makes inputs of pictures or texts, and answers of outputs (`suites.pipelines`).
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
    dims: Mapping[str, int] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    pipeline: str = ""
    weights: Path | None = None

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


_TEXT = tuple(
    TensorSpec(name, "int64", ("batch", "sequence"))
    for name in ("input_ids", "attention_mask", "token_type_ids")
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
        pipeline="classify",
    ),
    BuiltinModel(
        name="mobilenetv2",
        summary="MobileNetV2 1.0, 224x224 images, 1000 classes, seeded weights",
        family="cnn",
        inputs=(TensorSpec("input", "float32", ("batch", 3, 224, 224)),),
        outputs=(TensorSpec("logits", "float32", ("batch", 1000)),),
        factory="suites.models.mobilenetv2:build",
        seed=0,
        revision=1,
        parameters=3_504_872,
        macs=300_774_272,
        pipeline="classify",
    ),
    BuiltinModel(
        name="bert-base",
        summary="BERT-base encoder, 30522 tokens, up to 512 of them, seeded weights",
        family="encoder",
        inputs=_TEXT,
        outputs=(TensorSpec("last_hidden_state", "float32", ("batch", "sequence", 768)),),
        factory="suites.models.bert_base:build",
        seed=0,
        revision=1,
        parameters=108_891_648,
        macs=11_173_625_856,
        value_range={"input_ids": (0, 30522), "attention_mask": (0, 2), "token_type_ids": (0, 2)},
        dims={"sequence": 128},
        limits={"sequence": 512},
        pipeline="embed",
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
        pipeline="classify",
    ),
    BuiltinModel(
        name="digits-cnn",
        summary="a small network that reads handwritten digits, 8x8 images, 10 classes, trained weights",
        family="cnn",
        inputs=(TensorSpec("input", "float32", ("batch", 1, 8, 8)),),
        outputs=(TensorSpec("logits", "float32", ("batch", 10)),),
        factory="suites.models.digits_cnn:build",
        seed=0,
        revision=1,
        parameters=25_978,
        macs=601_600,
        pipeline="digits",
        weights=DIGITS_WEIGHTS,
    ),
    BuiltinModel(
        name="tiny-encoder",
        summary="a small BERT, 2 layers, width 64, 2048 tokens, for trying things out",
        family="encoder",
        inputs=_TEXT,
        outputs=(TensorSpec("last_hidden_state", "float32", ("batch", "sequence", 64)),),
        factory="suites.models.tiny_encoder:build",
        seed=0,
        revision=1,
        parameters=239_488,
        macs=3_407_872,
        value_range={"input_ids": (0, 2048), "attention_mask": (0, 2), "token_type_ids": (0, 2)},
        dims={"sequence": 32},
        limits={"sequence": 128},
        pipeline="embed",
    ),
    BuiltinModel(
        name="tiny-detector",
        summary="a small detector without anchors, 320x320 images, 20 classes, for trying things out",
        family="detector",
        inputs=(TensorSpec("input", "float32", ("batch", 3, 320, 320)),),
        outputs=(TensorSpec("predictions", "float32", ("batch", 2100, 24)),),
        factory="suites.models.tiny_detector:build",
        seed=0,
        revision=1,
        parameters=252_696,
        macs=148_928_000,
        pipeline="detect",
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

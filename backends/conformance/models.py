"""The kit's models: one of every kind, each as ONNX and as a torch module with the same weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from backends.conformance import weights as kit_weights
from backends.contract import Array, ModelSource, TensorSpec


@dataclass(frozen=True)
class KitModel:
    """A tiny model. `dims` are the sizes of dynamic dimensions other than the batch."""

    name: str
    kind: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    dims: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def feeds(self, seed: int, batch: int) -> dict[str, Array]:
        """Seeded inputs: normal floats, tokens below 32, a mask whose first place is always on."""
        rng = np.random.default_rng([seed, batch])
        feeds: dict[str, Array] = {}
        for spec in self.inputs:
            shape = spec.concrete(batch, self.dims)
            if spec.dtype == "float32":
                value: Array = rng.standard_normal(shape).astype(np.float32)
            elif spec.dtype == "int64":
                value = rng.integers(0, 32, shape, dtype=np.int64)
            else:
                value = rng.random(shape) < 0.7
                value[..., 0] = True
            feeds[spec.name] = value
        if self.name == "branch":
            # Even seeds take one arm of the If, odd seeds the other: a margin that rounding cannot cross.
            sign = 1.0 if seed % 2 == 0 else -1.0
            feeds["x"] = np.abs(feeds["x"]) * np.float32(sign)
        return feeds

    def source(self, folder: Path) -> ModelSource:
        """Write the ONNX file and the weights into `folder` and describe both."""
        import onnx

        from backends.conformance import onnx_models

        weights: dict[str, Array] = getattr(kit_weights, self.name)()
        make: Callable[[dict[str, Array]], onnx_models.Graph] = getattr(onnx_models, self.name)
        proto = onnx_models.model(make(weights), self.name, self.inputs, self.outputs)
        onnx_path = folder / f"{self.name}.onnx"
        onnx.save(proto, str(onnx_path))
        weights_path = folder / f"{self.name}.npz"
        np.savez(weights_path, **weights)  # type: ignore[arg-type]
        return ModelSource(
            name=self.name,
            sha256=hashlib.sha256(onnx_path.read_bytes()).hexdigest(),
            inputs=self.inputs,
            outputs=self.outputs,
            onnx_path=onnx_path,
            torch_factory=f"backends.conformance.torch_models:{self.name}",
            weights_path=weights_path,
        )


MODELS: Mapping[str, KitModel] = MappingProxyType(
    {
        made.name: made
        for made in (
            KitModel(
                "cnn",
                "convolutional network",
                (TensorSpec("image", "float32", ("batch", 3, 16, 16)),),
                (TensorSpec("logits", "float32", ("batch", 10)),),
            ),
            KitModel(
                "mlp",
                "several inputs and outputs",
                (TensorSpec("right", "float32", ("batch", 8)), TensorSpec("left", "float32", ("batch", 16))),
                (TensorSpec("zeta", "float32", ("batch", 4)), TensorSpec("alpha", "float32", ("batch", 12))),
            ),
            KitModel(
                "lstm",
                "recurrent network",
                (TensorSpec("frames", "float32", ("batch", 7, 12)),),
                (
                    TensorSpec("sequence", "float32", ("batch", 7, 16)),
                    TensorSpec("last", "float32", ("batch", 16)),
                ),
            ),
            KitModel(
                "transformer",
                "transformer block with integer and boolean inputs",
                (
                    TensorSpec("tokens", "int64", ("batch", "tokens")),
                    TensorSpec("mask", "bool", ("batch", "tokens")),
                ),
                (
                    TensorSpec("hidden", "float32", ("batch", "tokens", 16)),
                    TensorSpec("best", "int64", ("batch", "tokens")),
                ),
                MappingProxyType({"tokens": 9}),
            ),
            KitModel(
                "branch",
                "control flow",
                (TensorSpec("x", "float32", ("batch", 8)),),
                (TensorSpec("y", "float32", ("batch", 4)),),
            ),
        )
    }
)

BULK = KitModel(
    "bulk",
    "weights large enough to be missed",
    (TensorSpec("x", "float32", ("batch", 1024)),),
    (TensorSpec("y", "float32", ("batch", 2048)),),
)
"""For the check of released memory."""


def reference(source: ModelSource, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """What is right: the outputs of the ONNX reference evaluator, by name."""
    from onnx.reference import ReferenceEvaluator

    names = [spec.name for spec in source.outputs]
    values = ReferenceEvaluator(str(source.onnx_path)).run(names, dict(feeds))
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}

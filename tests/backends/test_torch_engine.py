from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.base import Session
from backends.conformance.models import MODELS
from backends.contract import (
    ContractError,
    ModelSource,
    TensorSpec,
    UnavailableError,
    UnsupportedError,
    Variant,
)
from backends.torch_engine import TorchBackend

pytestmark = pytest.mark.engine("torch")
MLP = MODELS["mlp"]


def open_torch(source: ModelSource, **variant: object) -> Session:
    backend, made = TorchBackend(), Variant(**variant)  # type: ignore[arg-type]
    return backend.load(source, backend.build(source, made, Path()), made)


@pytest.fixture
def source(tmp_path: Path) -> ModelSource:
    return MLP.source(tmp_path)


def test_onnx_alone_is_refused(source: ModelSource) -> None:
    with pytest.raises(UnsupportedError, match="torch builds from torch, but model 'mlp'"):
        open_torch(replace(source, torch_factory=None))


@pytest.mark.parametrize(
    "factory", ["no_such_module_here:make", "backends.conformance.torch_models:nothing", "x"]
)
def test_a_factory_that_is_not_there_is_named(source: ModelSource, factory: str) -> None:
    with pytest.raises(UnsupportedError, match=factory):
        open_torch(replace(source, torch_factory=factory))


def test_size_is_that_of_the_state(source: ModelSource) -> None:
    backend = TorchBackend()
    weights = sum(array.nbytes for array in np.load(source.weights_path).values())
    assert backend.build(source, Variant(), Path()).bytes == weights
    assert backend.build(source, Variant(precision="fp16"), Path()).bytes == weights // 2
    assert backend.build(replace(source, weights_path=None), Variant(), Path()).bytes is None


def test_integers_keep_their_width_in_the_size(tmp_path: Path) -> None:
    source = MODELS["cnn"].source(tmp_path)
    arrays = np.load(source.weights_path)
    floats = sum(array.nbytes for array in arrays.values() if array.dtype.kind == "f")
    size = TorchBackend().build(source, Variant(precision="bf16"), Path()).bytes
    assert size == floats // 2 + arrays["norm.num_batches_tracked"].nbytes


def test_narrow_precision_computes_narrow_and_answers_as_declared(source: ModelSource) -> None:
    feeds = MLP.feeds(0, 2)
    results = {}
    for precision in ("fp32", "bf16"):
        session = open_torch(source, precision=precision)
        session.prepare(feeds)
        session.infer()
        results[precision] = session.download()
        session.close()
    assert results["bf16"]["zeta"].dtype == np.float32
    assert not np.array_equal(results["bf16"]["zeta"], results["fp32"]["zeta"])


def test_wrong_number_of_outputs_breaks_the_contract(tmp_path: Path) -> None:
    source = MODELS["lstm"].source(tmp_path)
    session = open_torch(replace(source, outputs=source.outputs[:1]))
    session.prepare(MODELS["lstm"].feeds(0, 1))
    session.infer()
    with pytest.raises(ContractError, match="returns 2 outputs; the model declares 1: sequence"):
        session.download()
    session.close()


def test_unknown_names_of_outputs_break_the_contract(source: ModelSource) -> None:
    other = (TensorSpec("zeta", "float32", ("batch", 4)), TensorSpec("beta", "float32", ("batch", 12)))
    session = open_torch(replace(source, outputs=other))
    session.prepare(MLP.feeds(0, 1))
    session.infer()
    with pytest.raises(ContractError, match="returns zeta, alpha; the model declares zeta, beta"):
        session.download()
    session.close()


def test_inference_mode_ends_with_the_last_session(source: ModelSource) -> None:
    import torch

    first, second = open_torch(source), open_torch(source)
    first.close()
    assert torch.is_inference_mode_enabled()
    second.close()
    assert not torch.is_inference_mode_enabled()


def test_effective_tells_what_changes_speed(source: ModelSource) -> None:
    session = open_torch(source, threads=2)
    effective = session.effective()
    session.close()
    assert effective["precision"] == "fp32"
    assert effective["float32_matmul_precision"] == "highest"
    assert effective["inference_mode"] is True
    assert {"cpu_capability", "mkldnn", "interop_threads"} <= set(effective)


def test_cuda_is_refused_with_its_reason(source: ModelSource) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here: the refusal cannot be seen")
    reason = TorchBackend().probe().flavours["cuda"]
    assert "CUDA" in reason
    with pytest.raises(UnavailableError, match="CUDA"):
        open_torch(source, flavour="cuda")

"""Kernels for ceilings: each does the whole of its work, and says how much that is."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from backends import ceilings
from backends.ceilings import IMPLEMENTATIONS, PRODUCTS, STREAMERS, STREAMS
from backends.contract import PRECISIONS, UnavailableError, UnsupportedError

SIZE = (24, 16, 32)


def outcome(kernel: Any) -> Any:
    """What one call computed, as numpy."""
    value = kernel.call()
    if hasattr(value, "to_dict"):
        return next(iter(value.to_dict().values()))
    if hasattr(value, "float"):
        value = value.float()
    return value.numpy() if hasattr(value, "numpy") else np.asarray(value)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("implementation", "precision", "moved"),
    [
        ("numpy", "fp32", 4 * (24 * 32 + 32 * 16 + 24 * 16)),
        ("torch", "fp32", 4 * (24 * 32 + 32 * 16 + 24 * 16)),
        ("torch", "bf16", 2 * (24 * 32 + 32 * 16 + 24 * 16)),
        ("torch", "fp16", 2 * (24 * 32 + 32 * 16 + 24 * 16)),
        ("torch", "int8", 24 * 32 + 32 * 16 + 4 * 24 * 16),
        ("ort", "fp32", 4 * (24 * 32 + 32 * 16 + 24 * 16)),
        ("ort", "int8", 24 * 32 + 32 * 16 + 4 * 24 * 16),
        ("openvino", "fp32", 4 * (24 * 32 + 32 * 16 + 24 * 16)),
    ],
)
def test_products(implementation: str, precision: str, moved: int, threads: int) -> None:
    kernel = ceilings.product(implementation, precision, SIZE, threads, "cpu")
    assert kernel.operations == 2 * 24 * 16 * 32
    assert kernel.moved == moved
    assert kernel.version[0].isdigit()
    gc.collect()  # what the library only borrows must be kept alive by the kernel
    found = outcome(kernel)
    assert found.shape == (24, 16)
    if implementation == "torch" and precision == "int8":
        return  # its operands are random
    assert np.array_equal(found, np.full((24, 16), 32.0))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("implementation", STREAMERS["cpu"])
@pytest.mark.parametrize(
    ("name", "arrays"), [("copy", 2), ("scale", 2), ("add", 3), ("triad", 3), ("sum", 1)]
)
def test_streams(implementation: str, name: str, arrays: int, threads: int) -> None:
    if (implementation, name) == ("numpy", "triad"):
        with pytest.raises(UnsupportedError, match="one pass"):
            ceilings.stream(implementation, name, 4_000, threads, "cpu")
        return
    kernel = ceilings.stream(implementation, name, 4_000, threads, "cpu")
    assert kernel.moved == arrays * 4_000
    if name == "sum":
        assert (
            float(np.sum(np.asarray(kernel.call()))) == 1_000.0
        )  # every element of the ones, in all slices together
    else:
        kernel.call()


def test_every_product_has_an_implementation() -> None:
    assert {precision for _, precision in PRODUCTS} == set(PRECISIONS)
    named = {name for names in (*PRODUCTS.values(), *STREAMERS.values()) for name in names}
    assert named == set(IMPLEMENTATIONS)
    assert set(STREAMS) == {"copy", "scale", "add", "triad", "sum"}


@pytest.mark.parametrize(
    ("implementation", "precision"),
    [("numpy", "bf16"), ("ort", "fp16"), ("openvino", "int8"), ("torch", "tf32")],
)
def test_what_a_library_lacks_is_refused(implementation: str, precision: str) -> None:
    with pytest.raises(UnsupportedError):
        ceilings.product(implementation, precision, SIZE, 1, "cpu")


def test_openvino_is_not_taken_for_a_precision_that_it_replaces() -> None:
    for precision, hint in (("bf16", "bf16"), ("fp16", "f16")):
        try:
            kernel = ceilings.product("openvino", precision, SIZE, 1, "cpu")
        except UnsupportedError as reason:
            assert precision in str(reason)
            assert f"as {hint}" not in str(reason)
        else:
            assert kernel.moved == 2 * (24 * 32 + 32 * 16 + 24 * 16)


def test_no_gpu_is_a_reason() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(UnavailableError, match="CUDA"):
        ceilings.product("torch", "fp16", SIZE, 1, "cuda")
    with pytest.raises(UnavailableError, match="CUDA"):
        ceilings.stream("torch", "copy", 4_000, 1, "cuda")

"""The jobs that time kernels: whole blocks, enough calls, and nothing kept after it is dropped."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from backends import ceilings
from backends.ceilings import Kernel
from backends.contract import UnsupportedError
from harness.worker.ceiling import block, drop, prepare

PRODUCT = {
    "key": "p",
    "implementation": "numpy",
    "precision": "fp32",
    "size": [8, 8, 8],
    "stream": "",
    "array_bytes": 0,
    "threads": 1,
    "device": "cpu",
}


def test_a_kernel_is_prepared_timed_and_dropped() -> None:
    answer, _ = prepare(PRODUCT, {})
    assert (answer["operations"], answer["moved"]) == (2 * 8**3, 4 * 3 * 8 * 8)
    answer, _ = block({"key": "p", "seconds": 0.0, "calls": 5}, {})
    assert len(answer["ns"]) == 5
    assert all(ns > 0 for ns in answer["ns"])
    answer, _ = block({"key": "p", "seconds": 0.01, "calls": 1}, {})
    assert sum(answer["ns"]) >= 10_000_000
    drop({"key": "p"}, {})
    with pytest.raises(KeyError):
        block({"key": "p", "seconds": 0.0, "calls": 1}, {})


def test_a_stream_is_prepared_by_its_name() -> None:
    answer, _ = prepare({**PRODUCT, "size": None, "stream": "add", "array_bytes": 4_000}, {})
    assert (answer["operations"], answer["moved"]) == (0, 12_000)
    drop({"key": "p"}, {})


def test_the_first_call_of_a_block_does_not_count_and_nothing_collects_garbage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collecting: list[bool] = []

    def make(*_arguments: Any) -> Kernel:
        return Kernel(lambda: collecting.append(gc.isenabled()), 1, 1, "1")

    monkeypatch.setattr(ceilings, "product", make)
    prepare(PRODUCT, {})
    collecting.clear()
    answer, _ = block({"key": "p", "seconds": 0.0, "calls": 3}, {})
    assert len(answer["ns"]) == 3
    assert collecting == [True, False, False, False]
    assert gc.isenabled()
    drop({"key": "p"}, {})


def test_dropping_frees_the_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Arrays:
        def __call__(self) -> None: ...

    arrays = Arrays()
    gone = weakref.ref(arrays)
    kernels = [Kernel(arrays, 1, 1, "1")]
    monkeypatch.setattr(ceilings, "product", lambda *_arguments: kernels.pop())
    prepare(PRODUCT, {})
    del arrays
    assert gone() is not None
    drop({"key": "p"}, {})
    assert gone() is None


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        prepare({**PRODUCT, "precision": "int8"}, {})

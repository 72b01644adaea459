"""Shared arrays arrive bit by bit, are private to the receiver, and leave no name behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.worker.tensors import pack, unpack

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "image": RANDOM.normal(size=(2, 3, 5, 7)).astype(np.float32),
    "ids": np.arange(6, dtype=np.int64).reshape(2, 3),
    "flag": np.array([True, False]),
    "scalar": np.array(3.5),
    "empty": np.empty((0, 4), np.float32),
    "half": np.ones(3, np.float16),
    "nan": np.array([np.nan, np.inf, -0.0]),
    "strided": np.arange(20.0)[::2],
}


def test_arrays_survive_the_trip() -> None:
    fd, layout = pack(ARRAYS)
    got = unpack(fd, layout)
    assert list(got) == list(ARRAYS)
    for name, value in ARRAYS.items():
        assert got[name].dtype == value.dtype
        assert got[name].shape == value.shape
        assert got[name].tobytes() == np.ascontiguousarray(value).tobytes()


def test_the_receiver_may_write_without_the_sender_seeing_it() -> None:
    import os

    fd, layout = pack({"a": np.zeros(4)})
    copy = os.dup(fd)
    first, second = unpack(fd, layout), unpack(copy, layout)
    first["a"][0] = 1.0
    assert second["a"][0] == 0.0


def test_arrays_of_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="'o' holds Python objects"):
        pack({"o": np.array([object()])})


def test_nothing_is_left_in_shared_memory() -> None:
    folder = Path("/dev/shm")
    before = set(folder.iterdir()) if folder.exists() else set()
    fd, layout = pack(ARRAYS)
    during = set(folder.iterdir()) if folder.exists() else set()
    unpack(fd, layout)
    assert during == before

from __future__ import annotations

import numpy as np
import pytest

from backends.base import Session, check_feeds
from backends.contract import Array, ContractError, Feeds, StateError, TensorSpec
from backends.memory import ALIGNMENT, aligned_copy

SPEC = (TensorSpec("x", "float32", ("batch", 3)),)


class Echo(Session):
    def __init__(self) -> None:
        super().__init__(SPEC, SPEC)
        self.fail = False

    def _prepare(self, feeds: Feeds) -> None:
        if self.fail:
            raise RuntimeError("no memory")
        self.bound = dict(feeds)

    def _infer(self) -> None:
        pass

    def _download(self) -> dict[str, Array]:
        return self.bound


FEEDS = {"x": np.zeros((2, 3), dtype=np.float32)}


def test_download_needs_an_inference_since_the_last_prepare() -> None:
    session = Echo()
    session.prepare(FEEDS)
    with pytest.raises(StateError, match="before infer"):
        session.download()
    session.infer()
    session.download()
    session.prepare(FEEDS)
    with pytest.raises(StateError, match="before infer"):
        session.download()


def test_timed_calls_count_as_inferences() -> None:
    session = Echo()
    session.prepare(FEEDS)
    session.timed_call()()
    assert set(session.download()) == {"x"}


def test_a_failed_prepare_leaves_nothing_prepared() -> None:
    session = Echo()
    session.prepare(FEEDS)
    session.infer()
    session.fail = True
    with pytest.raises(RuntimeError):
        session.prepare(FEEDS)
    with pytest.raises(StateError, match="before prepare"):
        session.download()


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "'x' is missing"),
        (FEEDS | {"y": FEEDS["x"]}, "unknown input 'y'"),
        ({"x": np.zeros((2, 3))}, "is float64"),
        ({"x": np.zeros(3, dtype=np.float32)}, "rank 1"),
        ({"x": np.zeros((2, 4), dtype=np.float32)}, "size 4 at axis 1"),
    ],
)
def test_check_feeds(feeds: Feeds, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_feeds(feeds, SPEC)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        np.arange(24, dtype=np.int64).reshape(4, 6).T,
        np.array(3.5),
        np.zeros((0, 3), dtype=np.float16),
        np.array([True, False, True]),
    ],
)
def test_aligned_copy(array: Array) -> None:
    copies = [aligned_copy(array) for _ in range(20)]
    for copy in copies:
        assert copy.size == 0 or copy.ctypes.data % ALIGNMENT == 0
        assert copy.flags["C_CONTIGUOUS"]
        assert copy.dtype == array.dtype
        assert np.array_equal(copy, array)
        assert not np.shares_memory(copy, array)

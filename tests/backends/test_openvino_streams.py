"""How many streams OpenVINO runs: as asked for, as its hint decides, and always read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.base import Session
from backends.catalogue import load_adapter
from backends.conformance.models import MODELS
from backends.contract import UnsupportedError, Variant

pytestmark = pytest.mark.engine("openvino")


def opened(folder: Path, **options: str) -> Session:
    source, backend = MODELS["mlp"].source(folder), load_adapter("openvino")
    variant = Variant(threads=2, options=options)
    built = folder / "built"
    built.mkdir()
    return backend.load(source, backend.build(source, variant, built), variant)


@pytest.mark.parametrize(
    ("options", "streams"),
    [
        ({}, 1),
        ({"streams": "2"}, 2),
        ({"streams": "2", "hint": "throughput"}, 2),
        ({"streams": "1", "hint": "throughput"}, 1),
    ],
)
def test_streams_are_read_back(tmp_path: Path, options: dict[str, str], streams: int) -> None:
    assert opened(tmp_path, **options).effective()["num_streams"] == streams


@pytest.mark.parametrize("options", [{"hint": "throughput"}, {"streams": "auto"}])
def test_the_engine_may_decide(tmp_path: Path, options: dict[str, str]) -> None:
    told = opened(tmp_path, **options).effective()
    assert told["num_streams"] >= 1 and told["optimal_number_of_infer_requests"] >= 1


def test_no_streams_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="streams='0'"):
        opened(tmp_path, streams="0")


def test_an_error_in_the_queue_is_raised_by_synchronize(tmp_path: Path) -> None:
    """What the engine raises while a queued request runs comes out in the caller's thread, once."""
    from backends.openvino_queue import Waiter

    class Broken:
        def wait(self) -> None:
            raise RuntimeError("the engine said no")

    told: list[int] = []
    waiter = Waiter(Broken())
    waiter.expect(lambda: told.append(1))
    waiter.close()
    assert told == [1]
    with pytest.raises(RuntimeError, match="the engine said no"):
        waiter.raise_error()
    waiter.raise_error()

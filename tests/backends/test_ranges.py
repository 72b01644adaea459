"""NVTX ranges: around steps where nvtx is installed, nothing where it is not, never in the timed call."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.catalogue import load_adapter
from backends.conformance.models import MODELS
from backends.contract import Variant
from backends.ranges import range_of


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    range_of.cache_clear()
    yield
    range_of.cache_clear()


def test_without_nvtx_a_range_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nvtx", None)
    marked = range_of("infer")
    with marked, marked:
        pass


def test_the_real_package_marks_ranges_again_and_again() -> None:
    nvtx = pytest.importorskip("nvtx")
    marked = range_of("infer")
    assert isinstance(marked, nvtx.annotate)
    for _ in range(2):
        with marked, range_of("inner"), marked:
            pass


def test_steps_have_ranges_and_the_timed_call_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[str] = []

    class Annotate:
        def __init__(self, message: str, domain: str) -> None:
            self.name = f"{domain}/{message}"

        def __enter__(self) -> None:
            seen.append(self.name)

        def __exit__(self, *_: object) -> None:
            seen.append(f"end of {self.name}")

    monkeypatch.setitem(sys.modules, "nvtx", SimpleNamespace(annotate=Annotate))
    model = MODELS["mlp"]
    source, backend = model.source(tmp_path), load_adapter("fake")
    session = backend.load(source, backend.build(source, Variant(), tmp_path), Variant())
    session.prepare(model.feeds(0, 1))
    call = session.timed_call()
    before = len(seen)
    call()
    assert len(seen) == before
    session.upload()
    session.infer()
    session.synchronize()
    session.download()
    opened = [name.removeprefix("harness/") for name in seen if name.startswith("harness/")]
    assert opened == ["build fake", "load fake", "prepare", "upload", "infer", "synchronize", "download"]
    assert sum(name.startswith("end of") for name in seen) == len(opened)


def test_a_range_ends_when_its_step_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ended: list[str] = []

    @contextmanager
    def annotate(message: str, domain: str) -> Iterator[None]:
        try:
            yield
        finally:
            ended.append(message)

    monkeypatch.setitem(sys.modules, "nvtx", SimpleNamespace(annotate=annotate))
    source, backend = MODELS["mlp"].source(tmp_path), load_adapter("fake")
    with pytest.raises(RuntimeError):
        backend.build(source, Variant(options={"fault": "raise_build"}), tmp_path)
    assert ended == ["build fake"]

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suites.catalogue import BuiltinModel, builtin


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(home))
    return home


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The export of tiny-cnn, made once; tests read it and leave it whole."""
    from suites.export import export

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("exported")))
        answer, _ = export({"name": "tiny-cnn"}, {})
    yield answer


@pytest.fixture(scope="session")
def resnet50() -> Any:
    """A conditioned ResNet-50; takes about 15 seconds."""
    return conditioned(builtin("resnet50"))


def conditioned(model: BuiltinModel) -> Any:
    """The module of a built-in model, with the weights of its seed."""
    from suites.conditioning import condition

    place, _, attribute = model.factory.partition(":")
    module = getattr(importlib.import_module(place), attribute)(None)
    condition(module, model)
    return module

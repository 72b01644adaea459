"""The command with a database of the test's own, and a model cache that all tests share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command import QUICK, Harness
from tests.cli.plugins import ENGINE, make_plugin


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model cache in which tiny-cnn and its reference outputs are, so that no test waits for the export."""
    folder = tmp_path_factory.mktemp("warm")
    done = Harness(folder, folder / "cache")("compare", "ort", *QUICK, timeout=300)
    assert done.code == 0, done.text
    return folder / "cache"


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plug-in distribution with every engine of `plugins.ENGINE`: `RaisesInProbe` as `raises-in-probe`."""
    classes = re.findall(r'^(?:class |faulty\(")(\w+)', ENGINE, re.MULTILINE)
    entries = {
        re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower(): name for name in classes if "Session" not in name
    }
    return make_plugin(tmp_path_factory.mktemp("plugins"), "test-engines", ENGINE, entries)


@pytest.fixture
def harness(tmp_path: Path, cache: Path, engines: Path) -> Harness:
    return Harness(tmp_path, cache, (engines,))

"""Pages and a browser that the tests of this room share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.report import render_report
from tests.dashboards import documents
from tests.dashboards.browser import Browser

NAMES = ("full", "hostile", "many", "nothing_measured")


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every sample document rendered once, by name."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name in NAMES:
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_report(getattr(documents, name)()), encoding="utf-8")
    return found


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests."""
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()

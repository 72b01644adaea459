"""The tools that ours are measured beside; they are in the extra `bench`."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path


def script(name: str) -> Path:
    """The console script of this interpreter's environment; it need not exist."""
    return Path(sys.executable).parent / name


def version(distribution: str) -> str:
    """Installed version; empty when the distribution is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def how_to_install(distribution: str) -> str:
    """Why a row is missing and what to do."""
    return f"{distribution} is not installed; pip install '.[bench]' or pip install {distribution}"

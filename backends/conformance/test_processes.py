"""The kit: what needs a process of its own: an absent engine, and memory after `close`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends.conformance import cycles, without_engine
from backends.conformance.plugin import Target

_MIB = 1 << 20
# The kit's large model weighs 8 MiB: twenty cycles that keep it would grow by 160.
_GROWTH_ALLOWED = 24 * _MIB


def _run(module: str, *arguments: str, **variables: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{module} ended with {done.returncode}: {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def test_adapter_without_its_engine(target: Target) -> None:
    """The adapter imports, tells what it can do, and its probe gives reason and install command."""
    told = _run(without_engine.__name__, target.backend, target.engine_module)
    assert told["imported"] == [], "importing the adapter imports the engine"
    assert told["available"] is False
    assert target.engine_module.partition(".")[0] in told["reason"]
    assert told["install"]
    assert told["build_or_load"] == "UnavailableError"


def test_close_releases_memory(target: Target, tmp_path: Path) -> None:
    """Resident memory does not grow over cycles of load, infer and close."""
    task = {"backend": target.backend, "flavour": target.flavour, "options": target.options}
    # One arena: glibc gives threads arenas of their own, in which freed blocks of the engine lie about. That is
    # bounded, but takes tens of cycles to settle and would pass for a leak.
    told = _run(cycles.__name__, json.dumps(task), str(tmp_path), MALLOC_ARENA_MAX="1")
    if "unsupported" in told:
        pytest.skip(f"unsupported: bulk fp32: {told['unsupported']}")
    growth = told["last"] - told["settled"]
    assert growth < _GROWTH_ALLOWED, (
        f"{growth / _MIB:.0f} MiB more after {told['cycles']} cycles: {told['resident']}"
    )

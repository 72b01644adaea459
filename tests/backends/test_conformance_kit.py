"""The kit on adapters of third parties: registered by a distribution of their own, some of them wanting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.kit import run_kit

PLUGIN = """
from dataclasses import replace
from backends.contract import UnsupportedError
from backends.fake_engine import FakeBackend

class Picky(FakeBackend):
    name = "picky"
    def _build(self, source, variant, folder):
        if source.name in REFUSED:
            raise UnsupportedError(f"operators of {source.name} are missing")
        return super()._build(source, variant, folder)

class Deaf(FakeBackend):
    name = "deaf"
    def _load(self, source, artefact, variant):
        return super()._load(source, artefact, replace(variant, threads=1))

REFUSED = ("lstm", "branch")

class Nothing(Picky):
    name = "nothing"
    def _build(self, source, variant, folder):
        raise UnsupportedError("nothing runs here")
"""


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    info = site / "third_party-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "third_party.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    names = ("Picky", "Deaf", "Nothing")
    lines = "\n".join(f"{name.lower()} = third_party:{name}" for name in names)
    (info / "entry_points.txt").write_text(f"[harness.backends]\n{lines}\n")
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{before}" if before else str(site))
    return tmp_path


def test_what_is_unsupported_is_listed_and_counted(third_party: Path) -> None:
    run = run_kit("picky", third_party, "--engine-module", "onnx")
    assert run.exit_code == 0, run.text
    assert "unsupported: lstm fp32: operators of lstm are missing" in run.text
    assert "conformance: 3 comparisons with the reference passed, 16 unsupported" in run.text
    assert "test_outputs_equal_the_reference[fp32-lstm]" in run.unsupported
    assert "test_outputs_equal_the_reference[fp32-cnn]" in run.passed


def test_supporting_nothing_is_no_pass(third_party: Path) -> None:
    run = run_kit("nothing", third_party, "--engine-module", "onnx", "-k", "test_outputs")
    assert run.exit_code == 1
    assert "nothing equalled the reference" in run.text


def test_ignored_threads_are_found(third_party: Path) -> None:
    run = run_kit("deaf", third_party, "--engine-module", "onnx", "-k", "threads")
    assert "test_threads_are_honoured[2]" in run.failed


def test_an_engine_module_is_asked_for(third_party: Path) -> None:
    run = run_kit("picky", third_party)
    assert run.exit_code == 4
    assert "--engine-module is needed" in run.text


def test_an_unknown_backend_is_a_usage_error(tmp_path: Path) -> None:
    run = run_kit("trt", tmp_path)
    assert run.exit_code == 4
    assert "no adapter for 'trt'" in run.text


def test_plain_pytest_runs_the_kit_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "backends.conformance.plugin", "-p", "no:cacheprovider"]
    kit = ["--pyargs", "backends.conformance", "--backend", "fake", "-q", "-k", "equal_the_reference"]
    done = subprocess.run(
        command + kit, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout
    assert not (tmp_path / ".pytest_cache").exists()

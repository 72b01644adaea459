"""The README's commands run as typed. Measuring ones get a small budget, so that the tests end in time."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
QUICK = ["--budget", "2s", "--max-trials", "2"]


def blocks(heading: str) -> list[str]:
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def commands() -> list[str]:
    return [
        line.split(" #")[0].strip() for block in blocks("Use") for line in block.splitlines() if line.strip()
    ]


def test_quick_start_has_exactly_two_commands_of_one_line() -> None:
    found = blocks("Quick start")
    assert len(found) == 2
    assert all(len(block.strip().splitlines()) == 1 for block in found)
    assert "harness compare ort openvino --model resnet50" in found[0]


def test_ci_runs_the_readmes_test_command() -> None:
    assert blocks("Quick start")[1].strip() in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder, with the model file that the README names."""
    import onnx
    from onnx import TensorProto, helper

    folder = tmp_path_factory.mktemp("user")
    (folder / "path" / "to").mkdir(parents=True)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "sequence", 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "sequence", 8])
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"], axis=-1)], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for name in ("model.onnx", "original.onnx"):
        onnx.save(model, folder / "path" / "to" / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_commands_under_use_run_as_typed(place: Path, command: str) -> None:
    words = shlex.split(command)
    assert words[0] == "harness"
    if words[1] in ("compare", "throughput") and "--from-history" not in words:
        words += QUICK
    if words[1] == "throughput":
        # A bound on the 99th percentile needs hundreds of requests a point, which two seconds do not give.
        words += ["--max-latency", "p50=10s", "--concurrency", "1,2", "--threads", "1"]
    if words[1] == "profile":
        words += ["--calls", "5"]
    environment = {**os.environ, "HARNESS_DB": str(place / "harness.db")}
    result = subprocess.run(
        [sys.executable, "-P", "-m", *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for flag in ("--html", "--json"):
        if flag in words:
            assert (place / words[words.index(flag) + 1]).stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.timeout(1600)  # it installs PyTorch
def test_the_first_command_works_in_a_fresh_clone(tmp_path: Path) -> None:
    """Clone, virtual environment, installation, comparison: all of it, as a stranger would."""
    clone = tmp_path / "clone"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    environment |= {"HARNESS_CACHE": str(tmp_path / "cache"), "HARNESS_DB": str(tmp_path / "h.db")}
    result = subprocess.run(
        ["sh", "-c", blocks("Quick start")[0]],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"latency p50 .*\sms", result.stdout)
    assert len(re.findall(r"\bpass\b", result.stdout)) == 2

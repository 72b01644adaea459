"""The folder that repeats a failure, run where nothing of the harness can be imported."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from backends.contract import Array
from harness.run.layers import search_layers
from harness.run.observer import Silent
from tests.run.layers.models import kit, plan, planted, set_constant

ALONE = """
import runpy, sys
sys.path.append(sys.argv[1])
for name in ("harness", "backends", "suites"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} can be imported")
sys.argv = ["reproduce.py"]
runpy.run_path(sys.path.pop(0) + "/reproduce.py", run_name="__main__")
"""


def run_alone(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run reproduce.py with the installed packages, but without what an editable install adds."""
    code = ALONE.replace("sys.path.pop(0)", repr(str(folder)))
    command = [sys.executable, "-I", "-S", "-c", code, sysconfig.get_path("purelib")]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300, check=False)


def swap(value: Array) -> Array:
    return value[[1, 0, *range(2, len(value))]]


@pytest.mark.engine("ort")
@pytest.mark.engine("openvino")
@pytest.mark.parametrize("contender", ["ort", "openvino@bf16"])
def test_it_fails_until_it_is_right(contender: str, tmp_path: Path) -> None:
    healthy = kit("cnn", tmp_path)
    faulty = planted(healthy, tmp_path, set_constant("first.weight", swap))
    folder = tmp_path / "again"
    found = search_layers(plan("cnn", contender, faulty, healthy, folder), Silent())
    assert found.subgraph is not None
    assert found.subgraph.folder == str(folder)
    assert found.subgraph.reproduction == ""
    ran = run_alone(folder)
    assert ran.returncode == 1, ran.stderr
    assert f"WRONG: {found.places[0].tensor}" in ran.stdout
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert f"A part of faulty, run by {contender}, is not what {healthy.ref.name} says." in readme
    # Where the outputs are those that the engine gives, the same script is content.
    expected = dict(np.load(folder / "expected.npz"))
    mended = dict(expected)
    own = run_engine_of(folder)
    for name, value in own.items():
        mended[f"{name}:float64"] = value.astype(np.float64)
        mended[f"{name}:float32"] = value
    np.savez(folder / "expected.npz", **mended)  # type: ignore[arg-type]
    ran = run_alone(folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.strip().endswith("right")


def run_engine_of(folder: Path) -> dict[str, Array]:
    """What the folder's engine.py gives, in a process of its own."""
    code = (
        "import json, runpy, numpy as np\n"
        "run = runpy.run_path('engine.py')['run']\n"
        "from pathlib import Path\n"
        "found = run(Path('model.onnx').resolve(), dict(np.load('inputs.npz')), json.load(open('settings.json')))\n"
        "np.savez('own.npz', **found)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=300)
    return dict(np.load(folder / "own.npz"))

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from backends.base import Backend
from backends.catalogue import GROUP, KNOWN, canonical, conflicts, discover, load_adapter
from backends.contract import UnavailableError

ROOT = Path(__file__).parents[2]


def register(folder: Path, distribution: str, entry: str) -> None:
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entry}\n")


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("ov", "openvino"),
        ("onnxruntime", "ort"),
        ("tensorrt", "trt"),
        ("pytorch", "torch"),
        ("tflite", "litert"),
        ("ort", "ort"),
        ("no-such-engine", "no-such-engine"),
    ],
)
def test_canonical(alias: str, name: str) -> None:
    assert canonical(alias) == name


def test_aliases_are_unambiguous() -> None:
    aliases = [alias for engine in KNOWN.values() for alias in engine.aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(KNOWN)


def test_known_engines_can_be_installed() -> None:
    assert set(KNOWN) == {
        *("torch", "ort", "openvino", "trt", "tvm", "ncnn", "mnn", "litert"),
        *("tensorflow", "iree", "jax", "paddle", "fake"),
    }
    for name, engine in KNOWN.items():
        assert engine.name == name
        assert engine.install.startswith("pip install ")
        assert engine.module


def test_own_adapters_are_those_of_the_distribution() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    found = {name: point.value for name, point in discover().items()}
    assert declared.items() <= found.items()
    assert {name for name, engine in KNOWN.items() if engine.adapter} == set(declared)


@pytest.mark.parametrize("name", ["torch", "ort", "openvino", "fake"])
def test_own_adapters_load_by_name(name: str) -> None:
    adapter = load_adapter(name)
    assert isinstance(adapter, Backend)
    assert adapter.name == name


def test_own_adapters_are_known_without_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    assert set(discover()) == {"torch", "ort", "openvino", "fake"}
    assert load_adapter("fake").name == "fake"


def test_unknown_backend_gets_a_suggestion_and_the_list() -> None:
    with pytest.raises(
        UnavailableError, match=r"'openvinno'; did you mean 'openvino'\?.*fake, openvino, ort, torch"
    ):
        load_adapter("openvinno")


def test_known_engine_without_adapter_is_honest() -> None:
    with pytest.raises(
        UnavailableError, match=r"TensorRT is known, but .* no adapter .*pip install tensorrt"
    ):
        load_adapter("tensorrt")


def test_broken_plugin_gives_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_plugin.py").write_text("raise OSError('libengine.so.3: not found')\n")
    register(tmp_path, "broken-plugin", "broken = broken_plugin:Adapter")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        UnavailableError, match=r"broken_plugin:Adapter \(broken-plugin\).*OSError: libengine"
    ):
        load_adapter("broken")


def test_plugin_of_the_wrong_type_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path, "odd-plugin", "odd = collections:OrderedDict")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnavailableError, match="not a subclass"):
        load_adapter("odd")


def test_a_name_taken_twice_is_reported_and_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(tmp_path, "intruder", "ort = intruder:Adapter")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert conflicts() == {
        "ort": ("backends.ort_engine:OrtBackend (inference-harness)", "intruder:Adapter (intruder)")
    }
    with pytest.raises(UnavailableError, match=r"registered twice.*intruder"):
        load_adapter("ort")


def test_the_same_class_seen_twice_is_no_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("ort", "backends.ort_engine:OrtBackend", GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (point, point))
    assert conflicts() == {}


def test_reading_names_imports_nothing_heavy() -> None:
    code = (
        "import sys; from backends.catalogue import KNOWN, canonical, discover, conflicts; "
        "canonical('ov'); discover(); conflicts(); "
        "print(sorted({'numpy', 'torch', 'onnx', 'onnxruntime', 'openvino'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Built-in models become ONNX files once, and stay found."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suites import cache
from suites.catalogue import builtin
from suites.errors import ModelError
from suites.export import export, find_export
from suites.inputs import make_inputs
from suites.onnx_file import inspect

pytestmark = pytest.mark.engine("torch")


@pytest.fixture
def filled(cache_home: Path, exported: dict[str, Any]) -> dict[str, Any]:
    """A cache of this test's own that holds tiny-cnn's entry; its answer."""
    import shutil

    entry = cache_home / "models" / exported["key"]
    shutil.copytree(Path(exported["onnx"]).parent, entry)
    return {
        **exported,
        "onnx": str(entry / "model.onnx"),
        "weights": str(entry / "weights.npz"),
        "created": False,
    }


def without(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `package` were not installed."""
    version = metadata.version

    def missing(name: str) -> str:
        if name == package:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", missing)


def test_export_makes_a_whole_entry(exported: dict[str, Any]) -> None:
    assert exported["created"] is True
    assert json.loads(json.dumps(exported)) == exported
    assert exported["sha256"] == cache.file_sha256(Path(exported["onnx"]))
    assert exported["weights_sha256"] == cache.file_sha256(Path(exported["weights"]))
    meta = json.loads((Path(exported["onnx"]).parent / "meta.json").read_text())
    assert (meta["name"], meta["revision"], meta["seed"], meta["opset"]) == ("tiny-cnn", 1, 0, 18)
    assert meta["versions"]["torch"] == metadata.version("torch")


def test_the_export_has_the_catalogues_signature_and_nothing_odd(exported: dict[str, Any]) -> None:
    found, _ = inspect({"path": exported["onnx"]}, {})
    assert found["inputs"] == [{"name": "input", "dtype": "float32", "shape": ["batch", 3, 32, 32]}]
    assert found["outputs"] == [{"name": "logits", "dtype": "float32", "shape": ["batch", 10]}]
    assert found["opset"] == {"ai.onnx": 18}
    assert found["external_data"] == []
    assert found["operators"]["Conv"] == 9
    assert "BatchNormalization" not in found["operators"]  # folded by the exporter


def test_the_export_names_no_folder_of_this_machine(exported: dict[str, Any]) -> None:
    content = Path(exported["onnx"]).read_bytes()
    assert b"site-packages" not in content
    assert str(Path.cwd()).encode() not in content


@pytest.mark.engine("ort")
@pytest.mark.parametrize("batch", [1, 5])
def test_the_export_computes_what_the_module_computes(exported: dict[str, Any], batch: int) -> None:
    import onnxruntime
    import torch

    from suites.models.tiny_cnn import build

    feeds = make_inputs(builtin("tiny-cnn").inputs, "normal:3", batch)
    with torch.no_grad():
        expected = build(Path(exported["weights"]))(torch.from_numpy(feeds["input"])).numpy()
    session = onnxruntime.InferenceSession(exported["onnx"], providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], feeds)
    assert found.shape == (batch, 10)
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.fixture(scope="module", params=["tiny-encoder", "tiny-detector"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The export of a model of another family, and its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("other")))
        answer, _ = export({"name": request.param}, {})
    return {**answer, "name": request.param}


@pytest.mark.engine("ort")
@pytest.mark.parametrize(("batch", "sequence"), [(1, 32), (3, 1), (2, 128)])
def test_every_family_exports_with_dynamic_sizes(other: dict[str, Any], batch: int, sequence: int) -> None:
    import importlib

    import onnxruntime
    import torch

    model = builtin(other["name"])
    found, _ = inspect({"path": other["onnx"]}, {})
    assert found["inputs"] == [spec.to_json() for spec in model.inputs]
    assert found["outputs"] == [spec.to_json() for spec in model.outputs]
    feeds = make_inputs(model.inputs, "normal:0", batch, {"sequence": sequence}, model.value_range)
    place, _, attribute = model.factory.partition(":")
    module = getattr(importlib.import_module(place), attribute)(Path(other["weights"]))
    with torch.no_grad():
        expected = module(*(torch.from_numpy(array) for array in feeds.values())).numpy()
    session = onnxruntime.InferenceSession(other["onnx"], providers=["CPUExecutionProvider"])
    (answer,) = session.run([model.outputs[0].name], feeds)
    assert answer.shape == model.outputs[0].concrete(batch, {"sequence": sequence})
    scale = float(np.abs(expected).max())
    assert answer / scale == pytest.approx(expected / scale, abs=1e-5)


def test_a_second_export_finds_the_first(filled: dict[str, Any]) -> None:
    answer, arrays = export({"name": "tiny-cnn"}, {})
    assert answer == filled
    assert arrays == {}


def test_a_damaged_export_is_made_again_with_the_same_bytes(filled: dict[str, Any]) -> None:
    path = Path(filled["onnx"])
    path.write_bytes(path.read_bytes()[:-1])
    answer, _ = export({"name": "tiny-cnn"}, {})
    assert answer == {**filled, "created": True}
    assert cache.file_sha256(path) == filled["sha256"]


def test_export_prints_nothing(tmp_path: Path) -> None:
    script = "from suites.export import export; export({'name': 'tiny-cnn'}, {})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"HARNESS_CACHE": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert len(list(tmp_path.glob("models/*/model.onnx"))) == 1


def test_find_export_finds_without_importing_torch(filled: dict[str, Any]) -> None:
    script = (
        "import json, sys; from suites.export import find_export; answer = find_export('tiny-cnn');"
        "print(json.dumps([answer, 'torch' in sys.modules or 'onnx' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [filled, False]


def test_find_export_of_an_empty_cache(cache_home: Path) -> None:
    assert find_export("tiny-cnn") is None
    assert not cache_home.exists()


def test_find_export_of_another_model(filled: dict[str, Any]) -> None:
    assert find_export("resnet50") is None


def test_without_torch_the_newest_entry_of_the_model_serves(
    filled: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    without("torch", monkeypatch)
    assert find_export("tiny-cnn") == filled
    assert find_export("resnet50") is None
    Path(filled["onnx"]).write_bytes(b"damaged")
    assert find_export("tiny-cnn") is None


def test_without_torch_an_entry_of_another_revision_does_not_serve(
    filled: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    without("torch", monkeypatch)
    path = Path(filled["onnx"]).parent / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "revision": 0}))
    assert find_export("tiny-cnn") is None


@pytest.mark.parametrize("package", ["torch", "onnx", "onnxscript"])
def test_export_without_a_package_says_what_to_install(
    cache_home: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    without(package, monkeypatch)
    with pytest.raises(ModelError, match="needs torch, onnx and onnxscript") as caught:
        export({"name": "tiny-cnn"}, {})
    assert "pip install" in caught.value.hint


def test_another_version_of_torch_gets_another_entry(
    filled: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.0" if name == "torch" else version(name))
    assert find_export("tiny-cnn") is None


@pytest.mark.parametrize("ask", [find_export, lambda name: export({"name": name}, {})])
def test_an_unknown_name_is_refused(cache_home: Path, ask: Any) -> None:
    with pytest.raises(ModelError, match="no built-in model 'tiny'"):
        ask("tiny")


def test_the_weights_in_the_cache_are_those_of_the_seed(exported: dict[str, Any]) -> None:
    from suites.conditioning import condition
    from suites.models.tiny_cnn import build

    module = build(None)
    condition(module, builtin("tiny-cnn"))
    with np.load(exported["weights"], allow_pickle=False) as stored:
        for name, value in module.state_dict().items():
            assert np.array_equal(stored[name], value.numpy())

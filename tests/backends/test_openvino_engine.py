from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backends.base import Session
from backends.conformance.models import BULK, MODELS
from backends.contract import ModelSource, UnavailableError, UnsupportedError, Variant
from backends.openvino_engine import OpenVINOBackend

pytestmark = pytest.mark.engine("openvino")
MLP = MODELS["mlp"]

# Reports every attempt to look up or reach another machine while the adapter builds, loads and infers.
WATCHED = """
import json, sys
from pathlib import Path
reached = []
sys.addaudithook(lambda event, _: reached.append(event) if event in
                 ("socket.connect", "socket.getaddrinfo", "urllib.Request") else None)
from backends.catalogue import load_adapter
from backends.conformance.models import MODELS
from backends.contract import Variant
model, folder = MODELS["mlp"], Path(sys.argv[1])
source, backend = model.source(folder), load_adapter("openvino")
probe = backend.probe()
(folder / "build").mkdir()
session = backend.load(source, backend.build(source, Variant(), folder / "build"), Variant())
session.prepare(model.feeds(0, 1))
session.infer()
telemetry = sorted(name for name, module in sys.modules.items()
                   if name.startswith("openvino_telemetry") and module is not None)
print(json.dumps({"reached": reached, "telemetry": telemetry, "available": probe.available}))
"""


def open_openvino(source: ModelSource, folder: Path, **variant: object) -> Session:
    backend, made = OpenVINOBackend(), Variant(**variant)  # type: ignore[arg-type]
    return backend.load(source, backend.build(source, made, folder), made)


@pytest.fixture
def source(tmp_path: Path) -> ModelSource:
    return MLP.source(tmp_path)


def test_nothing_calls_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # The telemetry package keeps silent in continuous integration by itself: hide that it may run there.
    hidden = ("CI", "TF_BUILD", "JENKINS_URL")
    environment = {name: value for name, value in os.environ.items() if name not in hidden} | {
        "HOME": str(home)
    }
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told == {"reached": [], "telemetry": [], "available": True}
    assert list(home.iterdir()) == []


def test_build_keeps_weights_whole(tmp_path: Path) -> None:
    source = BULK.source(tmp_path)
    build = tmp_path / "build"
    build.mkdir()
    artefact = OpenVINOBackend().build(source, Variant(), build)
    assert artefact.path is not None
    assert artefact.bytes == sum(path.stat().st_size for path in build.iterdir())
    assert artefact.bytes > 2048 * 1024 * 4


def test_effective_is_read_back(source: ModelSource, tmp_path: Path) -> None:
    effective = open_openvino(source, tmp_path, threads=2).effective()
    assert effective["threads"] == effective["inference_num_threads"] == 2
    assert effective["inference_precision_hint"] == "f32"
    assert effective["performance_hint"] == "LATENCY"
    assert effective["num_streams"] == 1
    assert effective["execution_devices"] == ["CPU"]
    assert effective["layer_precisions"]["f32"] > 0
    assert "bf16" not in effective["layer_precisions"]


def test_options_reach_the_engine(source: ModelSource, tmp_path: Path) -> None:
    options = {"pin": "0", "execution_mode": "accuracy", "hint": "throughput", "reshape": "1"}
    session = open_openvino(source, tmp_path, batch=3, options=options)
    effective = session.effective()
    assert effective["enable_cpu_pinning"] is False
    assert effective["execution_mode_hint"] == "ACCURACY"
    assert effective["performance_hint"] == "THROUGHPUT"
    assert session.inputs[0].shape == (3, 8)


def test_reshape_needs_every_size(tmp_path: Path) -> None:
    source = MODELS["transformer"].source(tmp_path)
    with pytest.raises(UnsupportedError, match=r"reshape=1.*'tokens'"):
        open_openvino(source, tmp_path, options={"reshape": "1"})


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_another_precision_is_run_or_refused_but_never_replaced(
    source: ModelSource, tmp_path: Path, precision: str
) -> None:
    try:
        session = open_openvino(source, tmp_path, precision=precision)
    except UnsupportedError as error:
        assert f"does not run {precision}" in str(error)
        chosen = re.search(r"openvino chose (\w+)", str(error))
        assert chosen is not None and chosen[1] != precision
    else:
        assert session.effective()["precision"] == precision


def test_devices_that_are_not_there_are_refused(source: ModelSource, tmp_path: Path) -> None:
    probe = OpenVINOBackend().probe()
    missing = [name for name, reason in probe.flavours.items() if reason]
    if not missing:
        pytest.skip("every device is here: the refusal cannot be seen")
    for flavour in missing:
        with pytest.raises(UnavailableError, match=f"finds no {flavour.upper()}"):
            open_openvino(source, tmp_path, flavour=flavour)

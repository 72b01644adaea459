"""Whole searches, as `harness parity --layers` makes them: every planted fault is named, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from backends.contract import Array
from harness.plan.contender import parse_contender
from harness.records import VariantRef
from harness.records.layers import LayerSearch
from harness.run.layers.plan import LayerPlan
from harness.run.layers.search import search_layers
from harness.run.models import resolve_model
from harness.run.observer import Silent
from harness.run.resolved import ResolvedModel
from suites.catalogue import builtin
from suites.inputs import make_inputs
from tests.faults.battery import FAULTS
from tests.faults.combining import combine
from tests.faults.models import BATCH

BY_NAME = {fault.name: fault for fault in FAULTS}
TOGETHER = (
    (
        "wrong epsilon in one batch norm",
        "softmax axis off by one",
        "one corrupted weight in layer 30",
        "NaN only for zeros",
    ),
    (
        "average pool counts its padding",
        "transposed weight",
        "float16 accumulation",
        "mean over the wrong axis",
    ),
)


def search(
    contender: str,
    model: ResolvedModel,
    reference: ResolvedModel,
    feeds: Mapping[str, Array],
    folder: Path,
    batch: int = 1,
) -> LayerSearch:
    variant = VariantRef(batch=batch, threads=1, dims={})
    plan = LayerPlan(model, reference, parse_contender(contender), variant, feeds, "planted", folder)
    return search_layers(plan, Silent())


@pytest.mark.parametrize(
    ("contender", "names"),
    [
        pytest.param("ort", TOGETHER[0], marks=pytest.mark.engine("ort")),
        pytest.param("openvino", TOGETHER[1], marks=pytest.mark.engine("openvino")),
    ],
)
def test_four_faults_in_one_file_are_told_apart(
    contender: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    combined = combine([BY_NAME[name] for name in names])
    onnx.save_model(combined.faulty, tmp_path / "faulty.onnx")
    onnx.save_model(combined.healthy, tmp_path / "healthy.onnx")
    model, reference = (
        resolve_model(str(tmp_path / f"{name}.onnx"), name, Silent(), threads=1)
        for name in ("faulty", "healthy")
    )
    found = search(contender, model, reference, combined.feeds, tmp_path / "folder", BATCH)
    assert found.status == "found"
    assert {place.tensor for place in found.places} == set(combined.blamed)
    assert {place.verdict for place in found.places} == {"operator"}


def corrupted(name: str, weight: str, place: tuple[int, ...], add: float, folder: Path) -> ResolvedModel:
    """A built-in model, one of whose weights is wrong in torch alone: its ONNX file is the healthy one."""
    resolved = resolve_model(name, name, Silent(), threads=1)
    assert resolved.source.weights_path is not None
    weights = dict(np.load(resolved.source.weights_path))
    weights[weight][place] += add
    path = folder / "weights.npz"
    np.savez(path, **weights)
    return replace(resolved, source=replace(resolved.source, weights_path=path, sha256="0" * 64))


@pytest.mark.engine("torch")
def test_a_fault_in_torch_is_found_and_repeated(tmp_path: Path) -> None:
    healthy = resolve_model("tiny-cnn", "tiny-cnn", Silent(), threads=1)
    model = corrupted("tiny-cnn", "block1.body.first.conv.weight", (3, 2, 1, 1), 0.5, tmp_path)
    feeds = make_inputs(healthy.source.inputs, "normal:0", 1, builtin("tiny-cnn").dims)
    found = search("torch", model, healthy, feeds, tmp_path / "folder")
    assert [(place.tensor, place.verdict) for place in found.places] == [("getitem_9", "operator")]
    assert found.subgraph is not None and found.subgraph.status == "fails"
    assert found.subgraph.nodes == ("getitem_9",)
    done = subprocess.run(
        [sys.executable, "-I", "reproduce.py"],
        cwd=tmp_path / "folder",
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "WRONG: getitem_9" in done.stdout


@pytest.mark.slow
@pytest.mark.engine("ort")
def test_one_corrupted_weight_in_layer_30_of_resnet50(tmp_path: Path) -> None:
    healthy = resolve_model("resnet50", "resnet50", Silent(), threads=2)
    path = tmp_path / "resnet50.onnx"
    proto = onnx.load_model(healthy.source.onnx_path)
    convolutions = [node for node in proto.graph.node if node.op_type == "Conv"]
    node = convolutions[29]
    tensor = next(t for t in proto.graph.initializer if t.name == node.input[1])
    weight = onnx.numpy_helper.to_array(tensor).copy()
    weight.flat[weight.size // 2] += 10 * weight.std()
    tensor.CopyFrom(onnx.numpy_helper.from_array(weight, tensor.name))
    onnx.save_model(proto, path)
    feeds = make_inputs(healthy.source.inputs, "normal:0", 1)
    model = resolve_model(str(path), "corrupted", Silent(), threads=1)
    found = search("ort", model, healthy, feeds, tmp_path / "folder")
    assert [place.tensor for place in found.places] == [node.output[0]]
    assert found.subgraph is not None and found.subgraph.operators == ("Conv",)

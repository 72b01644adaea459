"""Profiles of the real engines: layers, tensors, sums, raw files, and what cannot be profiled."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.base import Backend
from backends.catalogue import load_adapter
from backends.conformance.models import MODELS
from backends.contract import ContractError, ModelSource, UnsupportedError, Variant
from backends.profile import Profile, ProfiledLayer, check_profile
from harness.judge.profile.layers import cover
from harness.records.profile import Layer, ModelGraph
from suites.catalogue import builtin
from suites.export import export
from suites.graph_tensors import graph_tensors
from suites.inputs import make_inputs

ENGINES = ("ort", "openvino", "torch", "fake")
CALLS = 3


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Backend:
    return load_adapter(request.param)


def builtin_source(name: str) -> ModelSource:
    return builtin(name).source(export({"name": name}, {})[0])


def take(backend: Backend, source: ModelSource, folder: Path, **more: Any) -> Profile:
    variant = Variant(**({"threads": 1} | more))
    for name in ("build", "traces"):
        (folder / name).mkdir()
    feeds = make_inputs(source.inputs, "normal:0", batch=1, dims={}, ranges={})
    artefact = backend.build(source, variant, folder / "build")
    return backend.profile(source, artefact, variant, feeds, CALLS, folder / "traces")


def graph_of(source: ModelSource) -> ModelGraph:
    return ModelGraph.model_validate(graph_tensors({"path": str(source.onnx_path)}, {})[0])


def covered(source: ModelSource, profile: Profile) -> set[int]:
    layers = [Layer.model_validate(layer) for layer in profile.to_json()["layers"]]
    return set().union(*cover(graph_of(source), layers))


def test_every_node_of_a_small_network_is_in_a_layer(engine: Backend, tmp_path: Path) -> None:
    source = builtin_source("tiny-cnn")
    profile = take(engine, source, tmp_path)
    graph = graph_of(source)
    assert profile.notes == ()
    assert covered(source, profile) == set(range(len(graph.nodes)))
    known = {tensor for node in graph.nodes for tensor in node.outputs}
    assert {tensor for layer in profile.layers for tensor in (*layer.outputs, *layer.fused)} <= known
    ran = [layer for layer in profile.layers if layer.calls]
    assert sum("conv" in layer.operator.lower() for layer in ran) == 9
    assert all(layer.calls == CALLS for layer in ran)
    assert all(layer.kernel and layer.precision for layer in ran)


def test_raw_files_are_kept(engine: Backend, tmp_path: Path) -> None:
    profile = take(engine, builtin_source("tiny-cnn"), tmp_path)
    assert profile.traces
    assert all(path.parent == tmp_path / "traces" and path.stat().st_size for path in profile.traces)
    assert {path.name for path in (tmp_path / "traces").iterdir()} == {path.name for path in profile.traces}


def test_another_session_may_be_open(engine: Backend, tmp_path: Path) -> None:
    source = builtin_source("tiny-cnn")
    (tmp_path / "own").mkdir()
    session = engine.load(source, engine.build(source, Variant(), tmp_path / "own"), Variant())
    session.prepare(make_inputs(source.inputs, "normal:0", batch=1, dims={}, ranges={}))
    session.infer()
    before = session.download()["logits"]
    take(engine, source, tmp_path)
    session.infer()
    assert (session.download()["logits"] == before).all()
    session.close()


@pytest.mark.engine("ort")
def test_sums_of_onnx_runtime_are_those_of_its_own_trace(tmp_path: Path) -> None:
    """Read again in the plainest way: the last calls' rows, added up by operator."""
    profile = take(load_adapter("ort"), builtin_source("tiny-cnn"), tmp_path)
    rows = json.loads(next(path for path in profile.traces if path.suffix == ".json").read_text())
    starts = sorted(row["ts"] for row in rows if row["name"] == "model_run")[-CALLS:]
    by_hand: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["cat"] == "Node" and row["name"].endswith("kernel_time") and row["ts"] >= starts[0]:
            by_hand[row["args"]["op_name"]] += 1000 * row["dur"]
    ours: dict[str, int] = defaultdict(int)
    for layer in profile.layers:
        ours[layer.operator] += layer.total_ns
    assert ours == by_hand
    assert sum(ours.values()) <= sum(profile.whole_ns)


@pytest.mark.engine("ort")
@pytest.mark.parametrize("level", ["off", "basic", "extended", "all"])
def test_every_level_of_optimisation_is_traced_back(level: str, tmp_path: Path) -> None:
    source = builtin_source("tiny-cnn")
    profile = take(load_adapter("ort"), source, tmp_path, options={"graph_optimization_level": level})
    assert covered(source, profile) == set(range(len(graph_of(source).nodes)))
    strangers = [layer.operator for layer in profile.layers if not layer.outputs]
    assert strangers == (["ReorderOutput"] if level == "all" else [])
    fused = {"off": 23, "basic": 23, "extended": 19, "all": 14}
    assert len(profile.layers) == fused[level]


@pytest.mark.engine("openvino")
def test_openvino_names_what_it_fused_and_what_did_not_run(tmp_path: Path) -> None:
    profile = take(load_adapter("openvino"), builtin_source("tiny-cnn"), tmp_path)
    by_output = {layer.outputs[0]: layer for layer in profile.layers if layer.outputs}
    assert by_output["relu_2"].fused == ("getitem_6", "add_45")
    gone = [layer for layer in profile.layers if not layer.calls]
    assert any(layer.operator == "Relu" for layer in gone)
    assert all(layer.total_ns == 0 for layer in gone)


@pytest.mark.engine("torch")
def test_torch_shows_a_folded_batch_norm_beside_its_convolution(tmp_path: Path) -> None:
    profile = take(load_adapter("torch"), builtin_source("tiny-cnn"), tmp_path)
    first = [layer for layer in profile.layers if layer.outputs == ("getitem",)]
    assert [layer.operator for layer in first] == ["aten.conv2d.default", "aten.batch_norm.default"]
    assert "conv" in first[0].kernel
    trace = json.loads(profile.traces[0].read_text())
    assert any(event.get("name") == "aten::conv2d" for event in trace["traceEvents"])


@pytest.mark.engine("torch")
@pytest.mark.parametrize(
    "more", [{"precision": "bf16"}, {"options": {"memory_format": "channels_last"}}], ids=str
)
def test_precision_and_memory_format_keep_the_match(more: dict[str, Any], tmp_path: Path) -> None:
    source = builtin_source("tiny-cnn")
    profile = take(load_adapter("torch"), source, tmp_path, **more)
    assert covered(source, profile) == set(range(len(graph_of(source).nodes)))
    dtypes = {layer.precision for layer in profile.layers}
    assert dtypes == {"bfloat16" if "precision" in more else "float32"}


@pytest.mark.engine("torch")
def test_a_file_that_torch_did_not_export_is_not_matched_by_chance(tmp_path: Path) -> None:
    """The kit's own ONNX files use names such as `relu` that torch gives to other tensors."""
    model = MODELS["cnn"]
    source = model.source(tmp_path)
    variant, backend = Variant(), load_adapter("torch")
    artefact = backend.build(source, variant, tmp_path)
    profile = backend.profile(source, artefact, variant, model.feeds(0, 2), CALLS, tmp_path)
    assert not any(layer.outputs for layer in profile.layers)
    assert "not what this version of torch exports" in profile.notes[0]


@pytest.mark.engine("torch")
def test_control_flow_that_torch_cannot_export_is_refused_in_words(tmp_path: Path) -> None:
    model = MODELS["branch"]
    source = model.source(tmp_path)
    backend = load_adapter("torch")
    with pytest.raises(UnsupportedError, match=r"torch cannot export model 'branch'.*by layer"):
        backend.profile(
            source, backend.build(source, Variant(), tmp_path), Variant(), model.feeds(0, 1), 1, tmp_path
        )


@pytest.mark.parametrize("name", ["ort", "openvino"])
def test_control_flow_is_one_layer(name: str, tmp_path: Path) -> None:
    model = MODELS["branch"]
    source = model.source(tmp_path)
    backend = load_adapter(name)
    (tmp_path / "build").mkdir()
    artefact = backend.build(source, Variant(), tmp_path / "build")
    profile = backend.profile(source, artefact, Variant(), model.feeds(0, 1), CALLS, tmp_path)
    assert sum(layer.operator == "If" for layer in profile.layers) == 1
    if profile.whole_ns:
        assert sum(layer.total_ns for layer in profile.layers) <= sum(profile.whole_ns)


@pytest.mark.parametrize("name", ["ort", "openvino"])
@pytest.mark.parametrize("kind", sorted(MODELS))
def test_every_kind_of_model(kind: str, name: str, tmp_path: Path) -> None:
    model, backend = MODELS[kind], load_adapter(name)
    source = model.source(tmp_path)
    (tmp_path / "build").mkdir()
    variant = Variant(batch=2, dims=dict(model.dims))
    artefact = backend.build(source, variant, tmp_path / "build")
    profile = backend.profile(source, artefact, variant, model.feeds(0, 2), CALLS, tmp_path)
    assert sum(layer.calls for layer in profile.layers) > 0
    assert covered(source, profile)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ort", "openvino", "torch"])
def test_resnet50_has_53_convolutions(name: str, tmp_path: Path) -> None:
    source = builtin_source("resnet50")
    profile = take(load_adapter(name), source, tmp_path)
    ran = [layer for layer in profile.layers if layer.calls and "conv" in layer.operator.lower()]
    assert len(ran) == 53
    assert covered(source, profile) == set(range(len(graph_of(source).nodes)))
    assert sum(l.total_ns for l in ran) > 0.7 * sum(layer.total_ns for layer in profile.layers)  # noqa: E741


def test_an_engine_without_a_profiler_says_so(tmp_path: Path) -> None:
    source = builtin_source("tiny-cnn")
    backend, variant = load_adapter("openvino"), Variant(flavour="auto")
    artefact = backend.build(source, Variant(), tmp_path)
    with pytest.raises(UnsupportedError, match="openvino cannot be profiled by layer: profile the device"):
        backend.profile(source, artefact, variant, {}, CALLS, tmp_path)


def test_wrong_feeds_and_numbers_are_refused(tmp_path: Path) -> None:
    source = builtin_source("tiny-cnn")
    backend = load_adapter("fake")
    artefact = backend.build(source, Variant(), tmp_path)
    with pytest.raises(ContractError, match="'input' is missing"):
        backend.profile(source, artefact, Variant(), {}, CALLS, tmp_path)
    feeds = make_inputs(source.inputs, "normal:0", batch=1, dims={}, ranges={})
    with pytest.raises(ContractError, match="0 calls"):
        backend.profile(source, artefact, Variant(), feeds, 0, tmp_path)


GOOD = Profile((ProfiledLayer("a", "A", calls=2, total_ns=5, by_call=(2, 3)),), 2, "none", (4, 4))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("no profile", "returned str"),
        (replace(GOOD, layers=()), "named no layer"),
        (replace(GOOD, calls=3), "3 calls; 2 were asked for"),
        (replace(GOOD, whole_ns=(1,)), "1 whole calls of 2"),
        (replace(GOOD, layers=(ProfiledLayer("a", "A", calls=2, total_ns=-1),)), "-1 ns"),
        (
            replace(GOOD, layers=(ProfiledLayer("a", "A", calls=2, total_ns=5, by_call=(2, 2)),)),
            "sum up to 4 ns",
        ),
    ],
)
def test_a_profile_that_cannot_be_is_refused(bad: Any, words: str) -> None:
    assert check_profile(GOOD, "x", 2) is GOOD
    with pytest.raises(ContractError, match=words):
        check_profile(bad, "x", 2)

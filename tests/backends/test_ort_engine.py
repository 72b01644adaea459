from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from backends.base import Session
from backends.conformance.models import MODELS
from backends.contract import ModelSource, TensorSpec, UnavailableError, UnsupportedError, Variant
from backends.ort_engine import OrtBackend

pytestmark = pytest.mark.engine("ort")
MLP = MODELS["mlp"]


def open_ort(source: ModelSource, **variant: object) -> Session:
    backend, made = OrtBackend(), Variant(**variant)  # type: ignore[arg-type]
    return backend.load(source, backend.build(source, made, Path()), made)


@pytest.fixture
def source(tmp_path: Path) -> ModelSource:
    return MLP.source(tmp_path)


def test_artefact_is_the_file_itself(source: ModelSource) -> None:
    artefact = OrtBackend().build(source, Variant(), Path())
    assert artefact.path == source.onnx_path
    assert artefact.bytes == source.onnx_path.stat().st_size  # type: ignore[union-attr]
    assert "no build step" in artefact.note


def test_effective_is_read_back(source: ModelSource) -> None:
    effective = open_ort(source, threads=2).effective()
    assert effective["providers"] == ["CPUExecutionProvider"]
    assert effective["threads"] == 2
    assert effective["graph_optimization_level"] == "ORT_ENABLE_ALL"
    assert effective["allow_spinning"] is True


def test_options_reach_the_engine(source: ModelSource) -> None:
    options = {
        "graph_optimization_level": "basic",
        "allow_spinning": "0",
        "arena": "0",
        "intra_op_num_threads": "1",
    }
    effective = open_ort(source, threads=2, options=options).effective()
    assert effective["threads"] == 1
    assert effective["graph_optimization_level"] == "ORT_ENABLE_BASIC"
    assert effective["allow_spinning"] is False
    assert effective["arena"] is False


def test_signature_is_the_files_not_the_declared_one(source: ModelSource) -> None:
    wrong = (TensorSpec("other", "float64", (1, 2)),)
    session = open_ort(replace(source, inputs=wrong, outputs=wrong))
    assert session.inputs == MLP.inputs
    assert session.outputs == MLP.outputs


def test_nameless_dimensions_get_names(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    path = tmp_path / "nameless.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    session = open_ort(ModelSource("nameless", "", (), (), onnx_path=path))
    assert session.inputs == (TensorSpec("x", "float32", ("x_dim0", 3)),)


def test_types_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.STRING, [2])
    y = helper.make_tensor_value_info("y", TensorProto.STRING, [2])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    path = tmp_path / "strings.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    with pytest.raises(UnsupportedError, match=r"'x' is a tensor\(string\)"):
        open_ort(ModelSource("strings", "", (), (), onnx_path=path))


def test_cuda_is_refused_with_its_reason(source: ModelSource) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build has CUDA: the refusal cannot be seen")
    reason = OrtBackend().probe().flavours["cuda"]
    assert "onnxruntime-gpu" in reason
    with pytest.raises(UnavailableError, match="has no CUDAExecutionProvider"):
        open_ort(source, flavour="cuda")


def test_tf32_is_for_cuda_alone(source: ModelSource) -> None:
    with pytest.raises(UnsupportedError, match="tf32"):
        open_ort(source, precision="tf32")
    assert "tf32" in OrtBackend().capabilities("cuda").precisions

"""Files whose inner tensors are outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from backends.conformance.models import MODELS
from suites.marked import mark, skeleton


@pytest.mark.parametrize("kind", MODELS)
def test_a_marked_file_gives_the_same_and_more(kind: str, tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    model = MODELS[kind]
    source, feeds = model.source(tmp_path), model.feeds(0, 2)
    folder = tmp_path / "marked"
    folder.mkdir()
    made, _ = skeleton({"path": str(source.onnx_path), "folder": str(folder)}, {})
    outputs = [spec.name for spec in source.outputs]
    inner = [name for name in made["types"] if name in made["varying"] and name not in outputs]
    assert inner
    to = folder / "some.onnx"
    mark({"path": made["path"], "to": str(to), "tensors": inner, "types": made["types"]}, {})
    plain, marked = (
        ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in (source.onnx_path, to)
    )
    assert [value.name for value in marked.get_outputs()] == [*outputs, *inner]
    for a, b in zip(plain.run(outputs, feeds), marked.run(outputs, feeds), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_weights_are_written_once(tmp_path: Path) -> None:
    source = MODELS["transformer"].source(tmp_path)
    folder = tmp_path / "marked"
    folder.mkdir()
    made, _ = skeleton({"path": str(source.onnx_path), "folder": str(folder)}, {})
    assert source.onnx_path is not None
    before = (folder / "weights.bin").stat().st_size
    name = made["varying"][0]
    mark({"path": made["path"], "to": str(folder / "a.onnx"), "tensors": [name], "types": made["types"]}, {})
    assert (folder / "weights.bin").stat().st_size == before > 0
    assert (folder / "a.onnx").stat().st_size < source.onnx_path.stat().st_size
    onnx.load(folder / "a.onnx")


def test_constants_do_not_vary(tmp_path: Path) -> None:
    source = MODELS["transformer"].source(tmp_path)
    folder = tmp_path / "marked"
    folder.mkdir()
    made, _ = skeleton({"path": str(source.onnx_path), "folder": str(folder)}, {})
    graph = onnx.load(source.onnx_path).graph
    constant = {tensor.name for tensor in graph.initializer}
    transposed = [
        name for node in graph.node if set(node.input) <= constant and node.input for name in node.output
    ]
    assert transposed
    assert not set(transposed) & set(made["varying"])
    assert {value.name for value in graph.output} <= set(made["varying"])

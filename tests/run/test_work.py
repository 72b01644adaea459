"""Work of a model by way of a worker, kept by model and sizes; bad requests in the user's words."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from backends.contract import ModelSource, TensorSpec
from harness.errors import InputError
from harness.run import work as module
from harness.run.work import NoWorkError, count_work

INPUT, OUTPUT = TensorSpec("x", "float32", ("n", "t", 4)), TensorSpec("y", "float32", ("n", "t", "t"))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelSource:
    """x · xᵀ: its work grows with the square of t."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    nodes = [
        helper.make_node("Transpose", ["x"], ["u"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "u"], ["y"]),
    ]
    x, y = (
        helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape) for spec in (INPUT, OUTPUT)
    )
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    onnx.save_model(model, tmp_path / "m.onnx")
    return ModelSource("m", "ab" * 32, (INPUT,), (OUTPUT,), onnx_path=tmp_path / "m.onnx")


def test_work_at_given_sizes_is_counted_once(source: ModelSource, monkeypatch: pytest.MonkeyPatch) -> None:
    found = count_work(source, 2, {"t": 5})
    assert (found.batch, found.dims) == (2, {"t": 5})
    assert found.macs == 2 * 5 * 5 * 4
    assert found.flops == 2 * found.macs
    assert found.compulsory_bytes("fp32") == 4 * (2 * 5 * 4 + 2 * 5 * 5)
    assert count_work(source, 2, {"t": 10}).macs == 4 * found.macs

    def never(*_arguments: object, **_options: object) -> None:
        raise AssertionError("it was counted again")

    monkeypatch.setattr(module, "run_job", never)
    assert count_work(source, 2, {"t": 5}) == found


@pytest.mark.parametrize(
    ("batch", "dims", "words"),
    [(1, {}, "'t' without a size"), (1, {"t": 5, "height": 3}, "no dynamic dimension of that name")],
)
def test_sizes_that_do_not_fit_are_refused(
    source: ModelSource, batch: int, dims: dict[str, int], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        count_work(source, batch, dims)
    assert caught.value.hint


def test_a_model_without_a_graph_has_no_count() -> None:
    with pytest.raises(NoWorkError, match="no ONNX file"):
        count_work(ModelSource("m", "cd" * 32, (INPUT,), (OUTPUT,), torch_factory="a:b"), 1, {"t": 2})


def test_a_file_that_cannot_be_read_is_a_reason(source: ModelSource) -> None:
    assert source.onnx_path is not None
    source.onnx_path.write_bytes(b"")
    with pytest.raises(NoWorkError, match="is empty"):
        count_work(source, 1, {"t": 3})

"""The smallest model: one number in, the same number out."""

from __future__ import annotations

from pathlib import Path

from backends.contract import ModelSource, TensorSpec


def identity_source(folder: Path) -> ModelSource:
    """An ONNX file in `folder` with the input "x" and the output "y", float32 of shape (1,)."""
    import onnx
    from onnx import TensorProto, helper

    inputs, outputs = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [inputs], [outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = folder / "identity.onnx"
    onnx.save(model, str(path))
    x, y = (TensorSpec(name, "float32", (1,)) for name in ("x", "y"))
    return ModelSource("identity", "0" * 64, (x,), (y,), onnx_path=path)

"""ONNX Runtime's kernels: a model of one product, its right side constant as weights are."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.catalogue import install_command
from backends.ceilings import Kernel, Size, moved_by, operations_of
from backends.contract import Array, UnsupportedError
from backends.engine_import import import_engine


def product(precision: str, size: Size, threads: int, device: str) -> Kernel:
    """MatMul in float32, MatMulInteger (unsigned by signed, as quantised models have it) for int8."""
    if device != "cpu" or precision not in ("fp32", "int8"):
        raise UnsupportedError(f"no {precision} product of ONNX Runtime on {device} is tried")
    ort = import_engine("onnxruntime", install_command("ort"))
    rows, columns, inner = size
    result: Any
    if precision == "fp32":
        a, b = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
        operator, result, width = "MatMul", np.dtype(np.float32), 4
    else:
        a, b = np.ones((rows, inner), np.uint8), np.ones((inner, columns), np.int8)
        operator, result, width = "MatMulInteger", np.dtype(np.int32), 1
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = ort.InferenceSession(
        _model(operator, a, b, result), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    given = ort.OrtValue.ortvalue_from_numpy(a)
    out = ort.OrtValue.ortvalue_from_numpy(np.zeros((rows, columns), result))
    binding.bind_ortvalue_input("a", given)
    binding.bind_ortvalue_output("c", out)

    def call(_alive: object = (given, out)) -> Any:
        """The engine does not keep the arrays that it reads from and writes to: `_alive` does."""
        session.run_with_iobinding(binding)
        return out

    return Kernel(call, operations_of(size), moved_by(size, width, 4), str(ort.__version__))


def stream(name: str, _array_bytes: int, _threads: int, _device: str) -> Kernel:
    """None: a copy between tensors is no operator that it would not remove."""
    raise UnsupportedError(f"ONNX Runtime has no {name} stream")


def _model(operator: str, a: Array, b: Array, result: Any) -> bytes:
    onnx = import_engine("onnx", "pip install onnx")
    helper, kinds = onnx.helper, onnx.helper.np_dtype_to_tensor_dtype
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", kinds(a.dtype), a.shape)],
        [helper.make_tensor_value_info("c", kinds(result), (a.shape[0], b.shape[1]))],
        initializer=[onnx.numpy_helper.from_array(b, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())

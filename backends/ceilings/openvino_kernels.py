"""OpenVINO's kernels: a model of one product, its right side constant as weights are."""

from __future__ import annotations

import numpy as np

from backends.catalogue import install_command
from backends.ceilings import Kernel, Size, moved_by, operations_of
from backends.contract import UnsupportedError
from backends.engine_import import import_engine

_HINTS = {"fp32": ("f32", 4), "bf16": ("bf16", 2), "fp16": ("f16", 2)}


def product(precision: str, size: Size, threads: int, device: str) -> Kernel:
    """A product whose inference precision is the asked one; one that the engine replaces by another is refused."""
    if device != "cpu" or precision not in _HINTS:
        raise UnsupportedError(f"no {precision} product of OpenVINO on {device} is tried")
    openvino = import_engine("openvino", install_command("openvino"))
    operators = import_engine("openvino.opset13", install_command("openvino"))
    hint, width = _HINTS[precision]
    rows, columns, inner = size
    a = operators.parameter([rows, inner], np.float32)
    weights = operators.constant(np.ones((inner, columns), np.float32))
    model = openvino.Model([operators.result(operators.matmul(a, weights, False, False))], [a], "product")
    compiled = openvino.Core().compile_model(
        model,
        "CPU",
        {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1},
    )
    chosen = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if chosen != hint:
        raise UnsupportedError(f"OpenVINO computes {precision} as {chosen} on this processor")
    request = compiled.create_infer_request()
    given = np.ones((rows, inner), np.float32)
    request.set_input_tensor(openvino.Tensor(given, shared_memory=True))

    def call(_alive: object = given) -> object:
        """The engine does not keep the array that it reads from: `_alive` does."""
        return request.infer()

    version = str(openvino.__version__).partition("-")[0]
    return Kernel(call, operations_of(size), moved_by(size, width, width), version)


def stream(name: str, _array_bytes: int, _threads: int, _device: str) -> Kernel:
    """None: a copy between tensors is no operator that it would not remove."""
    raise UnsupportedError(f"OpenVINO has no {name} stream")

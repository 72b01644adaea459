"""OpenVINO alone: reads and compiles model.onnx and runs it once, set as in settings.json."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

DEVICES = {"": "CPU", "gpu": "GPU", "npu": "NPU", "auto": "AUTO"}
PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


def run(model: Path, inputs: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Outputs by name."""
    # Importing OpenVINO sends a message through this package unless it cannot be imported.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    asked = settings["options"]
    configuration: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[settings["precision"]],
        "EXECUTION_MODE_HINT": asked.get("execution_mode", "performance").upper(),
        "PERFORMANCE_HINT": asked.get("hint", "latency").upper(),
    }
    if settings["flavour"] == "":
        configuration["INFERENCE_NUM_THREADS"] = settings["threads"]
        if asked.get("denormals") == "flush":
            configuration["CPU_DENORMALS_OPTIMIZATION"] = True
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(model)), DEVICES[settings["flavour"]], configuration)
    answer = compiled(inputs)
    return {name: answer[port] for port in compiled.outputs for name in port.get_names()}

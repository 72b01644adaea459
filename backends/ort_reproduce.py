"""ONNX Runtime alone: loads model.onnx and runs it once, set as in settings.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LEVELS = {
    "off": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "layout": "ORT_ENABLE_LAYOUT",
    "all": "ORT_ENABLE_ALL",
}


def run(model: Path, inputs: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Outputs by name."""
    import onnxruntime

    asked = settings["options"]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(asked.get("intra_op_num_threads", settings["threads"]))
    options.inter_op_num_threads = 1
    level = LEVELS[asked.get("graph_optimization_level", "all")]
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    if asked.get("denormals") == "flush":
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
    provider: Any = "CPUExecutionProvider"
    if settings["flavour"] == "cuda":
        provider = ("CUDAExecutionProvider", {"use_tf32": "1" if settings["precision"] == "tf32" else "0"})
    session = onnxruntime.InferenceSession(str(model), options, providers=[provider])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))

"""Graph facts of ONNX Runtime: the graph as it optimised it, which it writes when a session is made."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from backends.catalogue import install_command
from backends.engine_import import import_engine
from backends.graph_facts import GraphFacts
from backends.onnx_facts import onnx_facts

_GRAPH = "optimised.onnx"


def optimised_facts(engine: Any, options: Any, model: Path, providers: Any) -> GraphFacts:
    """Facts of the graph that a session of `options` runs, read in a session of its own that never runs.

    `engine` is the module `onnxruntime`. Needs `onnx`; weights are put into a temporary folder beside the graph.
    """
    onnx = import_engine("onnx", install_command("fake"))
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        options.optimized_model_filepath = str(Path(folder) / _GRAPH)
        prefix = "session.optimized_model_external_initializers_"
        options.add_session_config_entry(prefix + "file_name", "weights.bin")
        options.add_session_config_entry(prefix + "min_size_in_bytes", "1024")
        engine.InferenceSession(str(model), options, providers=providers)
        graph = onnx.load_model(str(Path(folder) / _GRAPH), format="protobuf", load_external_data=False)
    return onnx_facts(graph, f"the optimised graph of onnxruntime {engine.__version__}")

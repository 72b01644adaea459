"""`python -m backends.conformance.without_engine BACKEND MODULE`: use an adapter while its engine is hidden.

Prints one JSON object: which modules of the engine the adapter imported, what its probe says, and which error an
attempt to build and load ends in.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from backends.catalogue import load_adapter
from backends.contract import BackendError, ModelSource, TensorSpec, Variant


class _Hidden(MetaPathFinder):
    """Makes a top-level module look not installed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] == self.name:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def main(backend: str, module: str) -> None:
    """Print what the adapter does without `module`."""
    top = module.partition(".")[0]
    # Not hidden at first: an adapter that imports its engine too early and lives with its absence is found out too.
    adapter = load_adapter(backend)
    adapter.capabilities()
    imported = sorted(name for name in sys.modules if name.partition(".")[0] == top)
    sys.meta_path.insert(0, _Hidden(top))
    probe = adapter.probe()
    spec = (TensorSpec("x", "float32", ("batch", 2)),)
    with tempfile.TemporaryDirectory() as folder:
        # Never read: the missing engine comes first.
        onnx_path = Path(folder) / "model.onnx"
        onnx_path.write_bytes(b"")
        source = ModelSource("none", "", spec, spec, onnx_path=onnx_path, torch_factory="none:none")
        try:
            adapter.load(source, adapter.build(source, Variant(), Path(folder)), Variant())
            outcome = "no error"
        except BackendError as error:
            outcome = type(error).__name__
    told = {
        "imported": imported,
        "available": probe.available,
        "reason": probe.reason,
        "install": probe.install,
        "build_or_load": outcome,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

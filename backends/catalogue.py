"""Which engines are known by name, and which of them an adapter can drive here.

Standard library only, and importing nothing heavy: the command line reads names from here. `load_adapter` imports
an adapter and is for worker processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from backends.base import Backend

GROUP = "harness.backends"
"""Entry-point group in which a distribution registers an adapter: name -> class."""


@dataclass(frozen=True)
class KnownEngine:
    """An engine that users may ask for. `adapter` False: no adapter of ours drives it in this release."""

    name: str
    title: str
    aliases: tuple[str, ...]
    module: str
    """Top-level module of the engine's Python package."""
    distribution: str
    """Distribution whose installation brings `module`."""
    install: str
    """Command that installs the engine."""
    adapter: bool
    note: str = ""


def _known(*engines: KnownEngine) -> Mapping[str, KnownEngine]:
    return MappingProxyType({engine.name: engine for engine in engines})


KNOWN: Mapping[str, KnownEngine] = _known(
    KnownEngine(
        "torch",
        "PyTorch eager",
        ("pytorch",),
        "torch",
        "torch",
        "pip install torch",
        adapter=True,
        note="the reference; builds from a torch module, not from an ONNX file",
    ),
    KnownEngine(
        "ort",
        "ONNX Runtime",
        ("onnxruntime",),
        "onnxruntime",
        "onnxruntime",
        "pip install onnxruntime",
        adapter=True,
        note="the flavour ort:cuda needs onnxruntime-gpu instead",
    ),
    KnownEngine(
        "openvino",
        "OpenVINO",
        ("ov",),
        "openvino",
        "openvino",
        "pip install openvino",
        adapter=True,
        note="its telemetry is kept from loading",
    ),
    KnownEngine(
        "trt",
        "TensorRT",
        ("tensorrt",),
        "tensorrt",
        "tensorrt",
        "pip install tensorrt",
        adapter=False,
        note="needs an NVIDIA GPU",
    ),
    KnownEngine(
        "tvm", "Apache TVM", ("apache-tvm",), "tvm", "apache-tvm", "pip install apache-tvm", adapter=False
    ),
    KnownEngine("ncnn", "ncnn", (), "ncnn", "ncnn", "pip install ncnn pnnx", adapter=False),
    KnownEngine("mnn", "MNN", (), "MNN", "MNN", "pip install MNN", adapter=False),
    KnownEngine(
        "litert",
        "LiteRT (TensorFlow Lite)",
        ("tflite",),
        "ai_edge_litert",
        "ai-edge-litert",
        "pip install ai-edge-litert",
        adapter=False,
    ),
    KnownEngine(
        "tensorflow",
        "TensorFlow",
        ("tf",),
        "tensorflow",
        "tensorflow",
        "pip install tensorflow",
        adapter=False,
    ),
    KnownEngine(
        "iree",
        "IREE",
        (),
        "iree.runtime",
        "iree-base-runtime",
        "pip install iree-base-compiler iree-base-runtime",
        adapter=False,
    ),
    KnownEngine("jax", "JAX", (), "jax", "jax", "pip install jax", adapter=False),
    KnownEngine(
        "paddle",
        "Paddle Inference",
        ("paddlepaddle",),
        "paddle",
        "paddlepaddle",
        "pip install paddlepaddle",
        adapter=False,
    ),
    KnownEngine(
        "fake",
        "Fake engine for trying out and for tests",
        (),
        "onnx",
        "onnx",
        "pip install onnx",
        adapter=True,
        note="takes its outputs from the ONNX reference evaluator and its time from the clock",
    ),
)

# The worker may run in an environment in which this package is importable but not installed, and so has no
# entry points: our own adapters are known without them.
_OWN: Mapping[str, str] = MappingProxyType(
    {
        "torch": "backends.torch_engine:TorchBackend",
        "ort": "backends.ort_engine:OrtBackend",
        "openvino": "backends.openvino_engine:OpenVINOBackend",
        "fake": "backends.fake_engine:FakeBackend",
    }
)

_ALIASES: Mapping[str, str] = MappingProxyType(
    {alias: engine.name for engine in KNOWN.values() for alias in engine.aliases}
)


def canonical(name: str) -> str:
    """The backend's name, with an alias resolved; an unknown name comes back unchanged."""
    return _ALIASES.get(name, name)


def install_command(name: str) -> str:
    """How to install a known engine."""
    return KNOWN[name].install


def discover() -> dict[str, EntryPoint]:
    """Adapters by backend name, ours and third parties'; nothing is imported.

    A name that several distributions register for different classes is in `conflicts` too.
    """
    return {name: points[0] for name, points in _registered().items()}


def conflicts() -> dict[str, tuple[str, ...]]:
    """Names registered for more than one class: name -> "class (distribution)" of each."""
    return {
        name: tuple(_describe(point) for point in points)
        for name, points in _registered().items()
        if len(points) > 1
    }


def load_adapter(name: str) -> Backend:
    """Import and create the adapter of a backend (aliases allowed). For worker processes.

    Raises UnavailableError for an unknown name, an engine without an adapter, and a plug-in that does not load.
    """
    from backends.base import Backend
    from backends.contract import UnavailableError

    wanted = canonical(name)
    registered = _registered()
    if wanted not in registered:
        raise UnavailableError(_why_absent(name, wanted, registered))
    points = registered[wanted]
    if len(points) > 1:
        listed = " and ".join(_describe(point) for point in points)
        raise UnavailableError(f"backend {wanted!r} is registered twice: {listed}; uninstall one of them")
    point = points[0]
    try:
        adapter = point.load()()
    except Exception as error:
        raise UnavailableError(
            f"plug-in {_describe(point)} of backend {wanted!r} does not load: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(adapter, Backend):
        raise UnavailableError(
            f"plug-in {_describe(point)} of backend {wanted!r} is not a subclass of backends.base.Backend"
        )
    return adapter


def _registered() -> dict[str, list[EntryPoint]]:
    from importlib.metadata import EntryPoint, entry_points

    found: dict[str, list[EntryPoint]] = {
        name: [EntryPoint(name=name, value=value, group=GROUP)] for name, value in _OWN.items()
    }
    for point in entry_points(group=GROUP):
        same_name = found.setdefault(point.name, [])
        # One distribution can be seen twice, e.g. an editable install beside its source folder.
        if all(other.value != point.value for other in same_name):
            same_name.append(point)
    return found


def _describe(point: EntryPoint) -> str:
    distribution = point.dist.name if point.dist is not None else "inference-harness"
    return f"{point.value} ({distribution})"


def _why_absent(name: str, wanted: str, registered: Iterable[str]) -> str:
    if wanted in KNOWN:
        engine = KNOWN[wanted]
        return (
            f"{engine.title} is known, but this release has no adapter for {wanted!r}. The engine itself installs "
            f"with: {engine.install}. A plug-in can bring an adapter (entry-point group {GROUP!r})"
        )
    from difflib import get_close_matches

    near = get_close_matches(name, [*registered, *KNOWN, *_ALIASES], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown backend {name!r}; {hint}Adapters here: {', '.join(sorted(registered))}"

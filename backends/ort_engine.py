"""ONNX Runtime, on the CPU (`ort`) and on CUDA (`ort:cuda`).

The provider is always named, and read back: a session that fell back to another one is refused. Inputs are bound
once with IO binding; outputs are allocated by the engine, which needs no guess about dynamic shapes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Backend, Session
from backends.catalogue import install_command
from backends.contract import (
    COPY,
    PAGEABLE,
    ZERO_COPY,
    Array,
    Artefact,
    Capabilities,
    Feeds,
    ModelSource,
    Probe,
    UnavailableError,
    UnsupportedError,
    Variant,
)
from backends.engine_import import import_engine
from backends.graph_facts import GraphFacts
from backends.lacking import ort_lacks
from backends.memory import aligned_copy
from backends.options import DENORMALS, choice, flag, integer
from backends.ort_facts import optimised_facts
from backends.ort_tensors import is_foreign, spec_of, value_of, view
from backends.profile import Profile, ProfileRequest

_PROVIDERS = {"": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_LEVELS = {
    "off": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "layout": "ORT_ENABLE_LAYOUT",
    "all": "ORT_ENABLE_ALL",
}
_OPTIONS = {
    "graph_optimization_level": "off, basic, extended, layout or all (default)",
    "allow_spinning": "1 (default) or 0: threads inside an operator wait for work by spinning",
    "arena": "1 (default) or 0: keep freed CPU memory for reuse",
    "denormals": "keep (default) or flush: take denormal numbers as zero",
    "intra_op_num_threads": "threads inside an operator, in place of the variant's threads",
}


def _ort() -> Any:
    return import_engine("onnxruntime", install_command("ort"))


class OrtSession(Session):
    """A session on the CPU provider."""

    upload_paths: tuple[str, ...] = (ZERO_COPY, COPY)
    # Copying is the way of its Python interface; making views of its memory takes longer than a short copy.
    download_paths: tuple[str, ...] = (COPY, ZERO_COPY)

    def __init__(self, engine: Any, variant: Variant) -> None:
        super().__init__(
            tuple(spec_of(value) for value in engine.get_inputs()),
            tuple(spec_of(value) for value in engine.get_outputs()),
        )
        self._engine = engine
        self._variant = variant
        self._host: list[Array] = []
        self._given: Feeds | None = None
        self._binding: Any = None
        self._call: Callable[[], object] = partial(tuple)
        self.read_graph: Callable[[], GraphFacts] | None = None

    def _prepare(self, feeds: Feeds) -> None:
        binding = self._engine.io_binding()
        self._host = [aligned_copy(feeds[spec.name]) for spec in self.inputs]
        for spec, array in zip(self.inputs, self._host, strict=True):
            _bind(binding, spec.name, array)
        for spec in self.outputs:
            binding.bind_output(spec.name)
        self._bound(binding)

    def _bound(self, binding: Any) -> None:
        self._binding = binding
        self._call = partial(self._engine.run_with_iobinding, binding)

    def _upload(self, feeds: Feeds | None, path: str) -> None:
        # What is bound is the memory, not the array: it has to live as long as the binding is used.
        self._given = feeds
        for spec, own in zip(self.inputs, self._host, strict=True):
            given = own if feeds is None else feeds[spec.name]
            if path == COPY:
                np.copyto(own, given)
            # Bound again after a copy too: an upload without one may have bound other memory before.
            _bind(self._binding, spec.name, own if path == COPY else given)

    def _fork(self) -> Session:
        # One InferenceSession takes concurrent calls; what belongs to a request is its binding.
        return type(self)(self._engine, self._variant)

    def _infer(self) -> object:
        return self._call()

    def timed_call(self) -> Callable[[], object]:
        """The engine's own bound method; it returns when the outputs are there."""
        super().timed_call()
        return self._call

    def _download(self) -> dict[str, Array]:
        if any(is_foreign(spec.dtype) for spec in self.outputs):
            values = self._binding.get_outputs()
            return {
                spec.name: np.array(view(value, spec))
                for spec, value in zip(self.outputs, values, strict=True)
            }
        values = self._binding.copy_outputs_to_cpu()
        # The engine may hand out its own memory, which the next inference writes to.
        return {spec.name: np.array(value) for spec, value in zip(self.outputs, values, strict=True)}

    def _download_by(self, path: str) -> dict[str, Array]:
        if path != ZERO_COPY:
            return self._download()
        values = self._binding.get_outputs()
        return {spec.name: view(value, spec) for spec, value in zip(self.outputs, values, strict=True)}

    def effective(self) -> dict[str, Any]:
        """Threads, providers and optimisation as the session holds them."""
        options = self._engine.get_session_options()
        return {
            "threads": options.intra_op_num_threads,
            "interop_threads": options.inter_op_num_threads,
            "precision": self._variant.precision,
            "device": "cpu",
            "providers": list(self._engine.get_providers()),
            "graph_optimization_level": options.graph_optimization_level.name,
            "allow_spinning": _entry(options, "session.intra_op.allow_spinning") == "1",
            "arena": options.enable_cpu_mem_arena,
            "memory_pattern": options.enable_mem_pattern,
            "execution_mode": options.execution_mode.name,
            "streams": 1,
            "denormal_as_zero": _entry(options, "session.set_denormal_as_zero") == "1",
        }

    def graph(self) -> GraphFacts | None:
        """The optimised graph, written by a session of its own."""
        return None if self.read_graph is None else self.read_graph()

    def _close(self) -> None:
        self._call = partial(tuple)
        self._binding = self._engine = self.read_graph = None
        self._host = []


class CudaOrtSession(OrtSession):
    """A session on the CUDA provider: inputs live on the device, and `upload` fills them from the host."""

    # ONNX Runtime's Python interface makes no page-locked memory, so that every copy is from ordinary memory.
    upload_paths = (PAGEABLE,)
    download_paths = (PAGEABLE,)

    def _prepare(self, feeds: Feeds) -> None:
        values = _ort().OrtValue
        self._host = [aligned_copy(feeds[spec.name]) for spec in self.inputs]
        self._device = [values.ortvalue_from_numpy(array, "cuda", 0) for array in self._host]
        binding = self._engine.io_binding()
        for spec, value in zip(self.inputs, self._device, strict=True):
            binding.bind_ortvalue_input(spec.name, value)
        for spec in self.outputs:
            binding.bind_output(spec.name, "cuda", 0)
        self._bound(binding)

    def _upload(self, feeds: Feeds | None, path: str) -> None:
        for spec, value, own in zip(self.inputs, self._device, self._host, strict=True):
            value.update_inplace(own if feeds is None else feeds[spec.name])

    def _synchronize(self) -> None:
        self._binding.synchronize_outputs()

    def timed_call(self) -> Callable[[], object]:
        """One inference and the wait for its end."""
        return Session.timed_call(self)

    def effective(self) -> dict[str, Any]:
        """As on the CPU, with the CUDA provider's options as it holds them."""
        options = dict(self._engine.get_provider_options()["CUDAExecutionProvider"])
        found = super().effective() | {
            "device": f"cuda:{options.get('device_id', '0')}",
            "cuda_options": options,
        }
        return found | {"precision": "tf32" if options.get("use_tf32") == "1" else "fp32"}

    def _close(self) -> None:
        super()._close()
        self._device = []


class OrtBackend(Backend):
    """ONNX Runtime; loads the ONNX file itself, without a build step."""

    name = "ort"

    def probe(self) -> Probe:
        """Version, and why `ort:cuda` cannot run when it cannot."""
        install = install_command("ort")
        try:
            ort = _ort()
        except UnavailableError as error:
            return Probe(False, reason=str(error), install=install)
        refusal = _refusal(ort, "cuda")
        return Probe(
            True,
            version=ort.__version__,
            devices=("cpu",) if refusal else ("cpu", "cuda"),
            install=install,
            flavours={"": "", "cuda": refusal},
        )

    def capabilities(self, flavour: str = "") -> Capabilities:
        """fp32, and TF32 on CUDA; an fp16 or int8 model has to come as such."""
        if flavour not in _PROVIDERS:
            raise UnsupportedError(f"ort has no flavour {flavour!r}; flavours: ort, ort:cuda")
        cuda = flavour == "cuda"
        return Capabilities(
            sources=("onnx",),
            precisions=("fp32", "tf32") if cuda else ("fp32",),
            options=_OPTIONS,
            streams=True,
            reasons={
                "asynchronous": "its Python interface cannot queue a bound call (run_async copies)",
                "layer_profile": "on CUDA its profiler times the queueing of kernels, not the kernels",
            },
            layer_profile=not cuda,
            stages={"upload": "", "infer": "", "download": ""},
        )

    def reproduction(self, variant: Variant) -> str:
        """The source of `backends.ort_reproduce`."""
        from backends import ort_reproduce

        return inspect.getsource(ort_reproduce)

    def _build(self, source: ModelSource, variant: Variant, folder: Path) -> Artefact:
        path = source.onnx_path
        if path is None:
            raise UnsupportedError(f"ort builds from onnx, but model {source.name!r} has no ONNX file")
        _intra_threads(variant)
        return Artefact(
            path=path,
            bytes=path.stat().st_size,
            note="the engine loads the ONNX file; no build step; the size is without external data",
        )

    def _load(self, source: ModelSource, artefact: Artefact, variant: Variant) -> Session:
        return self._open(source, artefact, variant, _session_options(_ort(), variant))

    def _lacks(self, error: BaseException) -> str:
        return ort_lacks(type(error).__name__, str(error))

    def _profile(self, asked: ProfileRequest) -> Profile:
        from backends import ort_profile

        options = _session_options(_ort(), asked.variant)
        ort_profile.configure(options, asked.folder)
        session = self._open(asked.source, asked.artefact, asked.variant, options)
        try:
            return ort_profile.profile(session, session._engine, asked)
        finally:
            session.close()

    def _open(self, source: ModelSource, artefact: Artefact, variant: Variant, options: Any) -> OrtSession:
        ort = _ort()
        if refusal := _refusal(ort, variant.flavour):
            raise UnavailableError(refusal)
        if artefact.path is None:
            raise UnsupportedError(f"ort loads an ONNX file, but the artefact of {source.name!r} has no path")
        provider = _PROVIDERS[variant.flavour]
        settings = {} if variant.flavour == "" else {"use_tf32": "1" if variant.precision == "tf32" else "0"}
        ort.disable_telemetry_events()
        engine = ort.InferenceSession(str(artefact.path), options, providers=[(provider, settings)])
        # Without this, an error of a provider while running would silently repeat the call on another one.
        engine.disable_fallback()
        used = engine.get_providers()
        if not used or used[0] != provider:
            raise UnavailableError(f"ort was asked for {provider} but runs on {', '.join(used) or 'nothing'}")
        session = (
            CudaOrtSession(engine, variant) if variant.flavour == "cuda" else OrtSession(engine, variant)
        )
        path = artefact.path
        session.read_graph = lambda: optimised_facts(
            ort, _session_options(ort, variant), path, [(provider, settings)]
        )
        return session


def _refusal(ort: Any, flavour: str) -> str:
    """Why a flavour cannot run; empty when its provider is in this build and, for CUDA, reaches a device."""
    provider = _PROVIDERS[flavour]
    offered = ort.get_available_providers()
    if provider not in offered:
        return (
            f"onnxruntime {ort.__version__} has no {provider} (it has {', '.join(offered)}); "
            "install onnxruntime-gpu in place of onnxruntime"
        )
    if flavour == "cuda":
        # Finds the CUDA libraries that come as Python packages; those of the system need no help.
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()
        try:
            ort.OrtValue.ortvalue_from_numpy(np.zeros(1, dtype=np.float32), "cuda", 0)
        except Exception as error:  # noqa: BLE001 - whatever the driver says is the reason
            return f"onnxruntime {ort.__version__} finds no usable CUDA device: {error}"
    return ""


def _intra_threads(variant: Variant) -> int:
    return integer(variant.options, "intra_op_num_threads", variant.threads, minimum=1)


def _session_options(ort: Any, variant: Variant) -> Any:
    asked: Mapping[str, str] = variant.options
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = _intra_threads(variant)
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    level = choice(asked, "graph_optimization_level", _LEVELS, _LEVELS["all"])
    if not hasattr(ort.GraphOptimizationLevel, level):
        raise UnsupportedError(f"onnxruntime {ort.__version__} has no graph_optimization_level {level}")
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    spinning = "1" if flag(asked, "allow_spinning", True) else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    if choice(asked, "denormals", DENORMALS, False):
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.enable_cpu_mem_arena = flag(asked, "arena", True)
    return options


def _entry(options: Any, key: str) -> str:
    """A session's configuration entry; empty where it was never set."""
    try:
        return str(options.get_session_config_entry(key))
    except RuntimeError:
        return ""


def _bind(binding: Any, name: str, array: Array) -> None:
    """Bind an input on the CPU to the memory of `array`."""
    if is_foreign(array.dtype.name):
        binding.bind_ortvalue_input(name, value_of(_ort(), array))
    else:
        binding.bind_cpu_input(name, array)

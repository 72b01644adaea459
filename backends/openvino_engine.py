"""OpenVINO: CPU (`openvino`), and GPU, NPU and automatic choice where their devices are there.

The precision hint is always set, because the engine's own default differs between machines (bfloat16 where the CPU
has AMX), and read back: a machine that cannot run the asked precision is refused instead of running another one.

Shapes stay as the model declares them, so a dynamic batch stays dynamic, as in a plain `compile_model`. The option
`reshape=1` compiles for the first prepared shapes only. On convolutional networks no difference was measured; tiny
models save some microseconds a call.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Backend, Session
from backends.catalogue import install_command
from backends.contract import (
    COPY,
    ZERO_COPY,
    Array,
    Artefact,
    Capabilities,
    Feeds,
    ModelSource,
    Probe,
    TensorSpec,
    UnavailableError,
    UnsupportedError,
    Variant,
)
from backends.engine_import import import_engine
from backends.graph_facts import GraphFacts
from backends.lacking import openvino_lacks
from backends.memory import aligned_copy
from backends.openvino_facts import runtime_facts
from backends.openvino_queue import Waiter
from backends.openvino_tensors import array_over, dtype_name, match_ports, tensor_over
from backends.options import DENORMALS, choice, flag, integer
from backends.profile import Profile, ProfileRequest

_DEVICES = {"": "CPU", "gpu": "GPU", "npu": "NPU", "auto": "AUTO"}
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_WORDS = {hint: word for word, hint in _HINTS.items()}
_OPTIONS = {
    "reshape": "0 (default) or 1: compile for the variant's shapes alone",
    "streams": "NUM_STREAMS, from 1, or auto; default 1, with hint=throughput auto: the engine decides",
    "pin": "1 or 0: ENABLE_CPU_PINNING; without it the engine decides",
    "hint": "latency (default) or throughput: PERFORMANCE_HINT",
    "denormals": "keep (default) or flush: take denormal numbers as zero, on the CPU",
    "execution_mode": "performance (default) or accuracy: EXECUTION_MODE_HINT",
}
_READ_BACK = (
    "INFERENCE_PRECISION_HINT",
    "INFERENCE_NUM_THREADS",
    "NUM_STREAMS",
    "OPTIMAL_NUMBER_OF_INFER_REQUESTS",
    "EXECUTION_DEVICES",
    "PERFORMANCE_HINT",
    "EXECUTION_MODE_HINT",
    "ENABLE_CPU_PINNING",
    "CPU_DENORMALS_OPTIMIZATION",
)


def _openvino() -> Any:
    """The engine's module, imported without its telemetry.

    Importing `openvino` sends a message unless the user's home folder holds an opt-out. It does so through the
    separate package `openvino_telemetry` and replaces that by a stub when it is not there: hence the None, which
    makes its import fail.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return import_engine("openvino", install_command("openvino"))


class OpenVINOSession(Session):
    """One inference request of a compiled model."""

    upload_paths: tuple[str, ...] = (ZERO_COPY, COPY)
    download_paths: tuple[str, ...] = (ZERO_COPY, COPY)

    def __init__(self, compiled: Any, source: ModelSource, path: Path | None = None) -> None:
        ports = _specs(compiled.inputs, source.inputs)
        # The conversion drops inputs that nothing reads; they are still taken, and go nowhere.
        dropped = [spec for spec in source.inputs if spec.name not in {port.name for port in ports}]
        super().__init__((*ports, *dropped), _specs(compiled.outputs, source.outputs))
        self._ports = ports
        self._dropped = tuple(spec.name for spec in dropped)
        self._compiled = compiled
        self._source = source
        self._path = path
        self._request = compiled.create_infer_request()
        self._arrays: list[Array] = []
        self._given: Feeds | None = None
        self._waiter: Waiter | None = None
        # Outputs as views: without it every call would also copy them into fresh arrays.
        self._call: Callable[[], object] = partial(self._request.infer, share_outputs=True)

    def _prepare(self, feeds: Feeds) -> None:
        engine = _openvino()
        self._arrays = [aligned_copy(feeds[spec.name]) for spec in self._ports]
        for index, array in enumerate(self._arrays):
            self._request.set_input_tensor(index, tensor_over(engine, array))

    def _upload(self, feeds: Feeds | None, path: str) -> None:
        # A tensor over somebody else's memory does not keep that memory.
        self._given = feeds
        engine = _openvino()
        for index, (spec, own) in enumerate(zip(self._ports, self._arrays, strict=True)):
            given = own if feeds is None else feeds[spec.name]
            if path == COPY:
                np.copyto(own, given)
            # Set again after a copy too: an upload without one may have set other memory before.
            self._request.set_input_tensor(index, tensor_over(engine, own if path == COPY else given))

    def _fork(self) -> Session:
        return type(self)(self._compiled, self._source, self._path)

    def _start(self, done: Callable[[], None]) -> None:
        if self._waiter is None:
            self._waiter = Waiter(self._request)
        self._request.start_async(share_inputs=True)
        self._waiter.expect(done)

    def _synchronize(self) -> None:
        if self._waiter is not None:
            self._waiter.raise_error()

    def _infer(self) -> object:
        return self._call()

    def timed_call(self) -> Callable[[], object]:
        """The request's own `infer`, with the inputs set before."""
        super().timed_call()
        return self._call

    def _download(self) -> dict[str, Array]:
        return {
            spec.name: np.array(array_over(self._request.get_output_tensor(index), spec.dtype))
            for index, spec in enumerate(self.outputs)
        }

    def _download_by(self, path: str) -> dict[str, Array]:
        if path != ZERO_COPY:
            return self._download()
        return {
            spec.name: array_over(self._request.get_output_tensor(index), spec.dtype)
            for index, spec in enumerate(self.outputs)
        }

    def effective(self) -> dict[str, Any]:
        """Properties of the compiled model, and the precisions that its layers run in."""
        found = _properties(self._compiled)
        return {name.lower(): value for name, value in found.items()} | {
            "threads": found.get("INFERENCE_NUM_THREADS"),
            "precision": _precision(found),
            "device": ",".join(self._compiled.get_property("EXECUTION_DEVICES")),
            "build": _openvino().__version__,
            "layer_precisions": _layer_precisions(self._compiled),
            "dropped_inputs": list(self._dropped),
            "static_shapes": all(port.get_partial_shape().is_static for port in self._compiled.inputs),
        }

    def graph(self) -> GraphFacts:
        """What the plugin executes, and the constants in the file."""
        return runtime_facts(_openvino(), self._compiled, self._path)

    def _close(self) -> None:
        self._call = partial(tuple)
        if self._waiter is not None:
            self._waiter.close()
            self._waiter = None
        self._request = self._compiled = None
        self._arrays = []


class OpenVINOBackend(Backend):
    """OpenVINO; converts the ONNX file to its own format (.xml and .bin) and compiles that for a device."""

    name = "openvino"

    def probe(self) -> Probe:
        """Version, devices, and for every flavour whose device is missing the reason."""
        install = install_command("openvino")
        try:
            openvino = _openvino()
        except UnavailableError as error:
            return Probe(False, reason=str(error), install=install)
        devices = tuple(openvino.Core().available_devices)
        return Probe(
            True,
            version=openvino.__version__.partition("-")[0],
            devices=devices,
            install=install,
            flavours={flavour: _refusal(devices, flavour) for flavour in _DEVICES},
        )

    def capabilities(self, flavour: str = "") -> Capabilities:
        """Precisions that can be asked for; `load` refuses those that the device at hand does not run."""
        if flavour not in _DEVICES:
            known = ", ".join(f"openvino:{name}" for name in _DEVICES if name)
            raise UnsupportedError(f"openvino has no flavour {flavour!r}; flavours: openvino, {known}")
        host = flavour == ""
        return Capabilities(
            sources=("onnx",),
            precisions=tuple(_HINTS),
            options=_OPTIONS,
            streams=True,
            asynchronous=True,
            layer_profile=flavour != "auto",
            reasons={"layer_profile": "profile the device itself: openvino, openvino:gpu or openvino:npu"},
            stages={
                "upload": "" if host else "copied inside infer",
                "infer": "",
                "download": "" if host else "copied inside infer",
            },
        )

    def reproduction(self, variant: Variant) -> str:
        """The source of `backends.openvino_reproduce`."""
        from backends import openvino_reproduce

        return inspect.getsource(openvino_reproduce)

    def _build(self, source: ModelSource, variant: Variant, folder: Path) -> Artefact:
        openvino = _openvino()
        _configuration(variant)
        path = folder / "model.xml"
        # save_model halves float weights to fp16 unless told not to.
        openvino.save_model(
            openvino.Core().read_model(str(source.onnx_path)), str(path), compress_to_fp16=False
        )
        size = sum(part.stat().st_size for part in (path, path.with_suffix(".bin")) if part.exists())
        return Artefact(path=path, bytes=size, note="OpenVINO IR, .xml and .bin, weights not compressed")

    def _load(self, source: ModelSource, artefact: Artefact, variant: Variant) -> Session:
        return self._open(source, artefact, variant, {})[0]

    def _lacks(self, error: BaseException) -> str:
        return openvino_lacks(str(error))

    def _profile(self, asked: ProfileRequest) -> Profile:
        from backends import openvino_profile

        session, model = self._open(asked.source, asked.artefact, asked.variant, {"PERF_COUNT": True})
        try:
            names = openvino_profile.tensor_names(model)
            return openvino_profile.profile(session, session._request, session._compiled, names, asked)
        finally:
            session.close()

    def _open(
        self, source: ModelSource, artefact: Artefact, variant: Variant, more: Mapping[str, Any]
    ) -> tuple[OpenVINOSession, Any]:
        """The session, and the model as it was read; `more` is added to its configuration."""
        openvino = _openvino()
        core = openvino.Core()
        device = _DEVICES[variant.flavour]
        if refusal := _refusal(tuple(core.available_devices), variant.flavour):
            raise UnavailableError(refusal)
        if artefact.path is None:
            raise UnsupportedError(
                f"openvino loads an IR file, but the artefact of {source.name!r} has no path"
            )
        model = core.read_model(str(artefact.path))
        if flag(variant.options, "reshape", False):
            model.reshape(_static_shapes(openvino, source, variant))
        compiled = core.compile_model(model, device, _configuration(variant) | dict(more))
        ran = _precision(_properties(compiled))
        if ran != variant.precision:
            raise UnsupportedError(
                f"{device} does not run {variant.precision}: asked for it, openvino chose {ran}; "
                f"its optimisation capabilities are {', '.join(_capabilities(core, device))}"
            )
        return OpenVINOSession(compiled, source, artefact.path), model


def _refusal(devices: tuple[str, ...], flavour: str) -> str:
    """Why a flavour cannot run; empty when its device is listed. Automatic choice needs any device."""
    device = _DEVICES[flavour]
    if device == "AUTO":
        return "" if devices else "OpenVINO lists no device"
    # Several devices of a kind are listed as GPU.0, GPU.1.
    if any(listed.partition(".")[0] == device for listed in devices):
        return ""
    return f"OpenVINO finds no {device}; it lists {', '.join(devices) or 'no device'}"


def _configuration(variant: Variant) -> dict[str, Any]:
    """Properties for `compile_model`; raises UnsupportedError for a bad option value."""
    asked: Mapping[str, str] = variant.options
    flag(asked, "reshape", False)
    hint = choice(asked, "hint", {"latency": "LATENCY", "throughput": "THROUGHPUT"}, "LATENCY")
    mode = choice(
        asked, "execution_mode", {"performance": "PERFORMANCE", "accuracy": "ACCURACY"}, "PERFORMANCE"
    )
    configuration: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": _HINTS[variant.precision],
        "PERFORMANCE_HINT": hint,
        "EXECUTION_MODE_HINT": mode,
    }
    host: dict[str, Any] = {"INFERENCE_NUM_THREADS": variant.threads} | _streams(asked, hint)
    if "pin" in asked:
        host["ENABLE_CPU_PINNING"] = flag(asked, "pin", True)
    if choice(asked, "denormals", DENORMALS, False):
        host["CPU_DENORMALS_OPTIMIZATION"] = True
    if variant.flavour == "":
        return configuration | host
    if variant.flavour == "auto":
        return configuration | {"DEVICE_PROPERTIES": {"CPU": host}}
    if "pin" in asked:
        raise UnsupportedError(f"option pin is for the CPU; flavour {variant.flavour!r} does not run on it")
    return configuration | (_streams(asked, hint) if "streams" in asked else {})


def _streams(asked: Mapping[str, str], hint: str) -> dict[str, Any]:
    """NUM_STREAMS as a property; left out where the engine is to decide by its hint."""
    given = asked.get("streams", "auto" if hint == "THROUGHPUT" else "1")
    return {} if given == "auto" else {"NUM_STREAMS": integer({"streams": given}, "streams", 1, minimum=1)}


def _properties(compiled: Any) -> dict[str, Any]:
    """The properties in `_READ_BACK` that the device has.

    Automatic choice has none of its own: those of the chosen device are inside its DEVICE_PROPERTIES.
    """
    supported = set(compiled.get_property("SUPPORTED_PROPERTIES"))
    values = {name: compiled.get_property(name) for name in _READ_BACK if name in supported}
    if "INFERENCE_PRECISION_HINT" not in values and "DEVICE_PROPERTIES" in supported:
        chosen = compiled.get_property("EXECUTION_DEVICES")[0]
        inner = compiled.get_property("DEVICE_PROPERTIES").get(chosen, {})
        values = {name: inner[name] for name in _READ_BACK if name in inner} | values
    return {name: _plain(value) for name, value in values.items()}


def _precision(properties: Mapping[str, Any]) -> str:
    return _WORDS.get(properties.get("INFERENCE_PRECISION_HINT", ""), "unknown")


def _capabilities(core: Any, device: str) -> list[str]:
    # Automatic choice has no capabilities of its own.
    return core.get_property("CPU" if device == "AUTO" else device, "OPTIMIZATION_CAPABILITIES")  # type: ignore[no-any-return]


def _static_shapes(openvino: Any, source: ModelSource, variant: Variant) -> dict[str, Any]:
    try:
        shapes = {spec.name: spec.concrete(variant.batch, variant.dims) for spec in source.inputs}
    except ValueError as error:
        raise UnsupportedError(f"option reshape=1 needs every input size: {error}") from error
    return {name: openvino.PartialShape(list(shape)) for name, shape in shapes.items()}


def _specs(ports: Any, declared: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """The engine's ports as specs, in its order.

    A port may have several names, of which the declared one is taken; dynamic sizes get their declared names back,
    which the engine does not keep.
    """
    by_name = {spec.name: spec for spec in declared}
    called = [{*port.get_names(), port.get_node().get_friendly_name()} for port in ports]
    specs = []
    for port, names, matched in zip(ports, called, match_ports(called, list(by_name)), strict=True):
        name = matched or min(names)
        known = by_name.get(name)
        dims: list[int | str] = []
        for axis, dim in enumerate(port.get_partial_shape()):
            same_rank = known is not None and len(known.shape) == len(port.get_partial_shape())
            kept = known.shape[axis] if known is not None and same_rank else f"{name}_dim{axis}"
            fixed = dim.get_length() if dim.is_static else None
            dims.append(
                fixed if fixed is not None else kept if isinstance(kept, str) else f"{name}_dim{axis}"
            )
        specs.append(TensorSpec(name, dtype_name(port.get_element_type()), tuple(dims)))
    return tuple(specs)


def _layer_precisions(compiled: Any) -> dict[str, int]:
    """How many executed layers run in which precision: OpenVINO's own name of it -> count."""
    counts: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ops():
        info = node.get_rt_info()
        kind = info["layerType"].astype(str) if "layerType" in info else ""
        if kind not in ("Const", "Input", "Output") and "runtimePrecision" in info:
            counts[info["runtimePrecision"].astype(str)] += 1
    return dict(sorted(counts.items()))


def _plain(value: Any) -> Any:
    """A property's value as JSON holds it."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if hasattr(value, "get_type_name"):
        return value.get_type_name()
    return getattr(value, "name", str(value))

"""One torch module in a session: on the CPU, and on the first CUDA device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from backends import torch_facts
from backends.base import Session
from backends.catalogue import install_command
from backends.contract import (
    COPY,
    PAGEABLE,
    PINNED,
    ZERO_COPY,
    Array,
    ContractError,
    DeviceEvents,
    Feeds,
    ModelSource,
    Variant,
)
from backends.engine_import import import_engine
from backends.graph_facts import GraphFacts
from backends.memory import aligned_copy
from backends.options import choice

DTYPES = {"fp32": "float32", "tf32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""Precision -> torch's name of the dtype that a module is converted to."""


def torch_module() -> Any:
    """The package `torch`; raises UnavailableError."""
    return import_engine("torch", install_command("torch"))


def channels_last(options: Mapping[str, str]) -> bool:
    """Whether 4-dimensional tensors lie with their channels last."""
    return choice(options, "memory_format", {"contiguous": False, "channels_last": True}, False)


class _InferenceMode:
    """Inference mode of this thread, on while any session is open.

    Entering it in every call costs microseconds that a user's loop, which enters it once, does not pay.
    """

    def __init__(self) -> None:
        self._sessions = 0
        self._guard: Any = None

    def enter(self) -> None:
        if self._sessions == 0:
            self._guard = torch_module().inference_mode()
            self._guard.__enter__()
        self._sessions += 1

    def leave(self) -> None:
        self._sessions -= 1
        if self._sessions == 0:
            self._guard.__exit__(None, None, None)
            self._guard = None


_inference_mode = _InferenceMode()


class TorchSession(Session):
    """A module in eager mode. Threads are torch's own setting, which holds for the whole process."""

    upload_paths: tuple[str, ...] = (ZERO_COPY, COPY)
    download_paths: tuple[str, ...] = (ZERO_COPY, COPY)

    def __init__(self, source: ModelSource, variant: Variant, module: Any) -> None:
        super().__init__(source.inputs, source.outputs)
        self._torch = torch_module()
        self._source = source
        self._variant = variant
        self._dtype = getattr(self._torch, DTYPES[variant.precision])
        self._module = module
        self._call: Callable[[], Any] = partial(module)
        self._outputs: Any = None
        _inference_mode.enter()

        self._host: list[Any] = []
        if variant.precision not in ("fp32", "tf32") or channels_last(variant.options):
            # The engine's own precision or layout is not the caller's: bringing inputs in means converting them.
            self.upload_paths = (COPY,)
        if variant.precision not in ("fp32", "tf32"):
            self.download_paths = (COPY,)

    def _bind(self, feeds: Feeds) -> list[Any]:
        """Host tensors in declared order, in the session's precision and memory format."""
        return [self._converted(aligned_copy(feeds[spec.name])) for spec in self.inputs]

    def _converted(self, array: Array) -> Any:
        """`array` as the module takes it; its own memory where nothing has to change."""
        torch = self._torch
        tensor = torch.from_numpy(array)
        if tensor.is_floating_point():
            tensor = tensor.to(self._dtype)
        if channels_last(self._variant.options) and tensor.dim() == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    def arguments(self) -> tuple[Any, ...]:
        """The prepared inputs as the module takes them."""
        return tuple(self._call.args) if isinstance(self._call, partial) else ()

    def examples(self, feeds: Feeds) -> list[Any]:
        """Zeros like `feeds`, at least two in every dynamic dimension, made outside inference mode."""
        sizes = {
            spec.name: tuple(
                size if isinstance(dim, int) else max(2, size)
                for size, dim in zip(feeds[spec.name].shape, spec.shape, strict=True)
            )
            for spec in self.inputs
        }
        with self._torch.inference_mode(False):
            tensors = self._bind(
                {name: np.zeros(shape, dtype=feeds[name].dtype) for name, shape in sizes.items()}
            )
            return [tensor.to(self.arguments()[0].device) for tensor in tensors]

    def _prepare(self, feeds: Feeds) -> None:
        self._outputs = None
        self._host = self._bind(feeds)
        self._call = partial(self._module, *self._host)

    def _upload(self, feeds: Feeds | None, path: str) -> None:
        if path == COPY:
            for spec, own in zip(self.inputs, self._host, strict=True):
                given = own if feeds is None else self._torch.from_numpy(feeds[spec.name])
                own.copy_(given)
        given = self._host
        if path == ZERO_COPY and feeds is not None:
            given = [self._torch.from_numpy(feeds[spec.name]) for spec in self.inputs]
        self._call = partial(self._module, *given)

    def _fork(self) -> Session:
        return type(self)(self._source, self._variant, self._module)

    def in_thread(self) -> AbstractContextManager[object]:
        """Inference mode, which torch keeps for every thread by itself."""
        mode: AbstractContextManager[object] = self._torch.inference_mode()
        return mode

    def _infer(self) -> None:
        self._outputs = self._call()

    def _download(self) -> dict[str, Array]:
        host: dict[str, Array] = {}
        for spec, value in zip(self.outputs, self._named(), strict=True):
            tensor = value.detach().cpu()
            if tensor.dtype in (self._torch.float16, self._torch.bfloat16):
                tensor = tensor.to(getattr(self._torch, spec.dtype))
            host[spec.name] = np.array(tensor.contiguous().numpy())
        return host

    def _download_by(self, path: str) -> dict[str, Array]:
        if path != ZERO_COPY:
            return self._download()
        return {
            spec.name: value.detach().numpy() for spec, value in zip(self.outputs, self._named(), strict=True)
        }

    def _named(self) -> list[Any]:
        """The module's outputs in declared order; raises ContractError when they are not the declared ones."""
        given, names = self._outputs, [spec.name for spec in self.outputs]
        if isinstance(given, Mapping):
            if set(given) != set(names):
                raise ContractError(
                    f"the module returns {', '.join(map(str, given))}; the model declares {', '.join(names)}"
                )
            values = [given[name] for name in names]
        else:
            values = list(given) if isinstance(given, tuple | list) else [given]
        if len(values) != len(names):
            raise ContractError(
                f"the module returns {len(values)} outputs; the model declares {len(names)}: {', '.join(names)}"
            )
        for name, value in zip(names, values, strict=True):
            if not isinstance(value, self._torch.Tensor):
                raise ContractError(
                    f"output {name!r} of the module is a {type(value).__name__}, not a tensor"
                )
        return values

    def effective(self) -> dict[str, Any]:
        """Threads, precision and the switches of torch that change speed or numbers."""
        torch = self._torch
        found: dict[str, Any] = {
            "threads": torch.get_num_threads(),
            "interop_threads": torch.get_num_interop_threads(),
            "precision": self._precision(),
            "device": "cpu",
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "mkldnn": bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "inference_mode": torch.is_inference_mode_enabled(),
            "denormal_as_zero": _flushes_denormals(torch),
            "streams": 1,
            "memory_format": "channels_last" if channels_last(self._variant.options) else "contiguous",
        }
        return found

    def graph(self) -> GraphFacts:
        """Parameters and buffers of the module, and the operators of one more call."""
        return torch_facts.module_facts(self._torch, self._module, self._call if self._prepared else None)

    def _precision(self) -> str:
        dtypes = {p.dtype for p in self._module.parameters() if p.is_floating_point()} or {self._dtype}
        names = {str(dtype).removeprefix("torch.") for dtype in dtypes}
        words = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
        return "+".join(sorted(words.get(name, name) for name in names))

    def _close(self) -> None:
        self._outputs = self._module = None
        self._host = []
        self._call = partial(tuple)
        _inference_mode.leave()


class CudaTorchSession(TorchSession):
    """A module on the first CUDA device: page-locked and ordinary host inputs, copied by `upload`."""

    def __init__(self, source: ModelSource, variant: Variant, module: Any) -> None:
        super().__init__(source, variant, module)
        self.upload_paths = self.download_paths = (PINNED, PAGEABLE)
        self._device: list[Any] = []
        self._ordinary: list[Any] = []
        self._pinned_outputs: dict[str, Any] = {}

    def _prepare(self, feeds: Feeds) -> None:
        self._outputs = None
        self._ordinary = self._bind(feeds)
        self._host = [tensor.pin_memory() for tensor in self._ordinary]
        self._device = [self._torch.empty_like(tensor, device="cuda") for tensor in self._host]
        self._call = partial(self._module, *self._device)
        self._upload(None, PINNED)
        self._synchronize()

    def _upload(self, feeds: Feeds | None, path: str) -> None:
        # Tensors made in inference mode may be written to in inference mode only, whichever thread calls.
        with self._torch.inference_mode():
            for index, spec in enumerate(self.inputs):
                if path == PAGEABLE:
                    given = self._ordinary[index] if feeds is None else self._converted(feeds[spec.name])
                    self._device[index].copy_(given)
                    continue
                if feeds is not None:
                    self._host[index].copy_(self._torch.from_numpy(feeds[spec.name]))
                self._device[index].copy_(self._host[index], non_blocking=True)

    def _download_by(self, path: str) -> dict[str, Array]:
        if path != PINNED:
            return self._download()
        host = {}
        with self._torch.inference_mode():
            for spec, value in zip(self.outputs, self._named(), strict=True):
                kept = self._pinned_outputs.get(spec.name)
                if kept is None or kept.shape != value.shape:
                    kept = self._torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
                    self._pinned_outputs[spec.name] = kept
                kept.copy_(value, non_blocking=True)
                host[spec.name] = kept
            self._synchronize()
            return {
                spec.name: host[spec.name].to(getattr(self._torch, spec.dtype)).numpy()
                for spec in self.outputs
            }

    def events(self) -> DeviceEvents:
        """Events of the current CUDA stream."""
        return _CudaEvents(self._torch)

    def _synchronize(self) -> None:
        self._torch.cuda.synchronize()

    def _precision(self) -> str:
        precision = super()._precision()
        backends = self._torch.backends
        tf32 = backends.cuda.matmul.allow_tf32 or backends.cudnn.allow_tf32
        return "tf32" if precision == "fp32" and tf32 else precision

    def effective(self) -> dict[str, Any]:
        """As on the CPU, with the device and the TF32 switches."""
        torch = self._torch
        return super().effective() | {
            "device": torch.cuda.get_device_name(0),
            "cuda": torch.version.cuda,
            "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
            "tf32_cudnn": torch.backends.cudnn.allow_tf32,
        }

    def _close(self) -> None:
        self._device, self._ordinary, self._pinned_outputs = [], [], {}
        super()._close()
        self._torch.cuda.empty_cache()


class _CudaEvents:
    """CUDA events as `backends.contract.DeviceEvents`."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch

    def mark(self) -> Any:
        event = self._torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def elapsed_ns(self, start: Any, end: Any) -> int:
        end.synchronize()
        return int(start.elapsed_time(end) * 1e6)  # torch gives milliseconds


def _flushes_denormals(torch: Any) -> bool:
    """torch has no getter: the smallest normal number is halved, and either survives or not."""
    smallest = torch.finfo(torch.float32).tiny
    return float(torch.tensor([smallest]) * torch.tensor([0.5])) == 0.0

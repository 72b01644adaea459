"""PyTorch eager, on the CPU (`torch`) and on CUDA (`torch:cuda`).

Precision: the module is converted as a whole (`module.to(dtype)`), float inputs are cast once in `prepare` and
float outputs are cast back to their declared dtype in `download`: the signature stays the declared one. In fp32
TF32 is off; on CUDA `@tf32` turns it on. Denormals are left as torch has them by default.
"""

from __future__ import annotations

import importlib
import inspect
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Backend, Session
from backends.catalogue import install_command
from backends.contract import (
    Artefact,
    Capabilities,
    ModelSource,
    Probe,
    UnavailableError,
    UnsupportedError,
    Variant,
)
from backends.intermediates import IntermediateReader, IntermediateRequest
from backends.options import DENORMALS, choice
from backends.profile import Profile, ProfileRequest
from backends.torch_session import DTYPES, CudaTorchSession, TorchSession, channels_last, torch_module

_OPTIONS = {
    "memory_format": "contiguous (default) or channels_last: layout of 4-dimensional tensors",
    "denormals": "keep (default) or flush: take denormal numbers as zero, on the CPU",
}


class TorchBackend(Backend):
    """PyTorch eager; builds from a torch module only."""

    name = "torch"

    def __init__(self) -> None:
        self._kept: tuple[str, Any, Any] | None = None

    def probe(self) -> Probe:
        """Version, CUDA devices, and why `torch:cuda` cannot run when it cannot."""
        install = install_command("torch")
        try:
            torch = torch_module()
        except UnavailableError as error:
            return Probe(False, reason=str(error), install=install)
        refusal = _cuda_refusal(torch)
        devices = ("cpu",)
        if not refusal:
            devices += tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Probe(
            True,
            version=torch.__version__,
            devices=devices,
            install=install,
            flavours={"": "", "cuda": refusal},
        )

    def capabilities(self, flavour: str = "") -> Capabilities:
        """Precisions are those torch converts to; the CPU may emulate the narrow ones slowly."""
        if flavour not in ("", "cuda"):
            raise UnsupportedError(f"torch has no flavour {flavour!r}; flavours: torch, torch:cuda")
        cuda = flavour == "cuda"
        return Capabilities(
            sources=("torch",),
            precisions=("fp32", "tf32", "fp16", "bf16") if cuda else ("fp32", "fp16", "bf16"),
            options=_OPTIONS,
            streams=True,
            reasons={
                "asynchronous": "eager torch runs a call in the thread that makes it"
                if not cuda
                else "eager torch queues kernels, not calls"
            },
            intermediate_outputs=True,
            layer_profile=True,
            stages={"upload": "", "infer": "", "download": ""},
            device_events=cuda,
        )

    def reproduction(self, variant: Variant) -> str:
        """The source of `backends.torch_reproduce`, which runs what `run_part` left."""
        from backends import torch_reproduce

        if variant.flavour:
            raise UnsupportedError(f"there is no script for torch:{variant.flavour}: it runs on the CPU only")
        return inspect.getsource(torch_reproduce)

    def _build(self, source: ModelSource, variant: Variant, folder: Path) -> Artefact:
        channels_last(variant.options)
        return Artefact(
            path=None,
            bytes=_state_bytes(source.weights_path, variant.precision),
            note="no build step and no file; the size is that of parameters and buffers in memory",
        )

    def _load(self, source: ModelSource, artefact: Artefact, variant: Variant) -> Session:
        torch = torch_module()
        cuda = variant.flavour == "cuda"
        if cuda and (refusal := _cuda_refusal(torch)):
            raise UnavailableError(refusal)
        return self._session(source, variant, self._module(source, variant))

    def _session(self, source: ModelSource, variant: Variant, module: Any) -> TorchSession:
        if variant.flavour == "cuda":
            return CudaTorchSession(source, variant, module)
        return TorchSession(source, variant, module)

    def _module(self, source: ModelSource, variant: Variant) -> Any:
        """The module on its device, with torch's switches set for `variant`."""
        torch = torch_module()
        flush = choice(variant.options, "denormals", DENORMALS, False)
        _set_threads(torch, variant.threads)
        # "highest" keeps float32 products in float32: no TF32 on CUDA, no bfloat16 in oneDNN on the CPU.
        torch.set_float32_matmul_precision("high" if variant.precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = variant.precision == "tf32"
        # Threads inherit the mode of the one that starts them, so it is set before the first parallel work.
        if not torch.set_flush_denormal(flush) and flush:
            raise UnsupportedError("option denormals=flush: this processor cannot flush denormal numbers")
        module = _make_module(source).requires_grad_(False)
        module = module.to(getattr(torch, DTYPES[variant.precision]))
        if channels_last(variant.options):
            module = module.to(memory_format=torch.channels_last)
        return module.to("cuda") if variant.flavour == "cuda" else module

    def _profile(self, asked: ProfileRequest) -> Profile:
        from backends import torch_profile

        module = self._exportable(asked)
        with self._bound(asked, module) as session:
            return torch_profile.profile(
                torch_module(), module, session.arguments(), session.examples(asked.feeds), asked
            )

    def _intermediates(self, asked: IntermediateRequest) -> IntermediateReader:
        from backends.torch_intermediates import TorchIntermediates

        # An export takes seconds, and a caller asks for some tensors at a time.
        key = repr((asked.source, asked.variant, [array.shape for array in asked.feeds.values()]))
        if self._kept is None or self._kept[0] != key:
            self._kept = None
            module = self._exportable(asked)
            with self._bound(asked, module) as session:
                reader = TorchIntermediates(torch_module(), module, session.examples(asked.feeds), asked)
            self._kept = (key, module, reader)
        _, module, reader = self._kept
        with self._bound(asked, module) as session:
            reader.bind(session.arguments())
        return reader

    def _exportable(self, asked: ProfileRequest | IntermediateRequest) -> Any:
        """The module; what is made in inference mode cannot be exported, and another session may have it on."""
        with torch_module().inference_mode(False):
            return self._module(asked.source, asked.variant)

    @contextmanager
    def _bound(self, asked: ProfileRequest | IntermediateRequest, module: Any) -> Iterator[TorchSession]:
        """A session of its own, prepared for what is asked."""
        session = self._session(asked.source, asked.variant, module)
        try:
            session.prepare(asked.feeds)
            yield session
        finally:
            session.close()


def _cuda_refusal(torch: Any) -> str:
    """Why CUDA cannot be used; empty when it can."""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA; install a CUDA build of torch"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no CUDA device; check the driver with nvidia-smi"
    return ""


def _set_threads(torch: Any, threads: int) -> None:
    torch.set_num_threads(threads)
    # torch lets this be set only before its first parallel work; eager inference on one stream does not use it.
    if torch.get_num_interop_threads() != 1:
        try:
            torch.set_num_interop_threads(1)
        except RuntimeError:
            return


def _make_module(source: ModelSource) -> Any:
    """The torch module of `source`; raises UnsupportedError when its factory cannot be found."""
    factory = source.torch_factory or ""
    module_name, _, attribute = factory.partition(":")
    try:
        make = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnsupportedError(
            f"torch_factory {factory!r} of model {source.name!r} cannot be imported: {error}; "
            "expected 'package.module:callable'"
        ) from error
    return make(source.weights_path).eval()


def _state_bytes(weights: Path | None, precision: str) -> int | None:
    """Bytes of a state dict in `precision`, from the headers of its .npz file alone; None without a file."""
    if weights is None:
        return None
    width = {"fp16": 2, "bf16": 2}.get(precision, 4)
    total = 0
    with zipfile.ZipFile(weights) as archive:
        for member in archive.namelist():
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    read = np.lib.format.read_array_header_2_0
                shape, _, dtype = read(stream)
                total += int(np.prod(shape)) * (width if dtype.kind == "f" else dtype.itemsize)
    return total

"""A fake engine, for trying the harness out and for the tests of its logic.

Its outputs come from the ONNX reference evaluator, once for every `prepare`. Its `infer` takes the time that it is
told to take: it spins on the clock, which is the one place in this room where a clock is read, because taking time
*is* this engine's work. It can also misbehave in every way in which engines do: option `fault`.
"""

from __future__ import annotations

import ctypes
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from backends.base import Backend, Session
from backends.catalogue import install_command
from backends.contract import (
    COPY,
    ZERO_COPY,
    Array,
    Artefact,
    Capabilities,
    DeviceEvents,
    Feeds,
    ModelSource,
    Probe,
    UnavailableError,
    UnsupportedError,
    Variant,
)
from backends.engine_import import import_engine
from backends.fake_queue import FakeQueue
from backends.graph_facts import GraphFacts
from backends.onnx_facts import onnx_facts
from backends.options import choice, integer, share
from backends.profile import Profile, ProfileRequest

FAULTS = {
    "none": "",
    "raise_build": "build raises RuntimeError",
    "raise_load": "load raises RuntimeError",
    "raise_infer": "infer raises RuntimeError",
    "nan": "every float output is NaN",
    "wrong_value": "one element of the first output is off by the output's largest value",
    "wrong_shape": "the first output has one dimension too many",
    "missing_output": "the last output is not there",
    "extra_output": "an output named 'surplus' is there",
    "wrong_dtype": "the first output is float64 (float32 where it is declared float64)",
    "segfault": "infer dies from SIGSEGV",
    "abort": "infer dies from SIGABRT",
    "exit": "infer leaves the process with exit code 3",
    "hang": "infer never returns",
    "hang_load": "load never returns",
    "allocate": "infer takes memory until there is none",
    "garbage_stdout": "load and infer write bytes that are no text to file descriptor 1",
    "stale": "a caching engine: for ever the outputs of the first inputs",
    "raise_profile": "profile raises RuntimeError",
    "leak": "every load keeps 16 MiB and every infer 64 KiB for ever",
}
"""Values of the option `fault` -> what happens."""

_OPTIONS = {
    "time_us": "microseconds that infer takes (default 0)",
    "slower": "share added to time_us, e.g. 0.05",
    "upload_us": "microseconds that upload takes (default 0)",
    "download_us": "microseconds that download takes (default 0)",
    "jitter_us": "infer takes up to this many microseconds longer, drawn evenly from a seeded generator",
    "seed": "seed of the jitter (default 0)",
    "servers": "requests that run at the same time, others wait for them asleep; 0 (default): each spins by itself",
    "fault_from": "requests of one model from which on a fault of infer strikes (default 1)",
    "fault_after": "calls of infer that go well before a fault of infer strikes (default 0)",
    "fault": "; ".join(f"{name}: {what}" for name, what in FAULTS.items() if what),
}

_MIB = 1 << 20
_leaked: list[bytearray] = []


def _onnx() -> Any:
    return import_engine("onnx", install_command("fake"))


class _Shared:
    """What all requests of one loaded model share."""

    def __init__(self, servers: int) -> None:
        self.servers = servers
        self.queue = FakeQueue(max(1, servers))
        self.requests = 0


class FakeSession(Session):
    """Hands out the reference evaluator's outputs, after taking its time."""

    upload_paths = (ZERO_COPY, COPY)
    download_paths = (ZERO_COPY, COPY)

    def __init__(self, source: ModelSource, evaluator: Any, variant: Variant, shared: _Shared) -> None:
        super().__init__(source.inputs, source.outputs)
        self._source = source
        self._shared = shared
        shared.requests += 1
        options = variant.options
        self._evaluator = evaluator
        self._variant = variant
        self._fault = _fault(variant)
        self._calls_left = integer(options, "fault_after", 0)
        self._fault_from = integer(options, "fault_from", 1, minimum=1)
        self._time_ns = round(integer(options, "time_us", 0) * 1000 * (1 + share(options, "slower", 0.0)))
        self._jitter_ns = integer(options, "jitter_us", 0) * 1000
        self._upload_ns = integer(options, "upload_us", 0) * 1000
        self._download_ns = integer(options, "download_us", 0) * 1000
        self._device_ns = 0
        self._random = random.Random(integer(options, "seed", 0) + shared.requests - 1)  # noqa: S311 - noise, not secrets
        self._values: dict[str, Array] = {}
        self._known: dict[str, Array] = {}

    def _prepare(self, feeds: Feeds) -> None:
        self._evaluate(feeds)

    def _evaluate(self, feeds: Feeds) -> None:
        if self._fault == "stale" and self._values:
            return
        if self._known and all(np.array_equal(feeds[name], value) for name, value in self._known.items()):
            return
        self._known = {name: np.array(value) for name, value in feeds.items()}
        names = [spec.name for spec in self.outputs]
        values = self._evaluator.run(names, {name: np.array(value) for name, value in feeds.items()})
        self._values = _spoil(
            {name: np.asarray(value) for name, value in zip(names, values, strict=True)}, self._fault
        )

    def _infer(self) -> None:
        self._misbehave()
        if self._shared.servers:
            self._shared.queue.serve(self._length_ns())
        else:
            self._spin(self._length_ns())

    def _misbehave(self) -> None:
        misbehave = _AT_INFER.get(self._fault)
        if misbehave is not None and self._shared.requests >= self._fault_from:
            if self._calls_left > 0:
                self._calls_left -= 1
            else:
                misbehave()

    def _fork(self) -> Session:
        return FakeSession(self._source, self._evaluator, self._variant, self._shared)

    def _start(self, done: Callable[[], None]) -> None:
        self._misbehave()
        self._shared.queue.start(self._length_ns(), done)

    def _length_ns(self) -> int:
        length = self._time_ns
        if self._jitter_ns:
            length += int(self._random.random() * self._jitter_ns)
        if self._shared.servers:
            self._device_ns += length
        return length

    def _spin(self, length_ns: int) -> None:
        self._device_ns += length_ns
        if length_ns:
            end = time.perf_counter_ns() + length_ns
            while time.perf_counter_ns() < end:
                pass

    def _upload(self, feeds: Feeds | None, path: str) -> None:
        if feeds is not None:
            self._evaluate(feeds)
        self._spin(self._upload_ns)

    def _download(self) -> dict[str, Array]:
        self._spin(self._download_ns)
        return {name: np.array(value) for name, value in self._values.items()}

    def _download_by(self, path: str) -> dict[str, Array]:
        self._spin(self._download_ns)
        copied = path != ZERO_COPY
        return {name: np.array(value) if copied else value for name, value in self._values.items()}

    def events(self) -> DeviceEvents:
        """A device of its own, whose time is exactly what this engine was told to take."""
        return _FakeEvents(self)

    def effective(self) -> dict[str, Any]:
        """What was asked: there is no engine that could have chosen otherwise."""
        return {
            "threads": self._variant.threads,
            "precision": self._variant.precision,
            "device": "cpu",
            "time_ns": self._time_ns,
            "jitter_ns": self._jitter_ns,
            "servers": self._shared.servers,
            "fault": self._fault,
        }

    def graph(self) -> GraphFacts:
        """The ONNX file itself: this engine converts nothing."""
        path = self._source.onnx_path
        return onnx_facts(_onnx().load_model(str(path), load_external_data=False), "the ONNX file, as it is")

    def _close(self) -> None:
        self._shared.requests -= 1
        if self._shared.requests == 0:
            self._shared.queue.close()
        self._evaluator = None
        self._values, self._known = {}, {}


class _FakeEvents:
    def __init__(self, session: FakeSession) -> None:
        self._session = session

    def mark(self) -> int:
        return self._session._device_ns

    def elapsed_ns(self, start: Any, end: Any) -> int:
        return int(end) - int(start)


class FakeBackend(Backend):
    """The fake engine; needs an ONNX file for the reference evaluator."""

    name = "fake"

    def probe(self) -> Probe:
        """Available where `onnx` is."""
        install = install_command("fake")
        try:
            onnx = _onnx()
        except UnavailableError as error:
            return Probe(False, reason=str(error), install=install)
        return Probe(True, version=onnx.__version__, devices=("cpu",), install=install, flavours={"": ""})

    def capabilities(self, flavour: str = "") -> Capabilities:
        """fp32 alone; its options are documented here."""
        if flavour:
            raise UnsupportedError(f"fake has no flavour {flavour!r}")
        return Capabilities(
            sources=("onnx",),
            precisions=("fp32",),
            options=_OPTIONS,
            streams=True,
            asynchronous=True,
            layer_profile=True,
            stages={"upload": "", "infer": "", "download": ""},
            device_events=True,
        )

    def _build(self, source: ModelSource, variant: Variant, folder: Path) -> Artefact:
        path = source.onnx_path
        if path is None:
            raise UnsupportedError(f"fake builds from onnx, but model {source.name!r} has no ONNX file")
        if _fault(variant) == "raise_build":
            raise RuntimeError("the fake engine was told to fail in build (fault=raise_build)")
        return Artefact(path=path, bytes=path.stat().st_size, note="the ONNX file; no build step")

    def _load(self, source: ModelSource, artefact: Artefact, variant: Variant) -> Session:
        fault = _fault(variant)
        if fault == "raise_load":
            raise RuntimeError("the fake engine was told to fail in load (fault=raise_load)")
        if fault == "hang_load":
            _hang()
        if fault == "leak":
            _leak(16 * _MIB)
        if fault == "garbage_stdout":
            _garbage()
        import_engine("onnx", install_command("fake"))
        from onnx.reference import ReferenceEvaluator

        shared = _Shared(integer(variant.options, "servers", 0))
        return FakeSession(source, ReferenceEvaluator(str(artefact.path)), variant, shared)

    def _profile(self, asked: ProfileRequest) -> Profile:
        from backends import fake_profile

        if _fault(asked.variant) == "raise_profile":
            raise RuntimeError("the fake engine was told to fail in profile (fault=raise_profile)")
        session = self._load(asked.source, asked.artefact, asked.variant)
        try:
            graph = _onnx().load_model(str(asked.artefact.path), load_external_data=False).graph
            call_ns = 1000 * integer(asked.variant.options, "time_us", 0)
            return fake_profile.profile(session, graph, call_ns, asked)
        finally:
            session.close()


def _fault(variant: Variant) -> str:
    return choice(variant.options, "fault", {name: name for name in FAULTS}, "none")


def _spoil(values: dict[str, Array], fault: str) -> dict[str, Array]:
    """Right outputs -> the outputs that the fault gives."""
    first = next(iter(values))
    if fault == "nan":
        floats = {name: value for name, value in values.items() if value.dtype.kind == "f"}
        values |= {name: np.full_like(value, np.nan) for name, value in floats.items()}
    elif fault == "wrong_value":
        spoilt = values[first].copy()
        spoilt.reshape(-1)[0] += np.abs(spoilt).max() or 1
        values[first] = spoilt
    elif fault == "wrong_shape":
        values[first] = values[first][None]
    elif fault == "missing_output":
        del values[list(values)[-1]]
    elif fault == "extra_output":
        values["surplus"] = np.zeros(1, dtype=np.float32)
    elif fault == "wrong_dtype":
        values[first] = values[first].astype("float32" if values[first].dtype == np.float64 else "float64")
    return values


def _raise() -> NoReturn:
    raise RuntimeError("the fake engine was told to fail in infer (fault=raise_infer)")


def _hang() -> NoReturn:
    while True:
        time.sleep(3600)


def _leak(size: int) -> None:
    # Non-zero bytes: untouched zero pages would not become resident.
    _leaked.append(bytearray(b"\x01") * size)


def _allocate() -> NoReturn:
    while True:
        _leak(64 * _MIB)


def _garbage() -> None:
    os.write(1, b"\x00\xff{garbage from the engine}\n\xfe")


_AT_INFER: dict[str, Callable[[], object]] = {
    "raise_infer": _raise,
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit": lambda: os._exit(3),
    "hang": _hang,
    "allocate": _allocate,
    "garbage_stdout": _garbage,
    "leak": lambda: _leak(65536),
}

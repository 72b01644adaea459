"""A fake engine, for trying the harness out and for the tests of its logic.

Its outputs come from the ONNX reference evaluator, once for every `prepare`. Its `infer` takes the time that it is
told to take: it spins on the clock, which is the one place in this room where a clock is read, because taking time
*is* this engine's work. It can also misbehave in every way in which engines do: option `fault`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
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
    DeviceEvents,
    Feeds,
    ModelSource,
    Probe,
    UnavailableError,
    UnsupportedError,
    Variant,
)
from backends.engine_import import import_engine
from backends.fake_faults import AT_INFER, FAULTS, MIB, conduct_of, garbage, hang, leak, spoil
from backends.fake_queue import FakeQueue
from backends.graph_facts import GraphFacts
from backends.onnx_facts import onnx_facts
from backends.options import choice, integer, share
from backends.profile import Profile, ProfileRequest

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
        self._conduct = conduct_of(self._fault, integer(options, "fault_after", 0))
        self._values: dict[str, Array] = {}
        self._outputs: dict[str, Array] = {}
        self._known: dict[str, Array] = {}

    def _prepare(self, feeds: Feeds) -> None:
        self._evaluate(feeds)

    def _evaluate(self, feeds: Feeds) -> None:
        if self._fault == "stale" and self._values:
            return
        feeds = self._conduct.given(feeds)
        if self._known and all(np.array_equal(feeds[name], value) for name, value in self._known.items()):
            return
        self._known = {name: np.array(value) for name, value in feeds.items()}
        names = [spec.name for spec in self.outputs]
        values = self._evaluator.run(names, {name: np.array(value) for name, value in feeds.items()})
        self._values = spoil(
            {name: np.asarray(value) for name, value in zip(names, values, strict=True)}, self._fault
        )

    def _infer(self) -> None:
        self._misbehave()
        length_ns = self._conduct.work_ns(self._length_ns())
        if self._shared.servers:
            self._shared.queue.serve(length_ns)
        else:
            self._spin(length_ns)
        self._outputs = self._conduct.called(self._values)

    def timed_call(self) -> Callable[[], object]:
        """`infer` itself; one that is wrong in timed calls alone is told apart here."""
        call = super().timed_call()
        if self._fault != "wrong_timed":
            return call

        def wrong() -> None:
            call()
            self._outputs = spoil(dict(self._outputs), "wrong_value")

        return wrong

    def _misbehave(self) -> None:
        misbehave = AT_INFER.get(self._fault)
        if misbehave is not None and self._shared.requests >= self._fault_from:
            if self._calls_left > 0:
                self._calls_left -= 1
            else:
                misbehave()

    def _fork(self) -> Session:
        return FakeSession(self._source, self._evaluator, self._variant, self._shared)

    def _start(self, done: Callable[[], None]) -> None:
        self._misbehave()
        self._outputs = self._conduct.called(self._values)
        self._shared.queue.start(self._conduct.work_ns(self._length_ns()), done)

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
        self._spin(self._conduct.waiting_ns() + self._download_ns)
        return {name: np.array(value) for name, value in self._outputs.items()}

    def _download_by(self, path: str) -> dict[str, Array]:
        self._spin(self._conduct.waiting_ns() + self._download_ns)
        copied = path != ZERO_COPY
        return {name: np.array(value) if copied else value for name, value in self._outputs.items()}

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
        self._values, self._outputs, self._known = {}, {}, {}


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
            hang()
        if fault == "leak":
            leak(16 * MIB)
        if fault == "garbage_stdout":
            garbage()
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

"""One contender in its worker: opens, builds, loads, warms up and times one session of one engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Backend, Session
from backends.catalogue import load_adapter
from backends.contract import (
    Array,
    Artefact,
    ContractError,
    Feeds,
    ModelSource,
    Probe,
    StateError,
    UnavailableError,
    Variant,
)
from backends.digest import sha256_of
from backends.graph_facts import check_graph_facts
from backends.ranges import range_of
from harness.worker import clock
from harness.worker.channel import Message
from harness.worker.fresh import FreshCalls
from harness.worker.intermediates import intermediates, run_part
from harness.worker.plain import plain_text, plain_value
from harness.worker.process_facts import process_facts
from harness.worker.processing import Processing, load_processing
from harness.worker.profiling import calls_for, time_profile
from harness.worker.requests import Requests, window
from harness.worker.stages import StagedCall, time_stages, time_transfers
from harness.worker.tensors import pack, unpack
from harness.worker.usage import count_usage


class ContenderHost:
    """Holds the adapter and its session between requests. Input sets are bound one at a time."""

    def __init__(self) -> None:
        self._backend: Backend | None = None
        self._source: ModelSource | None = None
        self._variant = Variant()
        self._session: Session | None = None
        self._feeds: dict[str, dict[str, Array]] = {}
        self._expected: dict[str, dict[str, Array]] = {}
        self._bound = ""
        self._clock_ns = 0.0
        self._requests: Requests | None = None

    def probe(self, request: Message) -> Message:
        """Is the engine here? Answers with the fields of `Probe`."""
        probe = _probed(load_adapter(request.head["backend"]))
        return Message({"probe": plain_value(asdict(probe))})

    def open(self, request: Message) -> Message:
        """Import the engine; "import_ns" is the time that took."""
        head = request.head
        self._source = ModelSource.from_json(head["source"])
        self._variant = Variant(**head["variant"])
        self._clock_ns = clock.clock_cost_ns()

        def import_engine() -> Probe:
            self._backend = load_adapter(head["backend"])
            return _probed(self._backend)

        import_ns, probe = clock.elapsed_ns(import_engine)
        flavour = self._variant.flavour
        if not probe.available:
            reason = probe.reason or f"{head['backend']} cannot run here"
            raise UnavailableError(f"{reason}; install it with: {probe.install}" if probe.install else reason)
        if flavour and flavour not in probe.flavours:
            known = ", ".join(sorted(name for name in probe.flavours if name)) or "none"
            raise UnavailableError(f"{head['backend']} has no flavour {flavour!r}; flavours: {known}")
        if probe.flavours.get(flavour):
            raise UnavailableError(f"{head['backend']}:{flavour} cannot run here: {probe.flavours[flavour]}")
        stages = self._backend.capabilities(flavour).stages if self._backend else {}
        return Message(
            {"import_ns": import_ns, "version": plain_text(probe.version), "stages": plain_value(stages)}
        )

    def build(self, request: Message) -> Message:
        """Build the artefact into "folder"."""
        backend, source = self._opened()
        folder = Path(request.head["folder"])
        build_ns, artefact = clock.elapsed_ns(lambda: backend.build(source, self._variant, folder))
        _require(artefact, Artefact, f"build of {backend.name}")
        path = str(artefact.path) if artefact.path else None
        size = None if artefact.bytes is None else int(artefact.bytes)
        return Message(
            {
                "build_ns": build_ns,
                "artefact": {"path": path, "bytes": size, "note": plain_text(artefact.note)},
            }
        )

    def load(self, request: Message) -> Message:
        """Load the artefact; answers with the signature as the engine has it."""
        backend, source = self._opened()
        artefact = _artefact(request.head["artefact"])
        load_ns, session = clock.elapsed_ns(lambda: backend.load(source, artefact, self._variant))
        _require(session, Session, f"load of {backend.name}")
        self._session = session
        return Message(
            {
                "load_ns": load_ns,
                "inputs": [plain_value(spec.to_json()) for spec in session.inputs],
                "outputs": [plain_value(spec.to_json()) for spec in session.outputs],
            }
        )

    def feeds(self, request: Message) -> Message:
        """Keep an input set under its name; answers with the hash of what came."""
        arrays = self._feeds[request.head["set"]] = unpack(request.fds[0], request.head["layout"])
        return Message({"sha256": sha256_of(arrays)})

    def first(self, request: Message) -> Message:
        """Bind an input set and time the very first inference."""
        call = self._bind(request.head["set"])
        first_ns, _ = clock.elapsed_ns(call)
        return Message({"first_ns": first_ns})

    def outputs(self, request: Message) -> Message:
        """Outputs for one input set; kept, so that timed outputs can be compared with them."""
        name = request.head["set"]
        self._bind(name)()
        assert self._session is not None
        results = _numbers(self._session.download())
        self._expected[name] = {key: value.copy() for key, value in results.items()}
        fd, layout = pack(results)
        return Message({"layout": layout}, fds=(fd,))

    def warm(self, request: Message) -> Message:
        """Time single calls: at most "calls" of them, at most "ns" nanoseconds long."""
        call = self._bind(request.head["set"])
        with range_of("warm-up"):
            times = clock.timed_until(call, request.head["calls"], request.head["ns"])
        median = float(np.median(times))
        return Message(
            {"calls_per_sample": clock.calls_per_sample(median, self._clock_ns)}, payload=times.tobytes()
        )

    def block(self, request: Message) -> Message:
        """Time one block: "discard" calls first, then "samples" samples of "calls" calls; check the last output."""
        head = request.head
        call = self._bind(head["set"])
        with range_of("block"):
            for _ in range(head["discard"]):
                call()
            cpu_start = time.process_time_ns()
            times = clock.timed_samples(call, head["samples"], head["calls"])
            cpu_ns = time.process_time_ns() - cpu_start
        check_ns, drift = clock.elapsed_ns(lambda: self._drift(head["set"]))
        return Message({"cpu_ns": cpu_ns, "drift": drift, "check_ns": check_ns}, payload=times.tobytes())

    def fresh(self, request: Message) -> Message:
        """Calls on inputs never seen against calls on seen ones; see `worker.fresh`. With the held-back outputs."""
        head = request.head
        self._bind(head["set"])
        # What is brought in is memory of this pass, and goes with it, however it ends.
        self._bound = ""
        assert self._session is not None
        fresh = FreshCalls(self._session, self._feeds[head["set"]], _difference)
        answer = fresh.run(head["first"], head["fewest"], head["ns"])
        if answer["reason"]:
            return Message(answer)
        fd, answer["layout"] = pack(_numbers(fresh.held_back()))
        return Message(answer, fds=(fd,))

    def stages(self, request: Message) -> Message:
        """Time whole calls and their stages, then every way of carrying inputs and outputs; see `worker.stages`."""
        head = request.head
        self._bind(head["set"])
        # Uploads bind memory that goes with this pass, however it ends.
        self._bound = ""
        session, feeds = self._session, self._feeds[head["set"]]
        assert session is not None
        processing, problems = self._processing(head["processing"])
        answer = time_stages(StagedCall(session, feeds, processing, problems), head["ns"])
        answer["transfers"] = time_transfers(session, feeds, head["transfer_ns"])
        answer["implementation"] = processing.implementation if processing else {}
        answer["items"] = [item.name for item in processing.items] if processing else []
        answer["dropped"] = processing.dropped if processing else []
        return Message(answer)

    def _processing(self, asked: Mapping[str, Any] | None) -> tuple[Processing | None, dict[str, str]]:
        if asked is None:
            none = "the model has no such step"
            return None, {"preprocess": none, "postprocess": none}
        assert self._session is not None
        variant = self._variant
        try:
            return load_processing(
                asked, self._session.inputs, self._session.outputs, variant.dims, variant.batch
            ), {}
        except Exception as error:  # noqa: BLE001 - a missing library or file is the reason that is shown
            hint = getattr(error, "hint", "")
            reason = plain_text(f"{error}" + (f"; {hint}" if hint else ""), 500)
            return None, {"preprocess": reason, "postprocess": reason}

    def usage(self, request: Message) -> Message:
        """Call for "ns" nanoseconds and count CPU seconds, context switches and page faults."""
        return Message(count_usage(self._bind(request.head["set"]), request.head["ns"]))

    def profile(self, request: Message) -> Message:
        """Profile by layer in a session of its own; times the same calls without. "calls" 0: as many as fit."""
        backend, source = self._opened()
        head = request.head
        call = self._bind(head["set"])
        calls = head["calls"] or calls_for(clock.elapsed_ns(call)[0])
        told = time_profile(
            backend,
            source,
            _artefact(head["artefact"]),
            self._variant,
            self._feeds[head["set"]],
            call,
            calls,
            Path(head["folder"]),
        )
        return Message(told)

    def intermediates(self, request: Message) -> Message:
        """Values of the ONNX "tensors" inside the model, as many as the engine has; see `worker.intermediates`."""
        backend, source = self._opened()
        head = request.head
        feeds = self._feeds[head["set"]]
        artefact = _artefact(head["artefact"])
        return intermediates(backend, source, artefact, self._variant, feeds, head["tensors"])

    def part(self, request: Message) -> Message:
        """The tensor "target" as the part of the model makes it that begins at the tensors in the message."""
        backend, source = self._opened()
        feeds = self._feeds[request.head["set"]]
        return run_part(backend, source, _artefact(request.head["artefact"]), self._variant, feeds, request)

    def requests(self, request: Message) -> Message:
        """Have "count" requests of the session, in the engine's "queue" or not, on the input "sets"."""
        if self._session is None:
            raise StateError("requests need load first")
        if self._requests is None:
            self._requests = Requests(self._session)
        head = request.head
        self._bound = ""
        asked = head["processing"]
        own = self._requests.set_up(
            head["count"],
            queue=head["queue"],
            sets=head["sets"],
            feeds=self._feeds,
            stager=None if asked is None else lambda session, feeds: self._staged(session, feeds, asked),
        )
        return Message({"ceiling_per_s": own})

    def _staged(self, session: Session, feeds: Feeds, asked: Mapping[str, Any]) -> StagedCall:
        """A request that goes through all stages; raises ContractError when one of them does not work."""
        processing, problems = self._processing(asked)
        call = StagedCall(session, feeds, processing, problems)
        if processing is not None:
            call.check()
        if call.problems:
            raise ContractError("; ".join(f"{stage}: {why}" for stage, why in call.problems.items()))
        return call

    def window(self, request: Message) -> Message:
        """Keep the requests in flight for one window, and compare the last outputs of each with the checked ones."""
        if self._requests is None:
            raise StateError("a window needs requests first")
        told, payload = window(self._requests, request)
        found = (
            self._requests.drift(self._expected, _difference),
            self._requests.exchanged(self._feeds, self._expected, _difference),
        )
        drift = max((value for value in found if value is not None), default=None)
        return Message({**told, "drift": drift}, payload=payload)

    def effective(self, _request: Message) -> Message:
        """The configuration that the engine really runs with; asking may cost memory, so it is asked last."""
        if self._session is None:
            return Message({"effective": {}})
        effective = self._session.effective()
        _require(effective, dict, "effective()")
        return Message({"effective": plain_value({**process_facts(), **effective})})

    def graph(self, _request: Message) -> Message:
        """What the engine made of the model: fields of `GraphFacts` with its signature, or None where it does not tell.

        Nothing is timed after it.
        """
        session = self._session
        if session is None or self._backend is None:
            raise StateError("graph needs load first")
        facts = session.graph()
        if facts is None:
            return Message({"graph": None})
        told = check_graph_facts(facts, self._backend.name).to_json()
        told["parameters"] = facts.parameters
        told["inputs"] = [spec.to_json() for spec in session.inputs]
        told["outputs"] = [spec.to_json() for spec in session.outputs]
        return Message({"graph": plain_value(told)})

    def close(self, _request: Message) -> Message:
        """Release the session."""
        if self._requests is not None:
            self._requests.close()
            self._requests = None
        if self._session is not None:
            self._session.close()
            self._session = None
        return Message({})

    def _opened(self) -> tuple[Backend, ModelSource]:
        if self._backend is None or self._source is None:
            raise StateError("build and load need open first")
        return self._backend, self._source

    def _bind(self, name: str) -> Callable[[], object]:
        if self._session is None:
            raise StateError("running needs load first")
        if self._bound != name:
            self._session.prepare(self._feeds[name])
            self._session.upload()
            self._session.synchronize()
            self._bound = name
        return self._session.timed_call()

    def _drift(self, name: str) -> float | None:
        """Largest relative difference (root mean square) of the last outputs from the checked ones.

        None when nothing was checked for this input set; infinity when names, shapes or finiteness differ.
        """
        expected = self._expected.get(name)
        if expected is None:
            return None
        assert self._session is not None
        return _difference(self._session.download(), expected)


def _difference(actual: Mapping[str, Array], expected: Mapping[str, Array]) -> float | None:
    """Largest `relative_difference` of any output; infinity where names differ, None without any output."""
    if set(actual) != set(expected):
        return float("inf")
    return max(
        (relative_difference(np.asarray(actual[key]), expected[key]) for key in expected), default=None
    )


def _artefact(told: Mapping[str, Any]) -> Artefact:
    return Artefact(Path(told["path"]) if told["path"] else None, told["bytes"], told["note"])


def _probed(backend: Backend) -> Probe:
    probe = backend.probe()
    _require(probe, Probe, f"probe of {backend.name}")
    return probe


def _require(value: object, kind: type, what: str) -> None:
    if not isinstance(value, kind):
        raise ContractError(f"{what} returned {type(value).__name__}, expected {kind.__name__}")


def _numbers(outputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs as arrays. Raises ContractError for what cannot be compared with numbers."""
    _require(outputs, Mapping, "download()")
    arrays = {}
    for name, value in outputs.items():
        _require(name, str, "download(), as an output's name,")
        arrays[plain_text(name)] = array = np.asarray(value)
        if array.dtype.kind not in "biufc":
            raise ContractError(
                f"output {plain_text(name)!r} came back as {array.dtype}, which are no numbers"
            )
    return arrays


def relative_difference(actual: Array, expected: Array) -> float:
    """Root mean square of the difference over that of `expected`; infinity where they cannot be compared."""
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return float("inf")
    if np.array_equal(actual, expected, equal_nan=actual.dtype.kind in "fc"):
        return 0.0
    wide, base = actual.astype(np.float64), expected.astype(np.float64)
    if not np.array_equal(np.isfinite(wide), np.isfinite(base)):
        return float("inf")
    finite = np.isfinite(base)
    difference = float(np.sqrt(np.mean(np.square(wide[finite] - base[finite])))) if finite.any() else 0.0
    scale = float(np.sqrt(np.mean(np.square(base[finite])))) if finite.any() else 0.0
    return difference / scale if scale > 0 else difference

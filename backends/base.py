"""The contract that every adapter fulfils: `Backend` finds, builds and loads; `Session` runs.

The base classes check state, names, dtypes and shapes, so that an adapter holds engine code only: it fills in the
methods that begin with an underscore. There is no clock here: whoever calls decides what is timed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

from backends.contract import (
    Array,
    Artefact,
    Capabilities,
    ContractError,
    DeviceEvents,
    Feeds,
    ModelSource,
    Probe,
    StateError,
    TensorSpec,
    UnsupportedError,
    Variant,
)
from backends.dtypes import dtype_of
from backends.graph_facts import GraphFacts
from backends.intermediates import IntermediateReader, IntermediateRequest, read_tensors
from backends.profile import Profile, ProfileRequest, Repeat, check_profile, run_repeatedly
from backends.ranges import range_of


class Session(ABC):
    """One loaded model on one engine.

    Order of calls: `prepare`, then any number of (`upload`, `infer`, `synchronize`, `download`), then `close`;
    `prepare` again binds other inputs. Outputs come back as numpy arrays by name, in the model's order.
    """

    upload_paths: tuple[str, ...] = ()
    """Ways in which `upload` can bring inputs in (`backends.contract.PATHS`), the engine's best first. Empty where
    the engine does not separate it; `Capabilities.stages` says why."""
    download_paths: tuple[str, ...] = ()
    """The same for `download`; the default of `download` is a copy that the caller may keep."""

    def __init__(self, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self._feeds: Feeds = {}
        self._prepared = False
        self._inferred = False
        self._closed = False

    def prepare(self, feeds: Feeds) -> None:
        """Bind `feeds` (name -> array, C-contiguous, dtype as declared) and allocate once.

        Raises ContractError for a missing, unknown or ill-typed input, StateError after `close`.
        """
        if self._closed:
            raise StateError("prepare was called after close")
        check_feeds(feeds, self.inputs)
        self._prepared = self._inferred = False
        with range_of("prepare"):
            self._prepare(feeds)
        self._feeds = feeds
        self._prepared = True

    def upload(self, feeds: Feeds | None = None, path: str = "") -> None:
        """Bring inputs to where the engine reads them, by `path` (default: the first of `upload_paths`).

        Without `feeds` those that were prepared are brought again. `feeds` must have the names, dtypes and shapes
        that were prepared and stay untouched until the outputs are there; they are not checked. On asynchronous
        devices it may return before the end. A no-op where the engine has no upload of its own. Raises StateError
        before `prepare`, UnsupportedError for another path.
        """
        self._require_prepared("upload")
        with range_of("upload"):
            self._upload(feeds, _path(path, self.upload_paths, "upload"))

    def infer(self) -> None:
        """Start one inference; on asynchronous devices it may return before the end."""
        self._require_prepared("infer")
        with range_of("infer"):
            self._infer()
        self._inferred = True

    def synchronize(self) -> None:
        """Wait until the device has finished all that was started."""
        self._require_prepared("synchronize")
        with range_of("synchronize"):
            self._synchronize()

    def download(self, path: str = "") -> dict[str, Array]:
        """Outputs of the last inference as host arrays.

        Without `path` they are the caller's to keep; by "zero_copy" and "pinned" they are the session's memory and
        good until the next inference. Raises StateError when there was no inference, UnsupportedError for a path
        that is not in `download_paths`.
        """
        self._require_prepared("download")
        if not self._inferred:
            raise StateError("download was called before infer")
        named = bool(path) and path == _path(path, self.download_paths, "download")
        with range_of("download"):
            return self._download_by(path) if named else self._download()

    def events(self) -> DeviceEvents | None:
        """Marks on the device, where `Capabilities.device_events` says so; else None."""
        return None

    def timed_call(self) -> Callable[[], object]:
        """The callable that the timing loop calls: one inference, finished on return, with no checks around it.

        It is good until the next `prepare` or `close`. It cannot record that it ran, so from here on `download`
        takes for granted that it did.
        """
        self._require_prepared("timed_call")
        self._inferred = True
        if type(self)._synchronize is Session._synchronize:
            return self._infer
        infer, synchronize = self._infer, self._synchronize

        def call() -> None:
            infer()
            synchronize()

        return call

    def fork(self) -> Session:
        """Another request on the same loaded model, with inputs and outputs of its own.

        It may run at the same time as this one, from another thread that holds its `in_thread()`, and is closed by
        itself, before or after this one. Raises UnsupportedError where `Capabilities.streams` is False, StateError
        after `close`.
        """
        if self._closed:
            raise StateError("fork was called after close")
        return self._fork()

    def in_thread(self) -> AbstractContextManager[object]:
        """What a thread must hold while it runs this request, if it is not the one that loaded the model."""
        return nullcontext()

    def start(self, done: Callable[[], None]) -> None:
        """Hand one inference to the engine's queue and return; `done` is called once at its end, from any thread.

        `synchronize` after it raises what went wrong in the inference, if anything did; until then no other step may
        be called. Raises UnsupportedError where `Capabilities.asynchronous` is False.
        """
        self._require_prepared("start")
        self._start(done)
        self._inferred = True

    def effective(self) -> dict[str, Any]:
        """What the engine really runs with, read back from the engine; JSON-able.

        Every adapter gives `threads` (int; None where the device has no such setting), `precision` (a word of
        `contract.PRECISIONS`) and `device` (str), and adds what else its engine tells.
        """
        return {}

    def graph(self) -> GraphFacts | None:
        """What the engine made of the model: operators, constants, operator set; None where it does not tell.

        Asked last, because it may load the model again, write it out or run it: nothing is timed after it.
        """
        return None

    def close(self) -> None:
        """Release the engine's memory; calling it twice is fine."""
        if not self._closed:
            self._closed = True
            self._prepared = False
            self._close()

    def _require_prepared(self, step: str) -> None:
        if self._closed:
            raise StateError(f"{step} was called after close")
        if not self._prepared:
            raise StateError(f"{step} was called before prepare")

    def _fork(self) -> Session:
        raise UnsupportedError("this engine runs one request at a time")

    def _start(self, done: Callable[[], None]) -> None:
        raise UnsupportedError("this engine has no queue of requests")

    @abstractmethod
    def _prepare(self, feeds: Feeds) -> None: ...

    def _upload(self, feeds: Feeds | None, path: str) -> None:  # noqa: B027 - not every engine has an upload
        pass

    @abstractmethod
    def _infer(self) -> object: ...

    def _synchronize(self) -> None:  # noqa: B027 - a synchronous engine has nothing to wait for
        pass

    @abstractmethod
    def _download(self) -> dict[str, Array]: ...

    def _download_by(self, path: str) -> dict[str, Array]:
        """Download by one of `download_paths`; needed where there is another than a copy."""
        return self._download()

    def _close(self) -> None:  # noqa: B027 - dropping the references is enough for most engines
        pass


class Backend(ABC):
    """An inference engine. One instance lives in one worker process, and runs one flavour."""

    name: ClassVar[str]
    """Canonical name, as in the entry-point group `harness.backends`."""

    @abstractmethod
    def probe(self) -> Probe:
        """Whether the engine is here, its version and devices; never raises for a missing engine."""

    @abstractmethod
    def capabilities(self, flavour: str = "") -> Capabilities:
        """What this flavour can do."""

    def build(self, source: ModelSource, variant: Variant, folder: Path) -> Artefact:
        """Convert or compile `source` for `variant` into `folder` (exists, empty, ours).

        Raises UnsupportedError for a precision, option or kind of source that the adapter does not take.
        """
        self.check(source, variant)
        with range_of(f"build {self.name}"):
            return self._build(source, variant, folder)

    def load(self, source: ModelSource, artefact: Artefact, variant: Variant) -> Session:
        """Make a `Session` from what `build` left."""
        self.check(source, variant)
        with range_of(f"load {self.name}"):
            return self._load(source, artefact, variant)

    def profile(
        self,
        source: ModelSource,
        artefact: Artefact,
        variant: Variant,
        feeds: Feeds,
        calls: int,
        folder: Path,
        repeat: Repeat = run_repeatedly,
    ) -> Profile:
        """Run `calls` inferences in a session of its own with the engine's profiler on; times are the engine's.

        Raw traces stay in `folder` (exists). `repeat` runs the profiled calls, so that the caller can time them.
        Raises UnsupportedError where the engine has no profiler by layer, ContractError for `feeds` that do not fit
        and for a profile that cannot be used.
        """
        can = self.capabilities(variant.flavour)
        if not can.layer_profile:
            reason = can.reasons.get("layer_profile", "its adapter has no profile by layer")
            raise UnsupportedError(f"{self.name} cannot be profiled by layer: {reason}")
        self.check(source, variant)
        check_feeds(feeds, source.inputs)
        if calls < 1:
            raise ContractError(f"a profile of {calls} calls was asked for; expected at least 1")
        asked = ProfileRequest(source, artefact, variant, feeds, calls, folder, repeat)
        with range_of(f"profile {self.name}"):
            return check_profile(self._profile(asked), self.name, calls)

    def intermediates(
        self, source: ModelSource, artefact: Artefact, variant: Variant, feeds: Feeds, tensors: Sequence[str]
    ) -> dict[str, Array]:
        """Values of intermediate tensors, named as in the model's ONNX file, in one inference as `load` would run it.

        In the given order, without those that are not in `intermediate_tensors`; they may take much memory: ask for
        some at a time. Formats that numpy lacks are cast up exactly. Raises UnsupportedError where the engine cannot
        give them, ContractError for `feeds` that do not fit.
        """
        reader = self._reader(source, artefact, variant, feeds)
        with range_of(f"intermediates {self.name}"):
            return read_tensors(reader, tensors, self.name)

    def intermediate_tensors(
        self, source: ModelSource, artefact: Artefact, variant: Variant, feeds: Feeds
    ) -> tuple[str, ...]:
        """ONNX tensors that `intermediates` can give, in topological order; raises as that does.

        A tensor that the engine keeps inside a kernel, or does not compute at all, is not among them.
        """
        return self._reader(source, artefact, variant, feeds).tensors

    def run_part(
        self,
        source: ModelSource,
        artefact: Artefact,
        variant: Variant,
        feeds: Feeds,
        given: Mapping[str, Array],
        target: str,
        folder: Path,
    ) -> Array:
        """The tensor `target` as the part of the model makes it that lies between it and the tensors `given`.

        `given` are values of ONNX tensors or inputs by name, `feeds` the inputs of the whole model, from which sizes
        come. What the script of `reproduction` needs to do the same is written to `folder` (exists). Raises as
        `intermediates` does, and UnsupportedError where the part needs more than `given`.
        """
        return self._reader(source, artefact, variant, feeds).run_part(given, target, folder)

    def _reader(
        self, source: ModelSource, artefact: Artefact, variant: Variant, feeds: Feeds
    ) -> IntermediateReader:
        can = self.capabilities(variant.flavour)
        if not can.intermediate_outputs:
            reason = can.reasons.get("intermediate_outputs", "its adapter does not give them")
            raise UnsupportedError(f"{self.name} gives no values of intermediate tensors: {reason}")
        self.check(source, variant)
        check_feeds(feeds, source.inputs)
        return self._intermediates(IntermediateRequest(source, artefact, variant, feeds))

    def reproduction(self, variant: Variant) -> str:
        """Python source of a module that drives the engine with nothing of ours: it goes into a folder of its own.

        It has `run(model, inputs, settings)`: the path of an ONNX file, arrays by name, and a dict with "flavour",
        "precision", "threads", "options" as in `variant`; it returns the outputs by name. Raises UnsupportedError
        where there is none.
        """
        raise UnsupportedError(f"the adapter of {self.name} has no script that runs an ONNX file by itself")

    def check(self, source: ModelSource, variant: Variant) -> None:
        """Raise UnsupportedError when the declared capabilities exclude what is asked."""
        can = self.capabilities(variant.flavour)
        if variant.precision not in can.precisions:
            raise UnsupportedError(
                f"{self.name} does not run {variant.precision} here; it can run {', '.join(can.precisions)}"
            )
        for option in variant.options:
            if option not in can.options:
                known = ", ".join(sorted(can.options)) or "none"
                raise UnsupportedError(f"{self.name} has no option {option!r}; options: {known}")
        if not self._usable_sources(source, can):
            raise UnsupportedError(
                f"{self.name} builds from {' or '.join(can.sources)}, "
                f"but model {source.name!r} does not come in that form"
            )

    def lacks(self, error: BaseException) -> str:
        """What the engine itself lacks, when `error` is its way to say so: its words, in one line. Empty otherwise.

        `error` came from `build`, `load` or the first steps of a session. An adapter says in `_lacks` by which type or
        words of its engine's errors it knows; an error that it does not know is a failure.
        """
        if isinstance(error, UnsupportedError | NotImplementedError):
            return str(error) or type(error).__name__
        return self._lacks(error)

    def _usable_sources(self, source: ModelSource, can: Capabilities) -> tuple[str, ...]:
        has = {"onnx": source.onnx_path is not None, "torch": source.torch_factory is not None}
        return tuple(kind for kind in can.sources if has.get(kind, False))

    @abstractmethod
    def _build(self, source: ModelSource, variant: Variant, folder: Path) -> Artefact: ...

    @abstractmethod
    def _load(self, source: ModelSource, artefact: Artefact, variant: Variant) -> Session: ...

    def _lacks(self, error: BaseException) -> str:
        return ""

    def _profile(self, asked: ProfileRequest) -> Profile:
        raise UnsupportedError(f"{self.name} declares a profile by layer and has none")

    def _intermediates(self, asked: IntermediateRequest) -> IntermediateReader:
        raise UnsupportedError(f"{self.name} declares values of intermediate tensors and has none")


def _path(path: str, paths: tuple[str, ...], step: str) -> str:
    """The path to take; raises UnsupportedError for one that the session does not have."""
    if not path:
        return paths[0] if paths else ""
    if path not in paths:
        raise UnsupportedError(f"{step} has no path {path!r} here; paths: {', '.join(paths) or 'none'}")
    return path


def check_feeds(feeds: Mapping[str, Array], inputs: tuple[TensorSpec, ...]) -> None:
    """Raise ContractError unless `feeds` has exactly the declared inputs, with their dtypes and ranks."""
    declared = {spec.name: spec for spec in inputs}
    for name in feeds:
        if name not in declared:
            raise ContractError(f"unknown input {name!r}; the model has {', '.join(declared)}")
    for name, spec in declared.items():
        if name not in feeds:
            raise ContractError(f"input {name!r} is missing")
        array = feeds[name]
        if array.dtype != dtype_of(spec.dtype):
            raise ContractError(f"input {name!r} is {array.dtype}, the model declares {spec.dtype}")
        if array.ndim != len(spec.shape):
            raise ContractError(f"input {name!r} has rank {array.ndim}, the model declares {len(spec.shape)}")
        for axis, (size, dim) in enumerate(zip(array.shape, spec.shape, strict=True)):
            if isinstance(dim, int) and dim != size:
                raise ContractError(
                    f"input {name!r} has size {size} at axis {axis}, the model declares {dim}"
                )

"""Reference outputs: from the cache, or computed once in a guarded worker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from types import TracebackType
from typing import Self

from backends.contract import Array, ModelSource
from harness.run.jobs import ask_job
from harness.run.observer import Observer
from harness.run.worker import Worker, WorkerFailure

DEADLINE_S = 900.0


@dataclass(frozen=True)
class Reference:
    """Outputs on one input set by name: `right` in float64, `yardstick` in float32."""

    right: Mapping[str, Array]
    yardstick: Mapping[str, Array]


@dataclass
class References:
    """Reference outputs by input set. `problem` says why there are none, when there are none."""

    by_set: dict[str, Reference] = field(default_factory=dict)
    reference_name: str = ""
    yardstick_name: str = ""
    problem: str = ""


def make_references(
    source: ModelSource,
    feeds: Mapping[str, Mapping[str, Array]],
    hashes: Mapping[str, str],
    threads: int,
    observer: Observer,
) -> References:
    """Reference outputs for every input set. A model that the reference cannot run is measured all the same.

    Its parity is then unknown, with the reason.
    """
    made = References()
    try:
        with _Maker(source, threads, observer) as maker:
            for name, arrays in feeds.items():
                right, made.reference_name = maker.outputs(arrays, hashes[name], "float64")
                yardstick, made.yardstick_name = maker.outputs(arrays, hashes[name], "float32")
                made.by_set[name] = Reference(right, yardstick)
    except WorkerFailure as failure:
        made.by_set.clear()
        made.problem = f"the reference cannot run this model: {failure.message}"
        if failure.kind == "ModuleNotFoundError":
            made.problem += "; install it with: pip install 'inference-harness[torch]'"
        observer.say(f"Parity will be unknown: {made.problem}")
    return made


class _Maker:
    """Starts its worker when the first output is not in the cache."""

    def __init__(self, source: ModelSource, threads: int, observer: Observer) -> None:
        self._source = source
        self._threads = threads
        self._observer = observer
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.end()

    def outputs(
        self, feeds: Mapping[str, Array], inputs_sha256: str, dtype: str
    ) -> tuple[Mapping[str, Array], str]:
        """Outputs by name in `dtype`, and the reference's description."""
        from suites import cache
        from suites.errors import ModelError
        from suites.reference import REVISION

        source = self._source
        engine = "torch" if source.torch_factory else "onnx"
        facts = (source.sha256, inputs_sha256, dtype, engine, _version(engine), str(REVISION))
        key = hashlib.sha256("|".join(facts).encode()).hexdigest()
        cached = cache.load_arrays("references", key)
        if cached is not None:
            arrays, meta = cached
            return arrays, str(meta["description"])
        made, description = self._make(feeds, dtype)
        try:
            cache.store_arrays("references", key, made, {"description": description})
        except ModelError as error:
            self._observer.say(f"The reference outputs are not kept: {error.message}")
        return made, description

    def _make(self, feeds: Mapping[str, Array], dtype: str) -> tuple[dict[str, Array], str]:
        if self._worker is None:
            name = self._source.name
            self._observer.say(f"Computing reference outputs of {name}, once (kept in the cache) ...")
            self._worker = Worker("reference", threads=self._threads)
        answer, arrays = ask_job(
            self._worker,
            "suites.reference:reference",
            {"source": self._source.to_json(), "dtype": dtype, "threads": self._threads},
            feeds,
            deadline_s=DEADLINE_S,
            phase=f"reference outputs in {dtype}",
        )
        return arrays, str(answer["description"])


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "none"

"""Reference outputs: from the cache, or computed once in a guarded worker.

Every reference is run twice, so that a model which disagrees with itself is found out. A model that exists only as
ONNX goes down a chain: the reference evaluator in float64; the same with single operators in float32 where it has
them in no other precision; ONNX Runtime without its optimisations, where the evaluator lacks an operator, fails or
is too slow. What was used, and what it is worth, is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from types import TracebackType
from typing import Any, Self

from backends.contract import Array, ModelSource
from harness.judge.parity.determinism import judge_agreement
from harness.judge.parity.reference_outputs import Reference as Reference
from harness.judge.parity.reference_outputs import References as References
from harness.records import SelfAgreement
from harness.run.jobs import ask_job
from harness.run.observer import Observer
from harness.run.worker import Worker, WorkerFailure

DEADLINE_S = 900.0
EVALUATOR_DEADLINE_S = 300.0
"""For one run of the ONNX reference evaluator, which computes everything in numpy; ResNet-50 takes 3 seconds."""

_NO_RUNTIME = "pip install 'inference-harness[ort]'"


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
    slow = _Slow(source, hashes)
    problem = slow.kept()
    if problem is None:
        try:
            return _all(source, feeds, hashes, threads, observer, by_engine=False)
        except WorkerFailure as failure:
            problem = failure
    reason = f"the reference cannot run this model: {problem.message}"
    if source.torch_factory is None and problem.kind != "ModuleNotFoundError":
        slow.keep(problem)
        try:
            made = _all(source, feeds, hashes, threads, observer, by_engine=True, why=problem.message)
        except WorkerFailure as failure:
            reason += f"; and as a last resort {failure.message}"
            if failure.kind == "ModuleNotFoundError":
                reason += f"; install it with: {_NO_RUNTIME}"
        else:
            observer.say(f"Judged by {made.reference_name}: {made.note}.")
            return made
    elif problem.kind == "ModuleNotFoundError":
        reason += "; install it with: pip install 'inference-harness[torch]'"
    observer.say(f"Parity will be unknown: {reason}")
    return References(problem=reason)


class _Slow:
    """Remembers that the evaluator ran out of time, so that the next comparison does not wait for it again."""

    def __init__(self, source: ModelSource, hashes: Mapping[str, str]) -> None:
        facts = (source.sha256, *hashes.values(), str(EVALUATOR_DEADLINE_S), _version("onnx"))
        self._key = hashlib.sha256("|".join(facts).encode()).hexdigest()

    def kept(self) -> WorkerFailure | None:
        """The failure of an earlier time."""
        from suites import cache

        found = cache.load_arrays("slow-references", self._key)
        if found is None:
            return None
        return WorkerFailure("timeout", "reference outputs", "timeout", str(found[1]["message"]))

    def keep(self, failure: WorkerFailure) -> None:
        """Keep `failure` where it is one of time."""
        from suites import cache
        from suites.errors import ModelError

        if failure.status == "timeout":
            # A full disk was told of already, where outputs were to be kept.
            with suppress(ModelError):
                cache.store_arrays("slow-references", self._key, {}, {"message": failure.message})


def _all(
    source: ModelSource,
    feeds: Mapping[str, Mapping[str, Array]],
    hashes: Mapping[str, str],
    threads: int,
    observer: Observer,
    *,
    by_engine: bool,
    why: str = "",
) -> References:
    made = References()
    disagreements: list[SelfAgreement] = []
    with _Maker(source, threads, observer, by_engine=by_engine) as maker:
        for name, arrays in feeds.items():
            right, facts = maker.outputs(arrays, hashes[name], "float64")
            # Where both would round alike, inputs moved by one rounding show how much rounding matters.
            nudge = facts["strength"] != "independent"
            yardstick, own = maker.outputs(arrays, hashes[name], "float32", nudge=nudge)
            made.by_set[name] = Reference(right, yardstick)
            disagreements += maker.agreement(name, arrays, hashes[name], made.by_set[name])
            made.reference_name, made.yardstick_name = str(facts["description"]), str(own["description"])
            if nudge:
                made.yardstick_name += " with inputs and weights moved by one rounding"
            made.strength, made.quantised = facts["strength"], bool(facts["quantised"])
            made.note = str(facts["note"])
    made.disagreements = tuple(disagreements)
    if by_engine:
        from suites.engine_reference import ENGINE

        made.engine = ENGINE
        hidden = "an error of ONNX Runtime's plain kernels stays hidden"
        made.note = f"there is no reference in float64 ({why}), and {hidden}"
    return made


class _Maker:
    """Starts its worker when the first output is not in the cache."""

    def __init__(self, source: ModelSource, threads: int, observer: Observer, *, by_engine: bool) -> None:
        self._source = source
        self._threads = threads
        self._observer = observer
        self._worker: Worker | None = None
        self._by_torch = source.torch_factory is not None
        self._by_engine = by_engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.end()

    def outputs(
        self, feeds: Mapping[str, Array], inputs_sha256: str, dtype: str, *, nudge: bool = False
    ) -> tuple[Mapping[str, Array], Mapping[str, Any]]:
        """Outputs by name in `dtype`, and what the job says of them."""
        from suites import cache

        key = self._key(inputs_sha256, dtype, "nudged" if nudge else "plain")
        cached = cache.load_arrays("references", key)
        if cached is not None:
            return cached
        made, answer = self._make(feeds, dtype, nudge=nudge)
        self._keep(key, made, answer)
        return made, answer

    def agreement(
        self, input_set: str, feeds: Mapping[str, Array], inputs_sha256: str, reference: Reference
    ) -> tuple[SelfAgreement, ...]:
        """The outputs that a second run in float64 does not give again."""
        from suites import cache

        key = self._key(inputs_sha256, "float64", "again")
        cached = cache.load_arrays("references", key)
        if cached is not None:
            kept = [SelfAgreement.model_validate(each) for each in cached[1]["disagreements"]]
            return tuple(each.model_copy(update={"input_set": input_set}) for each in kept)
        again, _ = self._make(feeds, "float64", run=1)
        found = judge_agreement(input_set, reference.right, again, reference.yardstick)
        self._keep(key, {}, {"disagreements": [json.loads(each.model_dump_json()) for each in found]})
        return found

    def _key(self, inputs_sha256: str, dtype: str, what: str) -> str:
        from suites.reference import REVISION

        engine = "torch" if self._by_torch else "onnxruntime" if self._by_engine else "onnx"
        facts = (self._source.sha256, inputs_sha256, dtype, what, engine, _version(engine), str(REVISION))
        return hashlib.sha256("|".join(facts).encode()).hexdigest()

    def _keep(self, key: str, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
        from suites import cache
        from suites.errors import ModelError

        try:
            cache.store_arrays("references", key, arrays, facts)
        except ModelError as error:
            self._observer.say(f"The reference outputs are not kept: {error.message}")

    def _make(
        self, feeds: Mapping[str, Array], dtype: str, *, nudge: bool = False, run: int = 0
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        if self._worker is None:
            name = self._source.name
            self._observer.say(f"Computing reference outputs of {name}, once (kept in the cache) ...")
            self._worker = Worker("reference", threads=self._threads)
        job = "suites.engine_reference:engine_reference" if self._by_engine else "suites.reference:reference"
        arguments = {
            "source": self._source.to_json(),
            "dtype": dtype,
            "threads": self._threads,
            "nudge": nudge,
            "run": run,
        }
        evaluated = not self._by_torch and not self._by_engine
        answer, arrays = ask_job(
            self._worker,
            job,
            arguments,
            feeds,
            deadline_s=EVALUATOR_DEADLINE_S if evaluated else DEADLINE_S,
            phase=f"reference outputs in {dtype}",
        )
        return arrays, answer


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "none"

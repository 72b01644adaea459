"""Reference outputs: from the cache, or computed once in a guarded worker.

Every reference is run twice, so that a model which disagrees with itself is found out. A model that exists only as
ONNX goes down a chain: the reference evaluator in float64; the same with single operators in float32 where it has
them in no other precision; ONNX Runtime without its optimisations, where the evaluator lacks an operator, fails or
is too slow. What was used, and what it is worth, is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from types import TracebackType
from typing import Any, Self

from backends.contract import Array, ModelSource
from harness.judge.parity.budgets import UNIT_ROUNDOFF, tie_size
from harness.judge.parity.determinism import judge_agreement
from harness.judge.parity.reference_outputs import Outputs, summands_of
from harness.judge.parity.reference_outputs import Reference as Reference
from harness.judge.parity.reference_outputs import References as References
from harness.records import SelfAgreement
from harness.run.jobs import ask_job
from harness.run.observer import Observer
from harness.run.worker import Worker, WorkerFailure

DEADLINE_S = 900.0
EVALUATOR_DEADLINE_S = 300.0
"""For one request to the ONNX reference evaluator, which computes everything in numpy; ResNet-50 takes 3 seconds."""

YARDSTICK_RUNS = 3
"""Runs beside the plain one that show what error float32 has. The root mean square of four normal errors is below a
fifth of its expectation once in 330 times; of one, once in 6."""

LANES = (1, 4)
"""Runs more where a model has long sums: engines add up in 1 lane (channels side by side in a vector) to 16, and numpy
pairwise, with an error that is far below theirs."""

TIE_RUNS = 16
"""An index that an engine rightly flips has a margin within its error; moved by ten roundings, several times that, it
flips in nearly every second run: none of 16 flips once in 10^4 times."""

_NO_RUNTIME = "pip install 'inference-harness[ort]'"


def make_references(
    source: ModelSource,
    feeds: Mapping[str, Mapping[str, Array]],
    hashes: Mapping[str, str],
    threads: int,
    observer: Observer,
    precisions: Sequence[str] = ("fp32",),
    judged_as: str = "",
) -> References:
    """Reference outputs for every input set. A model that the reference cannot run is measured all the same.

    Its parity is then unknown, with the reason. `precisions` are the contenders': where a model has integer outputs,
    each has its own near-ties. `judged_as` is the one whose budgets the user asked for, if any.
    """
    asked = ReferencesAsked(
        source, feeds, hashes, threads, observer, tuple(dict.fromkeys(precisions)), judged_as
    )
    slow = _Slow(source, hashes)
    problem = slow.kept()
    if problem is None:
        try:
            return _all(asked, by_engine=False)
        except WorkerFailure as failure:
            problem = failure
    reason = f"the reference cannot run this model: {problem.message}"
    if source.torch_factory is None and problem.kind != "ModuleNotFoundError":
        slow.keep(problem)
        try:
            made = _all(asked, by_engine=True, why=problem.message)
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


def add_ties(references: References, asked: ReferencesAsked, names: Sequence[str]) -> None:
    """Give `references` the runs that show what near-ties explain, for the precisions asked, on the input sets `names`.

    Models of floats alone are judged without them at first: few of their outputs hang on a decision, and 16 runs take
    long. Raises WorkerFailure.
    """
    with _Maker(asked, by_engine=bool(references.engine)) as maker:
        for name in names:
            one = references.by_set[name]
            lacking = {references.precision(each) for each in asked.precisions} - set(one.ties)
            more = {each: tuple(maker.moved(name, TIE_RUNS, tie_size(each))) for each in sorted(lacking)}
            references.by_set[name] = replace(one, ties={**one.ties, **more})


@dataclass(frozen=True)
class ReferencesAsked:
    """What references are made of; see `make_references`."""

    source: ModelSource
    feeds: Mapping[str, Mapping[str, Array]]
    hashes: Mapping[str, str]
    threads: int
    observer: Observer
    precisions: tuple[str, ...]
    judged_as: str = ""


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


def _all(asked: ReferencesAsked, *, by_engine: bool, why: str = "") -> References:
    made = References(judged_as=asked.judged_as)
    disagreements: list[SelfAgreement] = []
    with _Maker(asked, by_engine=by_engine) as maker:
        for name in asked.feeds:
            right, facts = maker.outputs(name, "float64")
            plain, own = maker.outputs(name, "float32")
            neighbours = maker.moved(name, YARDSTICK_RUNS, UNIT_ROUNDOFF["fp32"])
            made.strength, made.own_precision = facts["strength"], str(facts["precision"])
            if made.strength != "independent":
                # Both would round alike: only moved numbers show what rounding does.
                plain, *neighbours = neighbours
            whole = any(array.dtype.kind != "f" for array in right.values())
            precisions = {made.precision(each) for each in asked.precisions} if whole else set()
            ties = {each: tuple(maker.moved(name, TIE_RUNS, tie_size(each))) for each in sorted(precisions)}
            summands = summands_of(asked.feeds[name])
            summed = maker.moved(name, len(LANES), UNIT_ROUNDOFF["fp32"], LANES) if facts.get("sums") else []
            made.by_set[name] = Reference(right, plain, tuple(neighbours), ties, summands, tuple(summed))
            disagreements += maker.agreement(name, made.by_set[name])
            made.reference_name, made.yardstick_name = str(facts["description"]), str(own["description"])
            if made.strength != "independent":
                made.yardstick_name += " from numbers moved by one rounding"
            made.note = str(facts["note"])
    made.disagreements = tuple(disagreements)
    if by_engine:
        from suites.engine_reference import ENGINE

        made.engine = ENGINE
        hidden = "an error of ONNX Runtime's plain kernels stays hidden"
        made.note = f"there is no reference in float64 ({why.rstrip('.')}), and {hidden}"
    return made


class _Maker:
    """Starts its worker when the first output is not in the cache."""

    def __init__(self, asked: ReferencesAsked, *, by_engine: bool) -> None:
        self._asked = asked
        self._source = asked.source
        self._observer = asked.observer
        self._worker: Worker | None = None
        self._by_torch = asked.source.torch_factory is not None
        self._by_engine = by_engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.end()

    def outputs(self, name: str, dtype: str) -> tuple[Outputs, Mapping[str, Any]]:
        """Outputs on the input set `name` in `dtype`, and what the job says of them."""
        return self._kept(self._key(name, dtype, "plain"), name, dtype)

    def moved(self, name: str, count: int, size: float, lanes: Sequence[int] = ()) -> list[Outputs]:
        """Outputs in float32 of `count` runs from inputs and weights moved by the share `size`.

        `lanes`: in how many each run adds up long sums; none: pairwise.
        """
        key = self._key(
            name, "float32", f"moved {count} {size}{' ' if lanes else ''}{' '.join(map(str, lanes))}"
        )
        nudge = {"count": count, "size": size, "lanes": list(lanes)}
        arrays, _ = self._kept(key, name, "float32", nudge=nudge)
        names = [spec.name for spec in self._source.outputs]
        return [{each: arrays[f"{index}/{each}"] for each in names} for index in range(count)]

    def agreement(self, name: str, reference: Reference) -> tuple[SelfAgreement, ...]:
        """The outputs that a second run in float64 does not give again."""
        from suites import cache

        key = self._key(name, "float64", "again")
        cached = cache.load_arrays("references", key)
        if cached is not None:
            kept = [SelfAgreement.model_validate(each) for each in cached[1]["disagreements"]]
            return tuple(each.model_copy(update={"input_set": name}) for each in kept)
        again, _ = self._make(name, "float64", run=1)
        found = judge_agreement(name, reference.right, again, reference.yardstick)
        self._keep(key, {}, {"disagreements": [json.loads(each.model_dump_json()) for each in found]})
        return found

    def _kept(self, key: str, name: str, dtype: str, **more: Any) -> tuple[Outputs, Mapping[str, Any]]:
        from suites import cache

        cached = cache.load_arrays("references", key)
        if cached is not None:
            return cached
        made, answer = self._make(name, dtype, **more)
        self._keep(key, made, answer)
        return made, answer

    def _key(self, name: str, dtype: str, what: str) -> str:
        from suites.reference import REVISION

        engine = "torch" if self._by_torch else "onnxruntime" if self._by_engine else "onnx"
        inputs = self._asked.hashes[name]
        facts = (self._source.sha256, inputs, dtype, what, engine, _version(engine), str(REVISION))
        return hashlib.sha256("|".join(facts).encode()).hexdigest()

    def _keep(self, key: str, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
        from suites import cache
        from suites.errors import ModelError

        try:
            cache.store_arrays("references", key, arrays, facts)
        except ModelError as error:
            self._observer.say(f"The reference outputs are not kept: {error.message}")

    def _make(self, name: str, dtype: str, **more: Any) -> tuple[dict[str, Array], dict[str, Any]]:
        asked = self._asked
        if self._worker is None:
            model = self._source.name
            self._observer.say(f"Computing reference outputs of {model}, once (kept in the cache) ...")
            self._worker = Worker("reference", threads=asked.threads)
        job = "suites.engine_reference:engine_reference" if self._by_engine else "suites.reference:reference"
        answer, arrays = ask_job(
            self._worker,
            job,
            {"source": self._source.to_json(), "dtype": dtype, "threads": asked.threads, **more},
            asked.feeds[name],
            deadline_s=DEADLINE_S if self._by_torch or self._by_engine else EVALUATOR_DEADLINE_S,
            phase=f"reference outputs in {dtype}",
        )
        return arrays, answer


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "none"

"""The reference's answers to labelled data: from the cache, or by the first reference that can give them in time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata

import numpy as np

from backends.contract import Array, ModelSource
from harness.records.accuracy import Answers
from harness.run.accuracy_answers import Run
from harness.run.jobs import ask_job
from harness.run.observer import Observer
from harness.run.worker import Worker, WorkerFailure

PATIENCE_S = 120.0
"""The ONNX reference evaluator answers if it should need no longer than this for all batches, by its first one."""
REVISION = 1
"""Raised whenever the same model and data may give other answers, so that cached ones are made again."""


@dataclass(frozen=True)
class ReferenceAnswers:
    """`answers` by the reference called `name`; None with the `problem`."""

    answers: Answers | None
    name: str = ""
    problem: str = ""


@dataclass(frozen=True)
class _Way:
    """A job that gives outputs; `patience_s` is how long all batches may take by its first one."""

    function: str
    package: str
    dtype: str
    patience_s: float = float("inf")


_TORCH = (_Way("suites.datasets.reference:by_torch", "torch", "float32"),)
_ONNX = (
    _Way("suites.reference:reference", "onnx", "float64", PATIENCE_S),
    _Way("suites.datasets.reference:by_onnxruntime", "onnxruntime", "float32"),
)


class _TooSlowError(Exception):
    pass


def choose_reference(
    source: ModelSource,
    answer_all: Callable[[Run], Answers],
    *,
    data_sha256: str,
    batch: int,
    batches: int,
    threads: int,
    deadline_s: float,
    observer: Observer,
) -> ReferenceAnswers:
    """Have `answer_all` run by the first way that works; answers are kept by model, data and versions.

    Inputs are renamed to the reference's own where those of the model are called otherwise. An empty `data_sha256`
    means that the data are not known yet: then nothing is looked up.
    """
    problems = []
    for way in _TORCH if source.torch_factory else _ONNX:
        key = _key(source, way, data_sha256, batch) if data_sha256 else ""
        cached = _load(key) if key else None
        if cached is not None:
            return cached
        try:
            found = _ask(source, way, answer_all, batches, threads, deadline_s)
        except WorkerFailure as failure:
            problems.append(f"{way.package}: {failure.message}")
            continue
        except _TooSlowError as error:
            observer.say(f"The reference is another one for task accuracy: {error}")
            problems.append(str(error))
            continue
        if key:
            _store(key, found, observer)
        return found
    return ReferenceAnswers(None, problem=f"the reference has no answers: {'; '.join(problems)}")


def _ask(
    source: ModelSource,
    way: _Way,
    answer_all: Callable[[Run], Answers],
    batches: int,
    threads: int,
    deadline_s: float,
) -> ReferenceAnswers:
    names: list[str] = []
    arguments = {"source": source.to_json(), "dtype": way.dtype, "threads": threads}
    with Worker("reference", threads=threads) as worker:

        def run(feeds: Mapping[str, Array], _sha256: str, index: int) -> Mapping[str, Array]:
            begin = time.monotonic()
            answer, arrays = ask_job(
                worker,
                way.function,
                arguments,
                _renamed(feeds, source),
                deadline_s=deadline_s,
                phase="reference",
            )
            needed = (time.monotonic() - begin) * batches
            if index == 0 and needed > way.patience_s:
                raise _TooSlowError(
                    f"the ONNX reference evaluator would need about {needed:.0f} s for {batches} batches"
                )
            names.append(str(answer["description"]))
            return arrays

        answers = answer_all(run)
    return ReferenceAnswers(answers, names[-1])


def _renamed(feeds: Mapping[str, Array], source: ModelSource) -> dict[str, Array]:
    names = [spec.name for spec in source.inputs]
    if set(names) == set(feeds):
        return dict(feeds)
    return dict(zip(names, feeds.values(), strict=True))


def _key(source: ModelSource, way: _Way, data_sha256: str, batch: int) -> str:
    try:
        version = metadata.version(way.package)
    except metadata.PackageNotFoundError:
        version = "none"
    facts = (source.sha256, data_sha256, str(batch), way.function, way.dtype, version, str(REVISION))
    return hashlib.sha256("|".join(facts).encode()).hexdigest()


def _load(key: str) -> ReferenceAnswers | None:
    from suites import cache

    kept = cache.load_arrays("accuracy", key)
    if kept is None:
        return None
    arrays, facts = kept
    similarities = tuple(None if np.isnan(value) else float(value) for value in arrays["similarities"])
    answers = Answers(
        ranks=str(facts["ranks"]), similarities=similarities, not_finite=int(facts["not_finite"])
    )
    return ReferenceAnswers(answers, str(facts["name"]))


def _store(key: str, found: ReferenceAnswers, observer: Observer) -> None:
    from suites import cache
    from suites.errors import ModelError

    assert found.answers is not None
    values = [np.nan if value is None else value for value in found.answers.similarities]
    facts = {"ranks": found.answers.ranks, "not_finite": found.answers.not_finite, "name": found.name}
    try:
        cache.store_arrays("accuracy", key, {"similarities": np.array(values, np.float64)}, facts)
    except ModelError as error:
        observer.say(f"The reference's answers are not kept: {error.message}")

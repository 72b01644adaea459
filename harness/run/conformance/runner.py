"""A run of `harness conformance`: engine after engine, cases in parallel lanes, outcomes stored as they come."""

from __future__ import annotations

import hashlib
import json
import queue
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from harness.environment.machine import machine as read_machine
from harness.environment.software import environment as read_environment
from harness.errors import StorageError
from harness.plan.contender import without_version
from harness.records import ContenderRef, Run, Settings
from harness.records.conformance import CaseResult, ConformanceRecord, EngineConformance
from harness.run.conformance.cases import CaseSet, ConformanceCase
from harness.run.conformance.engine import EngineAnswer, ask_engine
from harness.run.conformance.lane import Lane, LaneSettings
from harness.run.observer import Observer
from results.store import Store

RESUME_WITHIN = timedelta(hours=24)
SAVE_EVERY = 40
FEWEST_TO_FORETELL = 50
SAVE_EVERY_S = 2.0


@dataclass(frozen=True)
class ConformancePlan:
    """Which engines and cases, and how guarded. `selection` is how the cases were chosen, in words."""

    contenders: tuple[ContenderRef, ...]
    cases: CaseSet
    selection: str
    jobs: int
    deadline_s: float
    memory_limit: int | None
    fresh: bool = False


@dataclass
class ConformanceOutcome:
    """What a run left. `resumed`: outcomes that an earlier, unfinished run of the same plan had already."""

    record: ConformanceRecord
    interrupted: bool = False
    resumed: int = 0
    unsaved: StorageError | None = None


def run_conformance(
    plan: ConformancePlan, store: Store, observer: Observer, *, command: Sequence[str]
) -> ConformanceOutcome:
    """Run all cases on every contender, or what an unfinished run of the same plan has left to do.

    The run is begun in the store and not finished: the caller judges and closes it.
    """
    machine, environment = read_machine(), read_environment(command)
    answers = [ask_engine(ref) for ref in plan.contenders]
    for ref, answer in zip(plan.contenders, answers, strict=True):
        if answer.state != "ran":
            observer.say(f"{ref.text}: {answer.state.replace('_', ' ')}: {answer.reason}")
    key = _plan_key(plan, answers)
    run = None if plan.fresh else store.unfinished_run(key, machine.id, RESUME_WITHIN)
    if run is None:
        run = Run(
            name="conformance " + " ".join(ref.text for ref in plan.contenders),
            kind="conformance",
            plan_key=key,
            machine=machine,
            environment=environment,
            settings=Settings(deadline_s=plan.deadline_s, memory_limit=plan.memory_limit),
        )
    store.begin_run(run)
    execution = _Execution(plan, store, observer, run.id)
    engines = execution.run(answers)
    return ConformanceOutcome(
        record=ConformanceRecord(
            run_id=run.id,
            machine=run.machine,
            environment=run.environment,
            onnx=plan.cases.onnx,
            selection=plan.selection,
            cases=len(plan.cases.cases),
            engines=engines,
        ),
        interrupted=execution.interrupted,
        resumed=execution.resumed,
        unsaved=execution.unsaved,
    )


def _plan_key(plan: ConformancePlan, answers: Sequence[EngineAnswer]) -> str:
    """The same engines at the same versions, cases and guards have the same key."""
    facts = {
        "kind": "conformance",
        "contenders": [[ref.text, a.version] for ref, a in zip(plan.contenders, answers, strict=True)],
        "cases": [[case.facts.name, case.facts.sha256] for case in plan.cases.cases],
        "deadline_s": plan.deadline_s,
        "memory_limit": plan.memory_limit,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class _Execution:
    def __init__(self, plan: ConformancePlan, store: Store, observer: Observer, run_id: str) -> None:
        self._plan = plan
        self._store = store
        self._observer = observer
        self._run_id = run_id
        self.interrupted = False
        self.resumed = 0
        self.unsaved: StorageError | None = None

    def run(self, answers: Sequence[EngineAnswer]) -> tuple[EngineConformance, ...]:
        there = self._store.conformance_of(self._run_id)
        engines = []
        for ref, answer in zip(self._plan.contenders, answers, strict=True):
            results: list[CaseResult] = []
            state = answer.state
            if state == "ran":
                kept = there.get(without_version(ref), ("", []))[1]
                self.resumed += len(kept)
                results = list(kept) if self.interrupted else self._engine(ref, answer.version, kept)
                if len(results) < len(self._plan.cases.cases):
                    state = "interrupted"
            engines.append(
                EngineConformance(
                    contender=ref,
                    engine_version=answer.version,
                    state=state,
                    reason=answer.reason,
                    results=tuple(sorted(results, key=lambda result: result.case.name)),
                )
            )
        return tuple(engines)

    def _engine(self, ref: ContenderRef, version: str, kept: Sequence[CaseResult]) -> list[CaseResult]:
        """Run what is left of one engine; an interrupt keeps what is done."""
        results = list(kept)
        done = {result.case.name for result in kept}
        left = [case for case in self._plan.cases.cases if case.facts.name not in done]
        unsaved: list[CaseResult] = []
        begun = saved_at = time.monotonic()

        def save() -> None:
            nonlocal saved_at
            if unsaved:
                self._save(ref, version, unsaved)
                unsaved.clear()
            saved_at = time.monotonic()

        with tempfile.TemporaryDirectory(prefix="harness-conformance-") as folder:
            lanes = _Lanes(self._plan, ref, left, Path(folder))
            try:
                for result in lanes.results():
                    results.append(result)
                    unsaved.append(result)
                    if len(unsaved) >= SAVE_EVERY or time.monotonic() - saved_at >= SAVE_EVERY_S:
                        save()
                    self._tell(ref, len(results), len(results) - len(kept), begun, result)
            except KeyboardInterrupt:
                self.interrupted = True
            finally:
                lanes.stop()
                save()
        return results

    def _save(self, ref: ContenderRef, version: str, results: Sequence[CaseResult]) -> None:
        if self.unsaved is not None:
            return
        try:
            self._store.save_conformance(self._run_id, without_version(ref), ref.backend, version, results)
        except StorageError as error:
            # The cases go on: the record can still be written elsewhere.
            self.unsaved = error

    def _tell(self, ref: ContenderRef, done: int, fresh: int, begun: float, result: CaseResult) -> None:
        total = len(self._plan.cases.cases)
        passed = time.monotonic() - begun
        expected = passed * (1 + (total - done) / max(1, fresh))
        # The first cases are whole networks, from which nothing about the others can be foretold.
        if fresh >= FEWEST_TO_FORETELL:
            self._observer.progress(passed, expected, f"{ref.text}: case {done} of {total}")
        if result.outcome in ("crashes", "times_out"):
            self._observer.say(f"{ref.text}: {result.case.name} {result.outcome.replace('_', ' ')}")


class _Lanes:
    """As many lanes as jobs, each in a thread that waits for its worker."""

    def __init__(
        self, plan: ConformancePlan, ref: ContenderRef, cases: Sequence[ConformanceCase], folder: Path
    ) -> None:
        self._waiting: queue.SimpleQueue[ConformanceCase] = queue.SimpleQueue()
        for case in cases:
            self._waiting.put(case)
        self._count = len(cases)
        self._ended: queue.SimpleQueue[CaseResult | BaseException] = queue.SimpleQueue()
        self._stopping = threading.Event()
        settings = LaneSettings(plan.deadline_s, plan.memory_limit, folder)
        self._lanes = [Lane(ref, plan.cases, settings) for _ in range(max(1, min(plan.jobs, self._count)))]
        self._threads = [
            threading.Thread(target=self._work, args=(lane,), daemon=True) for lane in self._lanes
        ]

    def results(self) -> Iterator[CaseResult]:
        """Results as they come. An error in a lane (not in a worker) is raised here."""
        for thread in self._threads:
            thread.start()
        for _ in range(self._count):
            told = self._ended.get()
            if isinstance(told, BaseException):
                raise told
            yield told

    def stop(self) -> None:
        """End all lanes and their workers."""
        self._stopping.set()
        while any(thread.is_alive() for thread in self._threads):
            for thread, lane in zip(self._threads, self._lanes, strict=True):
                if thread.is_alive():
                    lane.interrupt()
                    thread.join(0.05)

    def _work(self, lane: Lane) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    case = self._waiting.get_nowait()
                except queue.Empty:
                    return
                result = lane.run(case)
                # A worker that was killed because all shall stop says nothing about its case.
                if not self._stopping.is_set():
                    self._ended.put(result)
        except BaseException as error:  # noqa: BLE001 - raised again where the results are read
            self._ended.put(error)
        finally:
            lane.close()

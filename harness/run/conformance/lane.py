"""One lane: a worker that takes cases one after the other, and is replaced when a case kills it.

A case that does not pass is run again alone in a fresh worker, unless it was the first in its own: the outcome that
counts is the one that no earlier case in the same process can have had a hand in.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.contract import Array
from harness.judge.conformance.outcome import Answer, judge_case
from harness.records import ContenderRef
from harness.records.conformance import CaseResult
from harness.run.conformance.cases import CaseSet, ConformanceCase
from harness.run.jobs import ask_job
from harness.run.worker import Worker, WorkerFailure

AGAIN = ("fails", "crashes", "times_out")
MOST_CASES = 500
"""After so many cases a worker is replaced, so that what engines keep for ever does not add up."""


@dataclass(frozen=True)
class LaneSettings:
    """How every case is guarded."""

    deadline_s: float
    memory_limit: int | None
    folder: Path


class Lane:
    """Runs cases of one contender."""

    def __init__(self, ref: ContenderRef, cases: CaseSet, settings: LaneSettings) -> None:
        self._ref = ref
        self._cases = cases
        self._settings = settings
        self._worker: Worker | None = None
        self._done = 0

    def run(self, case: ConformanceCase) -> CaseResult:
        """The case's result; whatever happens in the worker is one."""
        if case.reason:
            return CaseResult(case=case.facts, outcome="excluded", reason=case.reason)
        if self._done >= MOST_CASES:
            self.close()
        alone = self._worker is None
        result = self._attempt(case)
        if result.outcome in AGAIN and not alone:
            self.close()
            first, result = result, self._attempt(case)
            if result.outcome != first.outcome:
                result = result.model_copy(update={"note": f"{_word(first)} beside other cases, not alone"})
        return result

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None
        self._done = 0

    def interrupt(self) -> None:
        """Kill what runs, from another thread; whoever waits for it sees it die."""
        worker = self._worker
        if worker is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.pid, signal.SIGKILL)

    def _attempt(self, case: ConformanceCase) -> CaseResult:
        expected = self._cases.expected(case)
        try:
            answer = self._ask(case)
        except WorkerFailure as failure:
            self.close()
            answer = Answer(status=failure.status, failure=failure.record())
        return judge_case(expected, answer)

    def _ask(self, case: ConformanceCase) -> Answer:
        if self._worker is None:
            self._worker = Worker(self._ref.text, memory_limit=self._settings.memory_limit)
        self._done += 1
        ref = self._ref
        told, arrays = ask_job(
            self._worker,
            "harness.worker.conformance:run_case",
            {
                "backend": ref.backend,
                "variant": {
                    "flavour": ref.flavour,
                    "precision": ref.precision,
                    "options": ref.options,
                    "threads": 1,
                },
                "case": case.entry,
                "models": str(self._cases.models),
                "tensors": str(self._cases.tensors),
                "folder": str(self._settings.folder),
            },
            deadline_s=self._settings.deadline_s,
            phase="case",
        )
        if told["problem"] is not None:
            return Answer(problem=told["problem"])
        return Answer(outputs=_by_set(arrays, len(case.entry["data_sets"])))


def _by_set(arrays: Mapping[str, Array], sets: int) -> list[dict[int, Array]]:
    outputs: list[dict[int, Any]] = [{} for _ in range(sets)]
    for key, array in arrays.items():
        number, _, place = key.partition("/")
        outputs[int(number)][int(place)] = array
    return outputs


def _word(result: CaseResult) -> str:
    return {"fails": "failed", "crashes": "crashed", "times_out": "timed out"}[result.outcome]

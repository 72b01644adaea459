"""One contender through its trials: what the parent asks of its worker, and what it keeps of the answers."""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psutil import cpu_times

from backends.contract import TensorSpec
from harness.environment import page_cache
from harness.judge import parity as judge
from harness.judge.pacing import DISCARD, passes_wanted
from harness.judge.parity.axes import asked_sizes, judge_axes
from harness.judge.warmup.warming import CHUNK_CALLS, CHUNK_NS, least_warm_up, warm_enough
from harness.records import (
    ArtefactRef,
    ContenderRef,
    Failure,
    Parity,
    Round,
    Settings,
    Signature,
    Tensor,
    Trial,
    VariantRef,
)
from harness.run.models import ReadyModel
from harness.run.opening import give_feeds, open_engine
from harness.run.passes import fresh_pass, resource_pass, stage_pass, without_device
from harness.run.trial_state import TrialState
from harness.run.worker import Worker, WorkerFailure
from harness.worker.tensors import unpack

REBUILD_SHARE = 0.1
"""A build that took a smaller share of the budget is made a second time, with warm caches."""


class ContenderRun:
    """A contender in one group. A failure ends it for the rest of the group; its finished trials are kept."""

    def __init__(
        self,
        ref: ContenderRef,
        variant: VariantRef,
        model: ReadyModel,
        settings: Settings,
        folder: Path,
        memory_limit: int | None,
    ) -> None:
        self.ref = ref
        self.variant = variant
        self.model = model
        self.settings = settings
        self.folder = folder
        self.memory_limit = memory_limit
        self.trials: list[Trial] = []
        self.parities: list[Parity] = []
        self.failure: WorkerFailure | None = None
        self.artefact: dict[str, Any] | None = None
        self.build_ns: int | None = None
        self.engine_version = ""
        self.effective: dict[str, Any] = {}
        self.contract: tuple[str, ...] = ()
        self.signature: Signature | None = None
        self._separate: dict[str, str] = {}
        self._worker: Worker | None = None
        self._state: TrialState | None = None

    @property
    def alive(self) -> bool:
        """Whether a worker is up and in its trial."""
        return self._worker is not None and self._state is not None

    @property
    def rounds_done(self) -> int:
        """Rounds measured in the trial that is running."""
        return len(self._state.rounds) if self._state else 0

    @property
    def sample_s(self) -> float:
        """Seconds a sample takes in the trial that is running."""
        assert self._state is not None
        return self._state.sample_s

    def start_trial(self, index: int) -> None:
        """Start a worker, build if needed, load, run for the first time, warm up, check outputs, freeze."""
        try:
            self._start(index)
        except WorkerFailure as failure:
            self._fail(failure)

    def _start(self, index: int) -> None:
        limit = self.settings.deadline_s
        state = TrialState(index)
        worker = Worker(self.ref.text, threads=self.variant.threads, memory_limit=self.memory_limit)
        self._worker, self._state = worker, state
        worker.request("hello", deadline_s=limit, phase="start")
        state.before_engine = worker.resident_bytes()
        opened = open_engine(worker, self.ref, self.variant, self.model.source, limit)
        state.import_ns = opened.head["import_ns"]
        self.engine_version = opened.head["version"]
        self._separate = opened.head["stages"]
        self._build(worker, state)
        loaded = worker.request("load", {"artefact": self.artefact}, deadline_s=limit)
        state.load_ns = loaded.head["load_ns"]
        self.contract = self._check_signature(loaded.head)
        state.after_load = worker.resident_bytes()
        for name, feeds in self.model.feeds.items():
            give_feeds(worker, name, feeds, limit)
        self._warm_up(worker, state)
        for name in self.model.feeds:
            reply = worker.request("outputs", {"set": name}, deadline_s=limit, phase="outputs")
            state.outputs[name] = unpack(reply.fds[0], reply.head["layout"])
        worker.freeze()

    def _build(self, worker: Worker, state: TrialState) -> None:
        """Build where there is no artefact yet, and a second time in the second trial, with warm caches.

        In the first trial the model's files are put out of memory before, and the artefact's after.
        """
        limit = self.settings.deadline_s
        source = self.model.source
        files = [path for path in (source.onnx_path, source.weights_path) if path is not None]
        first = self.artefact is None
        if first:
            state.file_cache = "cold" if page_cache.evict(files) else "unknown"
            self.folder.mkdir(parents=True, exist_ok=True)
            built = worker.request("build", {"folder": str(self.folder)}, deadline_s=limit)
            self.artefact = built.head["artefact"]
            self.build_ns = built.head["build_ns"]
        elif state.index == 1 and self.has_own_file and self._cheap_to_build():
            again = Path(f"{self.folder}-again")
            again.mkdir(exist_ok=True)
            built = worker.request("build", {"folder": str(again)}, deadline_s=limit)
            shutil.rmtree(again, ignore_errors=True)
        else:
            state.file_cache = "warm"
            return
        state.build_ns = built.head["build_ns"] if self.has_own_file else None
        if not first:
            state.file_cache = "warm"
        elif not page_cache.evict([*files, *self._artefact_files()]):
            state.file_cache = "unknown"

    @property
    def has_own_file(self) -> bool:
        """Whether *build* left a file of its own, rather than naming the model's."""
        path = self.artefact["path"] if self.artefact else None
        return path is not None and Path(path).is_relative_to(self.folder)

    def _cheap_to_build(self) -> bool:
        return (self.build_ns or 0) * 1e-9 < REBUILD_SHARE * self.settings.budget_s

    def _artefact_files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()] if self.has_own_file else []

    def _check_signature(self, head: Mapping[str, Any]) -> tuple[str, ...]:
        def specs(entries: list[dict[str, Any]]) -> list[TensorSpec]:
            return [TensorSpec.from_json(entry) for entry in entries]

        source, variant = self.model.source, self.variant
        inputs, outputs = specs(head["inputs"]), specs(head["outputs"])
        self.signature = Signature(inputs=_tensors(inputs), outputs=_tensors(outputs))
        sizes = asked_sizes(source.inputs, variant.batch, variant.dims)
        axes = (
            *judge_axes(source.inputs, inputs, "input", sizes),
            *judge_axes(source.outputs, outputs, "output", sizes),
        )
        return (
            *judge.judge_contract(source.inputs, inputs, "input"),
            *judge.judge_contract(source.outputs, outputs, "output"),
            *(finding.message for finding in axes if finding.kind == "breach"),
        )

    def _warm_up(self, worker: Worker, state: TrialState) -> None:
        limit = self.settings.deadline_s
        name = next(iter(self.model.feeds))
        state.first_ns = worker.request(
            "first", {"set": name}, deadline_s=limit, phase="first inference"
        ).head["first_ns"]
        state.warmup_ns.append(state.first_ns)
        least_ns = least_warm_up(self.trials)
        while True:
            reply = worker.request(
                "warm",
                {"set": name, "calls": CHUNK_CALLS, "ns": CHUNK_NS},
                deadline_s=limit,
                phase="warm-up",
            )
            state.warmup_ns.extend(array("q", reply.payload))
            state.calls_per_sample = reply.head["calls_per_sample"]
            found = warm_enough(state.warmup_ns, self.settings.warmup_max_s, least_ns)
            if found is not None:
                state.steady = found.steady_from
                return

    def run_block(
        self, index: int, position: int, input_set: str, samples: int, canary_ns: int | None
    ) -> None:
        """Thaw, run one block, freeze, keep the samples."""
        assert self._worker is not None and self._state is not None
        worker, state = self._worker, self._state
        stolen = steal_seconds()
        try:
            worker.thaw()
            reply = worker.request(
                "block",
                {
                    "set": input_set,
                    "discard": DISCARD,
                    "samples": samples,
                    "calls": state.calls_per_sample,
                },
                deadline_s=self.settings.deadline_s,
                phase="infer",
            )
            worker.freeze()
        except WorkerFailure as failure:
            self._fail(failure)
            return
        state.saw_drift(reply.head["drift"])
        state.rounds.append(
            Round(
                index=index,
                position=position,
                input_set=input_set,
                calls_per_sample=state.calls_per_sample,
                samples_ns=tuple(array("q", reply.payload)),
                canary_ns=canary_ns,
                cpu_s=reply.head["cpu_ns"] * 1e-9,
                steal_s=_difference(stolen, steal_seconds()),
            )
        )

    def end_trial(self, *, whole: bool = True, fresh: bool | None = None) -> None:
        """End the worker and keep the trial with its parity.

        A `whole` trial ends with the passes of its own; with `fresh` (default: as `whole`) with calls on fresh inputs.
        """
        worker, state = self._worker, self._state
        self._worker, self._state = None, None
        if worker is None:
            return
        peak = worker.peak_bytes()
        if self.failure is None and not worker.busy:
            try:
                limit = self.settings.deadline_s
                with_passes = state is not None and passes_wanted(state.index, state.sample_s, self.settings)
                if whole and state is not None and with_passes:
                    self._run_passes(worker, state)
                worker.thaw()
                if state is not None and (whole if fresh is None else fresh):
                    self._run_fresh(worker, state)
                self.effective = worker.request("effective", deadline_s=limit).head["effective"]
                if state is not None and state.resources is not None:
                    state.resources = without_device(state.resources, self.effective)
            except WorkerFailure as failure:
                self.failure = failure
        worker.end()
        if state is not None and (state.rounds or state.outputs):
            self.trials.append(state.finish(peak))
            self.parities.append(self._judge_parity(state))

    def _run_passes(self, worker: Worker, state: TrialState) -> None:
        name = next(iter(self.model.feeds))
        state.resources = resource_pass(worker, name, self.settings)
        state.stages = stage_pass(worker, name, self.model.processing, self._separate, self.settings)

    def _run_fresh(self, worker: Worker, state: TrialState) -> None:
        name, held = next(iter(self.model.feeds)), self.model.held_back
        state.fresh, outputs, drift = fresh_pass(worker, name, state.index, state.sample_s, self.settings)
        state.saw_drift(drift)
        if held and outputs:
            state.outputs[held] = outputs

    def _judge_parity(self, state: TrialState) -> Parity:
        declared = self.model.source.outputs
        breaches = list(self.contract)
        for arrays in state.outputs.values():
            breaches += judge.judge_arrays(declared, arrays)
        return judge.judge_parity(
            declared,
            state.outputs,
            self.model.references,
            precision=self.ref.precision,
            backend=self.ref.backend,
            breaches=breaches,
            drift=state.drift,
        )

    def _fail(self, failure: WorkerFailure) -> None:
        self.failure = failure
        self.end_trial()

    def abandon(self) -> None:
        """Kill the worker without keeping the trial that is running."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.end()
        self._worker, self._state = None, None

    def failure_record(self) -> Failure | None:
        """The failure as it goes into the result."""
        return None if self.failure is None else self.failure.record()

    def artefact_record(self) -> ArtefactRef | None:
        """The artefact as it goes into the result; an engine without a file of its own has no build time."""
        if self.artefact is None:
            return None
        return ArtefactRef(
            bytes=self.artefact["bytes"],
            note=self.artefact["note"],
            build_ns=self.build_ns if self.has_own_file else None,
        )


def _tensors(specs: Sequence[TensorSpec]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name=spec.name, dtype=spec.dtype, shape=spec.shape) for spec in specs)


def steal_seconds() -> float | None:
    """Seconds that the hypervisor has kept from this machine's cores since boot; None where nobody counts."""
    return getattr(cpu_times(), "steal", None)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before

"""One contender through its trials: what the parent asks of its worker, and what it keeps of the answers."""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psutil import cpu_times

from backends.contract import Array, TensorSpec
from harness.judge import parity as judge
from harness.judge.pacing import DISCARD
from harness.judge.steady import steady_from
from harness.records import (
    ArtefactRef,
    ContenderRef,
    Failure,
    Parity,
    Round,
    Settings,
    Trial,
    VariantRef,
)
from harness.run.models import ReadyModel
from harness.run.worker import Worker, WorkerFailure
from harness.worker.tensors import pack, unpack

WARMUP_CHUNK_NS = 500_000_000
WARMUP_CHUNK_CALLS = 400
WARMUP_MAX_CALLS = 4_000


@dataclass
class TrialState:
    """What one trial has gathered so far; `finish` makes the immutable record of it."""

    index: int
    before_engine: int | None = None
    import_ns: int = 0
    load_ns: int = 0
    first_ns: int = 0
    warmup_ns: list[int] = field(default_factory=list)
    steady: int | None = None
    after_load: int | None = None
    calls_per_sample: int = 1
    rounds: list[Round] = field(default_factory=list)
    drift: float | None = None
    outputs: dict[str, dict[str, Array]] = field(default_factory=dict)

    @property
    def sample_s(self) -> float:
        """Seconds a sample takes, from the end of the warm-up."""
        tail = sorted(self.warmup_ns[-9:])
        return tail[len(tail) // 2] * 1e-9 * self.calls_per_sample

    def finish(self, peak: int | None) -> Trial:
        """The record of this trial."""
        return Trial(
            index=self.index,
            import_ns=self.import_ns,
            load_ns=self.load_ns,
            first_inference_ns=self.first_ns,
            warmup_ns=tuple(self.warmup_ns),
            steady_from=self.steady,
            rounds=tuple(self.rounds),
            memory_before_engine=self.before_engine,
            memory_after_load=self.after_load,
            memory_peak=peak,
            timed_drift=self.drift,
        )


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
        opened = worker.request(
            "open",
            {
                "backend": self.ref.backend,
                "source": self.model.source.to_json(),
                "variant": {
                    "flavour": self.ref.flavour,
                    "precision": self.ref.precision,
                    "batch": self.variant.batch,
                    "threads": self.variant.threads,
                    "dims": self.variant.dims,
                    "options": self.ref.options,
                },
            },
            deadline_s=limit,
            phase="import",
        )
        state.import_ns = opened.head["import_ns"]
        self.engine_version = opened.head["version"]
        if self.ref.version and self.ref.version != self.engine_version:
            raise WorkerFailure(
                "unavailable",
                "import",
                "version",
                f"{self.ref.backend} {self.ref.version} was asked for, {self.engine_version} is installed",
                f"install that version, or ask for {self.ref.backend} without ==",
            )
        if self.artefact is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            built = worker.request("build", {"folder": str(self.folder)}, deadline_s=limit)
            self.artefact = built.head["artefact"]
            self.build_ns = built.head["build_ns"]
        loaded = worker.request("load", {"artefact": self.artefact}, deadline_s=limit)
        state.load_ns = loaded.head["load_ns"]
        self.contract = self._check_signature(loaded.head)
        state.after_load = worker.resident_bytes()
        for name, feeds in self.model.feeds.items():
            fd, layout = pack(feeds)
            try:
                worker.request("feeds", {"set": name, "layout": layout}, fds=(fd,), deadline_s=limit)
            finally:
                os.close(fd)
        self._warm_up(worker, state)
        for name in self.model.feeds:
            reply = worker.request("outputs", {"set": name}, deadline_s=limit, phase="outputs")
            state.outputs[name] = unpack(reply.fds[0], reply.head["layout"])
        worker.freeze()

    def _check_signature(self, head: Mapping[str, Any]) -> tuple[str, ...]:
        def specs(entries: list[dict[str, Any]]) -> list[TensorSpec]:
            return [TensorSpec.from_json(entry) for entry in entries]

        source = self.model.source
        return (
            *judge.judge_contract(source.inputs, specs(head["inputs"]), "input"),
            *judge.judge_contract(source.outputs, specs(head["outputs"]), "output"),
        )

    def _warm_up(self, worker: Worker, state: TrialState) -> None:
        limit = self.settings.deadline_s
        name = next(iter(self.model.feeds))
        state.first_ns = worker.request(
            "first", {"set": name}, deadline_s=limit, phase="first inference"
        ).head["first_ns"]
        state.warmup_ns.append(state.first_ns)
        spent_ns = 0
        while True:
            reply = worker.request(
                "warm",
                {"set": name, "calls": WARMUP_CHUNK_CALLS, "ns": WARMUP_CHUNK_NS},
                deadline_s=limit,
                phase="warm-up",
            )
            times = array("q", reply.payload)
            state.warmup_ns.extend(times)
            state.calls_per_sample = reply.head["calls_per_sample"]
            spent_ns += sum(times)
            state.steady = steady_from(state.warmup_ns)
            if state.steady is not None or len(state.warmup_ns) >= WARMUP_MAX_CALLS:
                return
            if spent_ns >= self.settings.warmup_max_s * 1e9:
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
        drift = reply.head["drift"]
        if drift is not None:
            state.drift = drift if state.drift is None else max(state.drift, drift)
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

    def end_trial(self) -> None:
        """End the worker and keep the trial with its parity."""
        worker, state = self._worker, self._state
        self._worker, self._state = None, None
        if worker is None:
            return
        peak = worker.peak_bytes()
        if self.failure is None and not worker.busy:
            try:
                worker.thaw()
                self.effective = worker.request("effective", deadline_s=self.settings.deadline_s).head[
                    "effective"
                ]
            except WorkerFailure as failure:
                self.failure = failure
        worker.end()
        if state is not None and (state.rounds or state.outputs):
            self.trials.append(state.finish(peak))
            self.parities.append(self._judge_parity(state))

    def _judge_parity(self, state: TrialState) -> Parity:
        outputs = []
        breaches = list(self.contract)
        references, declared = self.model.references, self.model.source.outputs
        for name, arrays in state.outputs.items():
            breaches += judge.judge_arrays(declared, arrays)
            reference = references.by_set.get(name)
            if reference is None:
                continue
            outputs += [
                judge.judge_output(
                    spec.name,
                    name,
                    arrays.get(spec.name),
                    reference.right[spec.name],
                    reference.yardstick[spec.name],
                    self.ref.precision,
                )
                for spec in declared
            ]
        return judge.summarise(
            outputs,
            tuple(dict.fromkeys(breaches)),
            judge.judge_drift(state.drift, outputs, self.ref.precision),
            references.reference_name,
            references.yardstick_name,
            references.problem,
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
        if self.failure is None:
            return None
        f = self.failure
        return Failure(
            phase=f.phase,
            kind=f.kind,
            message=f.message,
            hint=f.hint,
            exit_signal=f.exit_signal,
            stderr_tail=f.stderr_tail[-4000:],
            traceback=f.traceback,
        )

    def artefact_record(self) -> ArtefactRef | None:
        """The artefact as it goes into the result; an engine without a file of its own has no build time."""
        if self.artefact is None:
            return None
        own_file = self.artefact["path"] is not None and Path(self.artefact["path"]).is_relative_to(
            self.folder
        )
        return ArtefactRef(
            bytes=self.artefact["bytes"],
            note=self.artefact["note"],
            build_ns=self.build_ns if own_file else None,
        )


def steal_seconds() -> float | None:
    """Seconds that the hypervisor has kept from this machine's cores since boot; None where nobody counts."""
    return getattr(cpu_times(), "steal", None)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before

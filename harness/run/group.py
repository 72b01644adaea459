"""Measures one group: all its contenders in the same rounds, one running while the others stand still."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import StorageError
from harness.judge.judging import decision_half_widths, pair_noise_ratio
from harness.judge.pacing import (
    MIN_ROUNDS,
    VAGUE,
    Pace,
    Spent,
    extended,
    more_trials,
    plan_pace,
    should_stop,
)
from harness.judge.parity import worst_of
from harness.judge.work_done import with_work
from harness.records import (
    Case,
    ContenderRef,
    Environment,
    Machine,
    Memory,
    NumberCount,
    Parity,
    Result,
    Settings,
    Signature,
    Status,
    Trial,
    VariantRef,
)
from harness.run.canary import CanaryBird
from harness.run.contender import ContenderRun
from harness.run.models import ReadyModel
from harness.run.observer import Observer
from harness.run.roof import Roof
from suites.cache import cache_root
from suites.leftovers import sweep, temporary_name


@dataclass(frozen=True)
class GroupPlan:
    """All that measuring one group needs."""

    run_id: str
    group_id: str
    model: ReadyModel
    contenders: tuple[ContenderRef, ...]
    variant: VariantRef
    scenario: str
    settings: Settings
    machine: Machine
    environment: Environment
    case_key: Callable[[ContenderRef], str]
    memory_limit: int | None = None
    roof: Roof = field(default_factory=Roof)
    weight_numbers: NumberCount | None = None


Checkpoint = dict[str, Any]
"""One finished trial of all contenders, as plain JSON."""


class GroupRunner:
    """Runs the trials of one group. `results` may be asked for at any time: what is measured is never lost."""

    def __init__(
        self,
        plan: GroupPlan,
        observer: Observer,
        *,
        on_trial: Callable[[int, Checkpoint], None],
        on_failed: Callable[[Result], None],
        done: Sequence[Checkpoint] = (),
        failed: Sequence[Result] = (),
    ) -> None:
        self.plan = plan
        self.stop_reason = ""
        self.rounds_done = 0
        self._observer = observer
        self._on_trial = on_trial
        self._on_failed = on_failed
        self._reported: dict[int, Result] = {}
        self._folder = build_folder()
        self._random = np.random.default_rng(plan.settings.seed)
        self.contenders = [
            ContenderRun(
                ref,
                plan.variant,
                plan.model,
                plan.settings,
                self._folder / str(number),
                plan.memory_limit,
            )
            for number, ref in enumerate(plan.contenders)
        ]
        texts = [ref.text for ref in plan.contenders]
        for result in failed:
            self._reported[texts.index(result.case.contender.text)] = result
        self._trial = 0
        self._rounds: list[int] = []
        self._settings = plan.settings
        self._spent_before = 0.0
        self._ending_s = 0.0
        for checkpoint in done:
            self._restore(checkpoint)

    def measure(self) -> None:
        """Run trials until the stopping rule says so. Leaves no process behind, whatever happens."""
        start = time.monotonic()
        widths: list[float | None] = [None]
        try:
            with CanaryBird(self._observer) as canary:
                while self._active():
                    more = self._run_trial(canary, start)
                    self._report_failures()
                    stop = should_stop(
                        trials=self._trial, more=more, half_widths=widths, settings=self._settings
                    )
                    if stop.stop:
                        self.stop_reason = stop.reason
                        break
                    widths = self._half_widths()
        except BaseException:
            self._keep_broken_trial()
            raise
        finally:
            for contender in self.contenders:
                contender.abandon()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _active(self) -> list[ContenderRun]:
        return [c for n, c in enumerate(self.contenders) if c.failure is None and n not in self._reported]

    def _run_trial(self, canary: CanaryBird, start: float) -> int:
        """Run one trial and keep it; returns how many more are worth their time. `start`: when measuring began."""
        index = self._trial
        begin = time.monotonic()
        order = [self._active()[i] for i in self._random.permutation(len(self._active()))]
        for contender in order:
            self._tell(start, f"trial {index + 1}: starting {contender.ref.text}")
            contender.start_trial(index)
        alive = [c for c in self.contenders if c.alive]
        if not alive:
            return 1
        startup = time.monotonic() - begin
        pace = plan_pace(
            {c.ref.text: c.sample_s for c in alive},
            startup + self._ending_s,
            self._settings,
            self._noise(),
            self._spent(begin - start),
        )
        for number in range(pace.rounds):
            self._run_round(canary, number, pace)
            self._tell(start, f"trial {index + 1}: round {number + 1} of {pace.rounds}")
        seconds = time.monotonic() - begin
        for contender in self.contenders:
            self._tell(start, f"trial {index + 1}: stages and resources of {contender.ref.text}")
            contender.end_trial()
        self._ending_s = time.monotonic() - begin - seconds
        self._end_trial(time.monotonic() - begin)
        round_s = (seconds - startup) / pace.rounds
        return self._more_trials(startup + self._ending_s, round_s, time.monotonic() - start)

    def _more_trials(self, startup_s: float, round_s: float, spent_s: float) -> int:
        """How many more trials are worth their time; at the end of the budget it may be extended."""

        def more() -> int:
            return more_trials(startup_s, round_s, self._settings, self._noise(), self._spent(spent_s))

        if more() == 0 and self._trial < self._settings.max_trials:
            longer = extended(self._settings, self._half_widths())
            if longer is not self._settings:
                self._settings = longer
                self._observer.say(
                    f"A ratio is not known to within ±{VAGUE:.0%} yet; measuring goes on, up to "
                    f"{longer.budget_s:.0f} s (--budget sets the time)."
                )
        return more()

    def _half_widths(self) -> list[float | None]:
        """Of every pair that is still measured."""
        results = self.results("measured")
        return decision_half_widths([result for result in results if result.failure is None])

    def _noise(self) -> float:
        return pair_noise_ratio(self.results("measured"))

    def _spent(self, seconds: float) -> Spent:
        return Spent(self._rounds, seconds + self._spent_before)

    def _end_trial(self, seconds: float) -> None:
        checkpoint = self._checkpoint(self._trial, seconds)
        self._rounds.append(_rounds_of(checkpoint))
        self._trial += 1
        self._on_trial(self._trial - 1, checkpoint)

    def _keep_broken_trial(self) -> None:
        """Keep the rounds of a trial that was interrupted, when each contender has enough of them."""
        alive = [c for c in self.contenders if c.alive]
        whole = bool(alive) and all(c.rounds_done >= MIN_ROUNDS for c in alive)
        for contender in alive:
            if whole:
                contender.end_trial(whole=False)
            else:
                contender.abandon()
        if whole:
            self._end_trial(0.0)

    def _run_round(self, canary: CanaryBird, number: int, pace: Pace) -> None:
        alive = [c for c in self.contenders if c.alive]
        sets = list(self.plan.model.feeds)
        input_set = sets[self.rounds_done % len(sets)]
        canary_ns = canary.sing()
        for position, chosen in enumerate(self._random.permutation(len(alive))):
            contender = alive[chosen]
            if contender.alive:
                contender.run_block(number, position, input_set, pace.samples[contender.ref.text], canary_ns)
        self.rounds_done += 1

    def _tell(self, start: float, text: str) -> None:
        spent = time.monotonic() - start + self._spent_before
        budget_s = self._settings.budget_s
        self._observer.progress(min(spent, budget_s), budget_s, text)

    def _report_failures(self) -> None:
        for number, contender in enumerate(self.contenders):
            if contender.failure is not None and number not in self._reported:
                result = self._result(contender, "measured")
                self._reported[number] = result
                self._on_failed(result)

    def results(self, finished_as: Status) -> list[Result]:
        """A result for every contender, in the order they were asked for."""
        return [
            self._reported.get(number) or self._result(contender, finished_as)
            for number, contender in enumerate(self.contenders)
        ]

    def _result(self, contender: ContenderRun, finished_as: Status) -> Result:
        plan = self.plan
        status: Status = finished_as
        if contender.failure is not None:
            status = contender.failure.status
        elif not contender.trials:
            status = "interrupted"
        return Result(
            run_id=plan.run_id,
            group_id=plan.group_id,
            case=Case(
                model=plan.model.ref,
                contender=contender.ref,
                variant=plan.variant,
                scenario=plan.scenario,
                key=plan.case_key(contender.ref),
            ),
            status=status,
            settings=plan.settings,
            machine=plan.machine,
            environment=plan.environment,
            engine_version=contender.engine_version,
            effective=contender.effective,
            inputs_sha256=dict(plan.model.inputs_sha256),
            signature=contender.signature,
            artefact=contender.artefact_record(),
            work=plan.roof.work,
            work_problem=plan.roof.problem,
            ceilings=plan.roof.by_contender.get(contender.ref.text),
            weight_numbers=plan.weight_numbers,
            memory=_memory(contender.trials),
            trials=tuple(contender.trials),
            stop_reason=self.stop_reason,
            parity=with_work(worst_of(contender.parities), contender.trials),
            failure=contender.failure_record(),
        )

    def _checkpoint(self, index: int, seconds: float) -> Checkpoint:
        entries: list[dict[str, Any] | None] = []
        for contender in self.contenders:
            if contender.failure is not None or not contender.trials:
                entries.append(None)
                continue
            entries.append(
                {
                    "trial": contender.trials[-1].model_dump(mode="json"),
                    "parity": contender.parities[-1].model_dump(mode="json"),
                    "engine_version": contender.engine_version,
                    "effective": contender.effective,
                    "signature": contender.signature.model_dump(mode="json") if contender.signature else None,
                    "artefact": contender.artefact,
                    "build_ns": contender.build_ns,
                }
            )
        return {"index": index, "seconds": seconds, "contenders": entries}

    def _restore(self, checkpoint: Mapping[str, Any]) -> None:
        for contender, entry in zip(self.contenders, checkpoint["contenders"], strict=True):
            if entry is None:
                continue
            contender.trials.append(Trial.model_validate(entry["trial"]))
            contender.parities.append(Parity.model_validate(entry["parity"]))
            contender.engine_version = entry["engine_version"]
            contender.effective = entry["effective"]
            if entry.get("signature"):
                contender.signature = Signature.model_validate(entry["signature"])
        self._trial = checkpoint["index"] + 1
        self._rounds.append(_rounds_of(checkpoint))
        self._spent_before += checkpoint["seconds"]


def _rounds_of(checkpoint: Mapping[str, Any]) -> int:
    """Rounds of a trial: of the contender that took part in most; 1 at least, for a trial in which all broke."""
    return max([1, *(len(entry["trial"]["rounds"]) for entry in checkpoint["contenders"] if entry)])


def _memory(trials: Sequence[Trial]) -> Memory | None:
    def largest(field: str) -> int | None:
        return max((v for t in trials if (v := getattr(t, field)) is not None), default=None)

    if not trials:
        return None
    return Memory(
        before_engine=largest("memory_before_engine"),
        after_load=largest("memory_after_load"),
        peak=largest("memory_peak"),
    )


def build_folder() -> Path:
    """A fresh folder for artefacts in the cache; those that killed runs left there are removed first."""
    builds = cache_root() / "builds"
    try:
        builds.mkdir(parents=True, exist_ok=True)
        sweep(builds)
        folder = builds / temporary_name()
        folder.mkdir()
    except OSError as error:
        raise StorageError(
            f"no folder for artefacts can be made in {builds}: {error.strerror}",
            "make room or name another cache folder with HARNESS_CACHE",
        ) from None
    return folder

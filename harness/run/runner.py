"""Runs a plan: group after group, resuming where a killed run stopped, every result stored as its case ends."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import psutil

from harness.environment.machine import machine as read_machine
from harness.environment.own_time import own_cpu_s
from harness.environment.software import environment as read_environment
from harness.environment.watch import Watch
from harness.errors import HarnessError, StorageError
from harness.judge.comparison import Estimate
from harness.judge.doubts.gather import doubts_of_result, doubts_of_run
from harness.judge.metrics import estimates
from harness.judge.summary import summarise
from harness.plan.cases import Plan, PlannedGroup, case_key
from harness.records import Environment, Machine, Result, Run, VariantRef, Warning_
from harness.run.group import Checkpoint, GroupPlan, GroupRunner
from harness.run.models import prepare_model, resolve_model
from harness.run.observer import Observer
from harness.run.pipelines import choose_processing
from harness.run.resolved import ResolvedModel
from harness.run.roof import roof_of
from harness.run.subnormals import subnormal_weights
from results.store import Store

RESUME_WITHIN = timedelta(hours=24)
"""An unfinished run older than this starts over: machine and software have moved on."""

MEMORY_SHARE = 0.8
"""Share of the available memory that one worker may allocate unless --memory-limit says otherwise."""


@dataclass
class RunOutcome:
    """What a run gave. `problems` are models that could not be used, with the error; none of their cases ran."""

    run: Run
    results: list[Result] = field(default_factory=list)
    problems: list[tuple[PlannedGroup, HarnessError]] = field(default_factory=list)
    interrupted: bool = False
    unsaved: HarnessError | None = None
    """Why results could not be stored, when they could not; measuring went on."""


def run_plan(
    plan: Plan, store: Store, observer: Observer, *, command: Sequence[str], fresh: bool = False
) -> RunOutcome:
    """Measure every group of `plan`. An interrupt ends the run early and is reported in the outcome."""
    machine, environment = read_machine(), read_environment(command)
    run = None if fresh else store.unfinished_run(plan.key, machine.id, RESUME_WITHIN)
    if run is not None:
        observer.say(f"Resuming run {run.id[:8]}, which did not finish (--fresh starts over).")
    else:
        run = Run(
            name=plan.name,
            kind=plan.kind,
            plan_key=plan.key,
            user=user_name(),
            machine=machine,
            environment=environment,
            settings=plan.settings,
            gates=tuple(gate.model_dump(mode="json") for gate in plan.gates),
        )
    store.begin_run(run)
    outcome = RunOutcome(run)
    stored = store.results_of(run.id)
    models = _Models(observer)
    try:
        for number, group in enumerate(plan.groups):
            if len(plan.groups) > 1:
                observer.say(f"[{number + 1}/{len(plan.groups)}] {group.key}")
            _run_group(group, plan, run, store, stored, models, outcome, observer, machine, environment)
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


class _Models:
    """Every model is found (and exported) once a run, however many groups use it."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._known: dict[str, ResolvedModel] = {}

    def get(self, model: str, name: str, threads: int) -> ResolvedModel:
        if model not in self._known:
            self._known[model] = resolve_model(model, name, self._observer, threads=threads)
        return self._known[model]


def _run_group(
    group: PlannedGroup,
    plan: Plan,
    run: Run,
    store: Store,
    stored: Sequence[Result],
    models: _Models,
    outcome: RunOutcome,
    observer: Observer,
    machine: Machine,
    environment: Environment,
) -> None:
    group_id = hashlib.sha256(f"{run.id}|{group.key}".encode()).hexdigest()[:32]
    already = {r.case.contender.text: r for r in stored if r.group_id == group_id}
    if all(contender.text in already for contender in group.contenders):
        observer.say(f"{group.key}: measured before the run was stopped; kept.")
        outcome.results += [already[contender.text] for contender in group.contenders]
        return

    def keep(action: Callable[[], None]) -> None:
        try:
            action()
        except StorageError as error:
            if outcome.unsaved is None:
                observer.say(f"{error}\n  Measuring goes on; the record will be written elsewhere.")
            outcome.unsaved = error

    watching: list[Watch] = []

    def keep_trial(index: int, checkpoint: Checkpoint) -> None:
        for watch in watching:
            watch.look()
        keep(lambda: store.save_checkpoint(run.id, group.key, index, checkpoint))

    def keep_failed(result: Result) -> None:
        failure = result.failure
        words = f" in {failure.phase}: {failure.message}" if failure else ""
        observer.say(f"{result.case.contender.text}: {result.status}{words}")
        keep(lambda: store.save_result(result, _metrics(result)))

    done = store.checkpoints(run.id, group.key)
    if done:
        observer.say(f"{group.key}: {len(done)} trials are kept from before.")
    try:
        ready = prepare_model(
            models.get(group.model, group.name, group.variant.threads),
            batch=group.variant.batch,
            dims=group.variant.dims,
            input_sets=plan.settings.input_sets,
            inputs=plan.inputs,
            threads=group.variant.threads,
            observer=observer,
            pipeline=group.pipeline,
            precisions=[contender.precision for contender in group.contenders],
        )
        processing = choose_processing(ready.ref, group.pipeline, group.items)
        ready = replace(ready, processing=processing)
        roof = roof_of(ready, group.contenders, group.variant, plan.settings, observer)
        runner = GroupRunner(
            GroupPlan(
                run_id=run.id,
                group_id=group_id,
                model=ready,
                contenders=group.contenders,
                variant=group.variant,
                scenario=group.scenario,
                settings=plan.settings,
                machine=machine,
                environment=environment,
                case_key=_keyed(group.name, group.variant, group.scenario),
                memory_limit=plan.settings.memory_limit
                or int(psutil.virtual_memory().available * MEMORY_SHARE),
                roof=roof,
                weight_numbers=subnormal_weights(ready.source),
            ),
            observer,
            on_trial=keep_trial,
            on_failed=keep_failed,
            done=done,
            failed=list(already.values()),
        )
    except HarnessError as error:
        outcome.problems.append((group, error))
        if len(plan.groups) > 1:
            observer.say(f"{group.key}: {error}")
        return
    watch, cpu_before = Watch(), own_cpu_s()
    watching.append(watch)
    try:
        runner.measure()
    except KeyboardInterrupt:
        outcome.results += [r for r in runner.results("interrupted") if r.trials or r.failure]
        raise
    pressure = doubts_of_run(watch.delta(own_cpu_s() - cpu_before), machine)
    results = [_doubted(result, pressure) for result in runner.results("measured")]
    for result in results:
        keep(partial(store.save_result, result, _metrics(result)))
    keep(lambda: store.drop_checkpoints(run.id, group.key))
    outcome.results += results


def _keyed(model: str, variant: VariantRef, scenario: str) -> Callable[..., str]:
    return lambda contender: case_key(model, contender, variant, scenario)


def _doubted(result: Result, pressure: tuple[Warning_, ...]) -> Result:
    if result.failure is not None:
        return result
    return result.model_copy(update={"warnings": (*pressure, *doubts_of_result(result))})


def _metrics(result: Result) -> dict[str, Estimate]:
    return estimates(summarise(result))


def user_name() -> str:
    """Who measures; empty where the system does not tell."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""

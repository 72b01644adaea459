"""Runs a throughput plan and stores every point as a result of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import psutil

from harness.environment.machine import machine as read_machine
from harness.environment.own_time import own_cpu_s
from harness.environment.pressure import between, snapshot
from harness.environment.software import environment as read_environment
from harness.errors import HarnessError, InputError, StorageError
from harness.judge.comparison import Estimate
from harness.judge.doubts.gather import doubts_of_run
from harness.judge.load.point import judge_point
from harness.judge.metrics import estimates
from harness.judge.parity import worst_of
from harness.judge.summary import summarise
from harness.judge.work_done import with_work
from harness.plan.throughput import SCENARIO, ThroughputPlan
from harness.records import Bounds, Case, Memory, Result, Run, Warning_
from harness.run.loaded import LoadedContender
from harness.run.models import ReadyModel, prepare_model, resolve_model
from harness.run.observer import Observer
from harness.run.pipelines import choose_processing
from harness.run.runner import MEMORY_SHARE, user_name
from harness.run.throughput import Searched, ThroughputRunner
from results.store import Store


@dataclass
class ThroughputOutcome:
    """What a run gave."""

    run: Run
    results: list[Result] = field(default_factory=list)
    interrupted: bool = False
    unsaved: HarnessError | None = None
    """Why results could not be stored, when they could not."""


def run_throughput(
    plan: ThroughputPlan, store: Store, observer: Observer, *, command: Sequence[str]
) -> ThroughputOutcome:
    """Search and measure. An interrupt ends the run early: what was measured is kept, with that status.

    Raises InputError for a model or inputs that cannot be used.
    """
    machine, environment = read_machine(), read_environment(command)
    run = Run(
        name=plan.name,
        kind="throughput",
        plan_key=plan.key,
        user=user_name(),
        machine=machine,
        environment=environment,
        settings=plan.settings,
        bounds=plan.bounds,
    )
    most = max(plan.limits.threads)
    resolved = resolve_model(plan.model, plan.model_name, observer, threads=most)
    models = {
        batch: prepare_model(
            resolved,
            batch=batch,
            dims=plan.dims,
            input_sets=plan.settings.input_sets,
            inputs=plan.inputs,
            threads=most,
            observer=observer,
            pipeline=plan.pipeline,
            precisions=[contender.precision for contender in plan.contenders],
        )
        for batch in plan.limits.batches
    }
    if plan.end_to_end:
        models = {batch: _with_pipeline(model, plan) for batch, model in models.items()}
    store.begin_run(run)
    outcome = ThroughputOutcome(run)
    available = int(psutil.virtual_memory().available * MEMORY_SHARE)
    runner = ThroughputRunner(plan, models, plan.settings.memory_limit or available, observer)
    before, cpu_before = snapshot(), own_cpu_s()
    try:
        runner.measure()
    except KeyboardInterrupt:
        outcome.interrupted = True
    pressure = doubts_of_run(between(before, snapshot(), own_cpu_s() - cpu_before), machine)
    outcome.results = [
        result
        for contender in runner.contenders
        for result in _results(contender, plan, run, runner, pressure)
    ]
    if outcome.interrupted:
        outcome.results = [
            result if result.failure else result.model_copy(update={"status": "interrupted"})
            for result in outcome.results
            if result.trials or result.failure
        ]
    for result in outcome.results:
        try:
            store.save_result(result, metrics_of(result, plan.bounds))
        except StorageError as error:
            outcome.unsaved = error
            break
    return outcome


def _with_pipeline(model: ReadyModel, plan: ThroughputPlan) -> ReadyModel:
    """Raises InputError for a model without a pipeline."""
    processing = choose_processing(model.ref, plan.pipeline, plan.items)
    if processing is None:
        raise InputError(
            f"--end-to-end: {model.ref.name} has no pre- and post-processing",
            "name a pipeline with --pipeline, e.g. --pipeline classify",
        )
    return replace(model, processing=processing)


def metrics_of(result: Result, bounds: Bounds) -> dict[str, Estimate]:
    """What the history keeps of a point: figures of single calls, with the throughput and memory of the loop."""
    point = judge_point(result, bounds)
    kept = estimates(summarise(result)) | {"throughput": point.throughput, "memory_peak": point.memory}
    return kept | {"p50": point.p50, "p90": point.p90, "p99": point.p99}


def _results(
    contender: Searched,
    plan: ThroughputPlan,
    run: Run,
    runner: ThroughputRunner,
    pressure: tuple[Warning_, ...],
) -> list[Result]:
    """A result for every point that was looked at; one for a setting whose worker never came up."""
    results = []
    for worker in contender.loaded.values():
        levels = sorted({*worker.points, *worker.broken})
        if not levels and worker.failure is not None:
            levels = [min(plan.limits.levels or (1,))]
        results += [_result(worker, level, plan, run, runner.stop_reason, pressure) for level in levels]
    return results


def _result(
    worker: LoadedContender,
    level: int,
    plan: ThroughputPlan,
    run: Run,
    stop_reason: str,
    pressure: tuple[Warning_, ...],
) -> Result:
    load = plan.load(level)
    pairs = worker.points.get(level, [])
    failure = worker.broken.get(level) or (worker.failure if not pairs else None)
    model: ReadyModel = worker.model
    group = f"{run.id}|{plan.group_of(worker.variant, load)}"
    sizes = [r.window.memory for trial, _ in pairs for r in trial.rounds if r.window and r.window.memory]
    return Result(
        run_id=run.id,
        group_id=hashlib.sha256(group.encode()).hexdigest()[:32],
        case=Case(
            model=model.ref,
            contender=worker.ref,
            variant=worker.variant,
            scenario=SCENARIO,
            load=load,
            key=plan.key_of(worker.ref, worker.variant, load),
        ),
        status=failure.status if failure else "measured",
        settings=plan.settings,
        machine=run.machine,
        environment=run.environment,
        engine_version=worker.engine_version,
        effective=worker.effective,
        inputs_sha256=dict(model.inputs_sha256),
        signature=worker.signature,
        artefact=worker.artefact_record(),
        memory=Memory(peak=max(sizes)) if sizes else None,
        trials=tuple(trial for trial, _ in pairs),
        stop_reason=stop_reason,
        parity=with_work(worst_of([parity for _, parity in pairs]), [trial for trial, _ in pairs]),
        failure=failure.record() if failure else None,
        warnings=() if failure else (*pressure, *_one_stream(worker, level)),
    )


def _one_stream(worker: LoadedContender, level: int) -> tuple[Warning_, ...]:
    """OpenVINO as it is asked for by default runs requests one after the other: no fault of its own."""
    if level == 1 or worker.effective.get("num_streams") != 1 or worker.variant.threads == 1:
        return ()
    return (
        Warning_(
            code="one_stream",
            message=f"{worker.ref.text} has one stream, in which requests wait for each other.",
            figure=1.0,
            consequence="More requests in flight cannot raise its throughput.",
            advice=f"Compare '{worker.ref.text.partition('?')[0]}?hint=throughput' or '?streams=2', too.",
        ),
    )

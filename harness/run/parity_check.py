"""Runs `harness parity`: every contender on every variant, each in a worker of its own; nothing is timed.

One that fails does not stop the others, and every check is stored when it ends.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness.environment.machine import machine as read_machine
from harness.environment.software import environment as read_environment
from harness.errors import StorageError
from harness.records import ContenderRef, Run, Settings
from harness.records.parity_check import CheckedVariant, ParityCheck, ParityRecord
from harness.run.models import ResolvedModel, resolve_model
from harness.run.observer import Observer
from harness.run.parity_inputs import AskedInputs, ParityInputs, save_inputs
from harness.run.parity_reference import check_sizes, find_reference
from harness.run.parity_worker import Trial, check_contender
from harness.run.references import make_references
from harness.run.runner import MEMORY_SHARE, user_name
from results.store import Store
from suites.saved_inputs import InputSaver


@dataclass(frozen=True)
class ParityPlan:
    """What to check. `reference` is the model whose outputs count as right; empty: the model itself.

    `judged_as` is the precision whose budgets hold for all contenders; empty: each one's own.
    """

    model: str
    name: str
    contenders: tuple[ContenderRef, ...]
    inputs: AskedInputs
    reference: str = ""
    judged_as: str = ""
    save_inputs: Path | None = None
    deadline_s: float = 300.0
    memory_limit: int | None = None

    @property
    def key(self) -> str:
        """Hash of what is asked: the same command has the same key."""
        asked = self.inputs
        content = [
            self.model,
            [ref.text for ref in self.contenders],
            [asked.sets, str(asked.given or ""), asked.batches, sorted(asked.dims.items()), asked.threads],
            [asked.pipeline, self.reference, self.judged_as, self.deadline_s],
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass
class ParityOutcome:
    """What was found. `unsaved` is why it could not be stored, when it could not; checking went on."""

    record: ParityRecord
    unsaved: StorageError | None = None


@dataclass
class _Progress:
    variants: list[CheckedVariant] = field(default_factory=list)
    checks: list[ParityCheck] = field(default_factory=list)
    unsaved: StorageError | None = None


def run_parity(
    plan: ParityPlan, store: Store, observer: Observer, *, command: Sequence[str]
) -> ParityOutcome:
    """Check all of `plan`. An interrupt ends it early; the record then says so and holds what was done.

    Raises InputError for a model, a reference or inputs that cannot be used, StorageError when the run cannot begin
    or inputs cannot be saved.
    """
    machine, environment = read_machine(), read_environment(command)
    threads = plan.inputs.threads
    model = resolve_model(plan.model, plan.name, observer, threads=threads)
    reference = find_reference(plan.reference, model, observer, threads=threads)
    inputs = ParityInputs(plan.inputs, model, reference)
    run = Run(
        name=f"{' vs '.join(ref.text for ref in plan.contenders)} on {plan.name}",
        kind="parity",
        plan_key=plan.key,
        user=user_name(),
        machine=machine,
        environment=environment,
        settings=Settings(
            input_sets=plan.inputs.sets, deadline_s=plan.deadline_s, memory_limit=plan.memory_limit
        ),
    )
    store.begin_run(run)
    progress, interrupted = _Progress(), False

    def record_of(variants: Sequence[CheckedVariant], checks: Sequence[ParityCheck]) -> ParityRecord:
        return ParityRecord(
            id=run.id,
            created_at=run.started_at,
            model=model.ref,
            reference_model=None if reference is model else reference.ref,
            judged_as=plan.judged_as,
            machine=machine,
            environment=environment,
            contenders=plan.contenders,
            planned=inputs.variants,
            variants=tuple(variants),
            checks=tuple(checks),
            interrupted=interrupted,
        )

    def keep(check: ParityCheck) -> None:
        progress.checks.append(check)
        try:
            store.save_parity_check(record_of(progress.variants[-1:], [check]))
        except StorageError as error:
            if progress.unsaved is None:
                observer.say(f"{error}\n  Checking goes on; the record will be written elsewhere.")
            progress.unsaved = error

    try:
        _check_all(plan, model, reference, inputs, progress, keep, observer)
    except KeyboardInterrupt:
        interrupted = True
    record = record_of(progress.variants, progress.checks)
    return ParityOutcome(record, progress.unsaved)


def _check_all(
    plan: ParityPlan,
    model: ResolvedModel,
    reference: ResolvedModel,
    inputs: ParityInputs,
    progress: _Progress,
    keep: Callable[[ParityCheck], None],
    observer: Observer,
) -> None:
    memory_limit = plan.memory_limit or int(psutil.virtual_memory().available * MEMORY_SHARE)
    saver = None if plan.save_inputs is None else InputSaver(plan.save_inputs, plan.name, model.ref.sha256)
    total = len(inputs.variants) * len(plan.contenders)
    with tempfile.TemporaryDirectory(prefix="harness-parity-") as folder:
        for variant in inputs.variants:
            made = inputs.make(variant)
            check_sizes(reference, made.feeds)
            observer.step(f"reference outputs of {reference.ref.name}, batch {variant.batch}")
            references = make_references(reference.source, made.feeds, made.hashes, variant.threads, observer)
            inputs.leave_out_non_finite(made, references)
            if saver is not None:
                save_inputs(saver, made)
            progress.variants.append(
                CheckedVariant(
                    variant=variant,
                    input_sets=made.records(),
                    left_out=tuple(made.left_out),
                    reference=references.reference_name,
                    yardstick=references.yardstick_name,
                    problem=references.problem,
                )
            )
            for ref in plan.contenders:
                number = len(progress.checks) + 1
                observer.step(f"[{number}/{total}] checking {ref.text}, batch {variant.batch}")
                trial = Trial(
                    source=model.source,
                    inputs=made,
                    references=references,
                    folder=Path(folder) / str(number),
                    judged_as=plan.judged_as,
                    deadline_s=plan.deadline_s,
                    memory_limit=memory_limit,
                )
                check = check_contender(ref, trial)
                keep(check)
                if check.failure is not None:
                    observer.say(
                        f"{ref.text}: {check.status} in {check.failure.phase}: {check.failure.message}"
                    )

"""Runs `harness parity`: every contender on every variant, each in a worker of its own; nothing is timed.

One that fails does not stop the others, and every check is stored when it ends. The search for layers and the task
accuracy come after all checks, and are put into the checks that they belong to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.environment.machine import machine as read_machine
from harness.environment.software import environment as read_environment
from harness.errors import HarnessError, StorageError
from harness.judge.accuracy import MARGIN
from harness.judge.parity.budgets import coarser
from harness.judge.parity.summary import out_of_budget
from harness.judge.parity_document import judge_contender
from harness.records import ContenderRef, Run, Settings, VariantRef
from harness.records.parity_check import CheckedVariant, ParityCheck, ParityRecord
from harness.run.accuracy import AccuracyPlan, measure_accuracy
from harness.run.accuracy_data import open_labelled
from harness.run.feeds import open_to_batch
from harness.run.graph_contract import model_facts
from harness.run.layers import LayerPlan, search_layers
from harness.run.models import resolve_model
from harness.run.observer import Observer
from harness.run.parity_inputs import AskedInputs, ParityInputs, VariantInputs, save_inputs
from harness.run.parity_reference import check_sizes, find_reference, own_precision
from harness.run.parity_worker import Trial, check_contender
from harness.run.references import References, ReferencesAsked, add_ties, make_references
from harness.run.runner import MEMORY_SHARE, user_name
from harness.run.worker import Worker, WorkerFailure
from results.store import Store
from suites.saved_inputs import InputSaver

DATA_BATCH = 16
"""Items of labelled data that go through an engine at once, where no batch is asked for."""


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
    layers: bool = False
    folder: Path | None = None
    """Where reproductions of what breaks go."""
    data: str = ""
    """Labelled data for the task accuracy: a path, or the name of a shipped set."""
    margin: float = MARGIN

    @property
    def key(self) -> str:
        """Hash of what is asked: the same command has the same key."""
        asked = self.inputs
        content = [
            self.model,
            [ref.text for ref in self.contenders],
            [asked.sets, str(asked.given or ""), asked.batches, sorted(asked.dims.items()), asked.threads],
            [asked.pipeline, self.reference, self.judged_as, self.deadline_s],
            [self.layers, self.data, self.margin],
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass
class ParityOutcome:
    """What was found. `unsaved` is why it could not be stored, when it could not; checking went on."""

    record: ParityRecord
    unsaved: StorageError | None = None


def run_parity(
    plan: ParityPlan, store: Store, observer: Observer, *, command: Sequence[str]
) -> ParityOutcome:
    """Check all of `plan`. An interrupt ends it early; the record then says so and holds what was done.

    Raises InputError for a model, a reference, inputs or data that cannot be used, StorageError when the run cannot
    begin or inputs cannot be saved.
    """
    run = _ParityRun(plan, store, observer, command)
    store.begin_run(run.run)
    interrupted = False
    try:
        run.check_all()
        run.search_all()
        run.measure_all()
    except KeyboardInterrupt:
        interrupted = True
    except HarnessError as error:
        store.finish_run(run.run.id, "failed", int(error.exit_code))
        raise
    return ParityOutcome(run.record(interrupted=interrupted), run.unsaved)


class _ParityRun:
    """What a run has found so far."""

    def __init__(self, plan: ParityPlan, store: Store, observer: Observer, command: Sequence[str]) -> None:
        self._plan, self._store, self._observer = plan, store, observer
        threads = plan.inputs.threads
        self._model = resolve_model(plan.model, plan.name, observer, threads=threads)
        self._reference = find_reference(plan.reference, self._model, observer, threads=threads)
        self._judged_as = plan.judged_as
        self._converted = ""
        if self._reference is not self._model and not self._judged_as:
            with contextlib.suppress(WorkerFailure):  # its graph is told as not known in every check
                self._converted = own_precision(model_facts(self._model.source))
        self._inputs = ParityInputs(plan.inputs, self._model, self._reference)
        self._memory_limit = plan.memory_limit or int(psutil.virtual_memory().available * MEMORY_SHARE)
        self._variants: list[CheckedVariant] = []
        self._checks: list[ParityCheck] = []
        self.unsaved: StorageError | None = None
        if plan.data:
            self._try_data()
        self.run = Run(
            name=f"{' vs '.join(ref.text for ref in plan.contenders)} on {plan.name}",
            kind="parity",
            plan_key=plan.key,
            user=user_name(),
            machine=read_machine(),
            environment=read_environment(command),
            settings=Settings(
                input_sets=plan.inputs.sets, deadline_s=plan.deadline_s, memory_limit=plan.memory_limit
            ),
        )

    def record(self, *, interrupted: bool = False, only: ParityCheck | None = None) -> ParityRecord:
        """All that was found, or one check with its variant."""
        plan = self._plan
        checks = self._checks if only is None else [only]
        variants = [v for v in self._variants if only is None or v.variant == only.variant]
        return ParityRecord(
            id=self.run.id,
            created_at=self.run.started_at,
            model=self._model.ref,
            reference_model=None if self._reference is self._model else self._reference.ref,
            judged_as=self._judged_as or self._converted,
            data=plan.data,
            margin=plan.margin,
            searched=plan.layers,
            machine=self.run.machine,
            environment=self.run.environment,
            contenders=plan.contenders,
            planned=self._inputs.variants,
            variants=tuple(variants),
            checks=tuple(checks),
            interrupted=interrupted,
        )

    def check_all(self) -> None:
        """Every contender on every variant."""
        plan = self._plan
        saver = None
        if plan.save_inputs is not None:
            saver = InputSaver(plan.save_inputs, plan.name, self._model.ref.sha256)
        with tempfile.TemporaryDirectory(prefix="harness-parity-") as folder:
            for variant in self._inputs.variants:
                made = self._inputs.make(variant)
                references = self._judge_by(made)
                if saver is not None:
                    save_inputs(saver, made)
                self._variants.append(
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
                    self._check(ref, made, references, Path(folder) / str(len(self._checks)))

    def _judge_by(self, made: VariantInputs) -> References:
        check_sizes(self._reference, made.feeds)
        self._observer.step(f"reference outputs of {self._reference.ref.name}, batch {made.variant.batch}")
        precisions = [self._judge_as(ref) or ref.precision for ref in self._plan.contenders]
        references = make_references(
            self._reference.source,
            made.feeds,
            made.hashes,
            made.variant.threads,
            self._observer,
            precisions,
            self._judged_as,
        )
        self._inputs.leave_out_non_finite(made, references)
        return references

    def _judge_as(self, ref: ContenderRef) -> str:
        """The precision whose budgets hold for `ref`, where it is not its own: asked for, or a converted model's."""
        return self._judged_as or (self._converted and coarser(self._converted, ref.precision))

    def _check(self, ref: ContenderRef, made: VariantInputs, references: References, folder: Path) -> None:
        total = len(self._inputs.variants) * len(self._plan.contenders)
        number = len(self._checks) + 1
        self._observer.step(f"[{number}/{total}] checking {ref.text}, batch {made.variant.batch}")
        trial = Trial(
            source=self._model.source,
            inputs=made,
            references=references,
            folder=folder,
            judged_as=self._judge_as(ref),
            deadline_s=self._plan.deadline_s,
            memory_limit=self._memory_limit,
        )
        check = self._without_near_ties(ref, trial, check_contender(ref, trial))
        self._checks.append(check)
        self._save(check)
        if check.failure is not None:
            self._observer.say(
                f"{ref.text}: {check.status} in {check.failure.phase}: {check.failure.message}"
            )

    def _without_near_ties(self, ref: ContenderRef, trial: Trial, check: ParityCheck) -> ParityCheck:
        """`check`, or a second one where floats of a lower precision may be wrong by near-ties alone.

        The worst input set first: one that stays wrong costs no further runs of the reference.
        """
        inputs, references = trial.inputs, trial.references
        asked = ReferencesAsked(
            self._reference.source,
            inputs.feeds,
            inputs.hashes,
            inputs.variant.threads,
            self._observer,
            (trial.precision(ref),),
        )
        budgeted = references.precision(trial.precision(ref))
        for first in (True, False):
            failed = [] if check.parity is None else out_of_budget(check.parity.outputs)
            names = [name for name in failed if budgeted not in references.by_set[name].ties]
            if (
                budgeted not in ("tf32", "fp16", "bf16")
                or not names
                or (not first and len(names) < len(failed))
            ):
                break
            self._observer.say(f"{ref.text}: does a near-tie explain it? Asking the reference ...")
            try:
                add_ties(references, asked, names[:1] if first else names)
            except WorkerFailure as failure:
                self._observer.say(f"The reference did not tell: {failure.message}")
                break
            check = check_contender(ref, trial)
        return check

    def search_all(self) -> None:
        """Where each contender broke, or how its error grows, at its worst place."""
        plan = self._plan
        for number, ref in enumerate(plan.contenders if plan.layers else (), 1):
            worst = judge_contender(self.record(), ref.text).worst
            if worst is None:
                continue
            check = self._checks[worst.check]
            made = self._inputs.make(check.variant, only=(worst.input_set,))
            found = search_layers(
                LayerPlan(
                    model=self._model,
                    reference=self._reference,
                    contender=ref,
                    variant=check.variant,
                    feeds=made.feeds[worst.input_set],
                    input_set=worst.input_set,
                    folder=None if plan.folder is None else plan.folder / f"{number}-{_plain(ref.text)}",
                    memory_limit=plan.memory_limit,
                    deadline_s=plan.deadline_s,
                    judged_as=self._judge_as(ref),
                ),
                self._observer,
            )
            self._replace(worst.check, check.model_copy(update={"layers": found}))

    def measure_all(self) -> None:
        """The task accuracy on labelled data, where these are asked for."""
        if not self._plan.data:
            return
        found = measure_accuracy(self._accuracy_plan(), self._observer)
        for ref in self._plan.contenders:
            place = next(i for i, check in enumerate(self._checks) if check.contender.text == ref.text)
            accuracy = found[ref.text]
            self._replace(place, self._checks[place].model_copy(update={"accuracy": accuracy}))

    def _accuracy_plan(self) -> AccuracyPlan:
        plan = self._plan
        return AccuracyPlan(
            model=self._model,
            contenders=plan.contenders,
            variant=self._labelled_variant(),
            data=plan.data,
            reference=None if self._reference is self._model else self._reference,
            pipeline=plan.inputs.pipeline,
            deadline_s=plan.deadline_s,
            memory_limit=plan.memory_limit,
        )

    def _labelled_variant(self) -> VariantRef:
        """The first variant; in larger batches where nobody asked for a size, as every batch costs a round trip."""
        first = self._inputs.variants[0]
        asked = self._plan.inputs
        if asked.batches or asked.given or not open_to_batch(self._model.source.inputs, first.dims):
            return first
        return first.model_copy(update={"batch": DATA_BATCH})

    def _try_data(self) -> None:
        """Data that cannot be read must be told before hours of checking."""
        asked = self._accuracy_plan()
        with Worker("data", threads=1) as worker:
            open_labelled(asked.data, asked.model, asked.variant, asked.pipeline, worker, asked.deadline_s)

    def _replace(self, place: int, check: ParityCheck) -> None:
        self._checks[place] = check
        self._save(check)

    def _save(self, check: ParityCheck) -> None:
        try:
            self._store.save_parity_check(self.record(only=check))
        except StorageError as error:
            if self.unsaved is None:
                self._observer.say(f"{error}\n  Checking goes on; the record will be written elsewhere.")
            self.unsaved = error


def _plain(text: str) -> str:
    """A contender as the name of a folder."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text)[:80]

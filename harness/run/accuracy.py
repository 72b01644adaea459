"""Task accuracy: every contender, and the reference, answer all items of a labelled set, batch by batch.

Data are read in a worker of their own, engines run in theirs, one after the other; the parent holds one batch. Each
engine gets the very same bytes: a batch has the same hash every time that it is read, and the engine's worker confirms
it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from backends.contract import Array
from harness.judge.accuracy import REFERENCE
from harness.records import ContenderRef, VariantRef
from harness.records.accuracy import Accuracy
from harness.run.accuracy_answers import answer_all
from harness.run.accuracy_data import LabelledData, open_labelled
from harness.run.accuracy_reference import ReferenceAnswers, choose_reference
from harness.run.observer import Observer
from harness.run.opening import give_feeds, open_engine
from harness.run.resolved import ResolvedModel
from harness.run.worker import Worker, WorkerFailure
from harness.worker.tensors import unpack


@dataclass(frozen=True)
class AccuracyPlan:
    """What to measure. `data` is what the user gave: a path, or the name of a shipped set.

    `variant` holds the batch that engines are built for; a dynamic dimension without a size there takes the model's
    own. `pipeline` is NAME[:IMPLEMENTATION], empty for the model's own. `reference` is the model whose answers the
    contenders are held against, None for `model` itself. `deadline_s` is for each step, not for all.
    """

    model: ResolvedModel
    contenders: tuple[ContenderRef, ...]
    variant: VariantRef
    data: str
    reference: ResolvedModel | None = None
    pipeline: str = ""
    deadline_s: float = 300.0
    memory_limit: int | None = None


def measure_accuracy(plan: AccuracyPlan, observer: Observer) -> dict[str, Accuracy]:
    """By contender's text its answers beside the reference's, and under `REFERENCE` the reference's own.

    A contender that fails gives its failure. Raises InputError for data that cannot be read or do not fit the model.
    """
    found: dict[str, Accuracy] = {}
    with Worker("data", threads=1) as worker:
        data = open_labelled(plan.data, plan.model, plan.variant, plan.pipeline, worker, plan.deadline_s)
        for number, ref in enumerate(plan.contenders, 1):
            observer.step(f"[{number}/{len(plan.contenders)}] task accuracy of {ref.text}")
            found[ref.text] = _contender(plan, ref, data, observer)
        observer.step("task accuracy of the reference")
        reference = _reference(plan, data, observer)
        shown = data.ref()
    beside = {
        "data": shown,
        "reference": reference.answers,
        "reference_name": reference.name,
        "problem": reference.problem,
    }
    answers = {name: accuracy.model_copy(update=beside) for name, accuracy in found.items()}
    own = Accuracy(
        task=data.task,
        status="failed" if reference.answers is None else "measured",
        answers=reference.answers,
    )
    return {**answers, REFERENCE: own.model_copy(update=beside)}


def _contender(plan: AccuracyPlan, ref: ContenderRef, data: LabelledData, observer: Observer) -> Accuracy:
    version = ""
    limit = plan.deadline_s
    try:
        with (
            tempfile.TemporaryDirectory(prefix="harness-accuracy-") as folder,
            Worker(ref.text, threads=data.variant.threads, memory_limit=plan.memory_limit) as worker,
        ):
            version = open_engine(worker, ref, data.variant, plan.model.source, limit).head["version"]
            built = worker.request("build", {"folder": folder}, deadline_s=limit).head["artefact"]
            worker.request("load", {"artefact": built}, deadline_s=limit)

            def run(feeds: Mapping[str, Array], sha256: str, index: int) -> Mapping[str, Array]:
                # Two names take turns: a set is bound again only when its name is another than the last one's.
                name = f"data:{index % 2}"
                give_feeds(worker, name, feeds, limit, sha256)
                reply = worker.request("outputs", {"set": name}, deadline_s=limit, phase="infer")
                return unpack(reply.fds[0], reply.head["layout"]) if reply.fds else {}

            answers = answer_all(data, run, data.output)
    except WorkerFailure as failure:
        observer.say(f"{ref.text}: no task accuracy: {failure.message}")
        return Accuracy(
            task=data.task, status=failure.status, engine_version=version, failure=failure.record()
        )
    return Accuracy(task=data.task, status="measured", answers=answers, engine_version=version)


def _reference(plan: AccuracyPlan, data: LabelledData, observer: Observer) -> ReferenceAnswers:
    model, source = plan.model.source, (plan.reference or plan.model).source
    # The output in the same place: another file may call it otherwise.
    place = [spec.name for spec in model.outputs].index(data.output)
    return choose_reference(
        source,
        lambda run: answer_all(data, run, source.outputs[place].name),
        data_sha256=data.digest(),
        batch=data.batch,
        batches=data.batches,
        threads=data.variant.threads,
        deadline_s=plan.deadline_s,
        observer=observer,
    )

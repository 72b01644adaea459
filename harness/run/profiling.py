"""Profiles contenders one after the other, each in a worker of its own; one that fails does not stop the others."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.contract import Array, ModelSource
from harness.environment.machine import machine as read_machine
from harness.environment.software import environment as read_environment
from harness.errors import StorageError
from harness.records import ContenderRef, VariantRef
from harness.records.profile import ContenderProfile, Layer, ModelGraph, ProfileRecord
from harness.run.feeds import prepare_feeds
from harness.run.jobs import run_job
from harness.run.models import resolve_model
from harness.run.observer import Observer
from harness.run.opening import give_feeds, open_engine
from harness.run.resolved import ResolvedModel
from harness.run.worker import Worker, WorkerFailure

INPUT_SET = "normal:0"
WARM_NS = 500_000_000
WARM_CALLS = 1_000


@dataclass(frozen=True)
class ProfilePlan:
    """What to profile. `calls` 0: as many as fit into about two seconds. `folder` is where raw traces go."""

    model: str
    name: str
    contenders: tuple[ContenderRef, ...]
    variant: VariantRef
    calls: int
    folder: Path
    deadline_s: float


def run_profiles(plan: ProfilePlan, observer: Observer, *, command: Sequence[str]) -> ProfileRecord:
    """Profile every contender of `plan`. Raises InputError for a model that cannot be used, StorageError."""
    machine, environment = read_machine(), read_environment(command)
    resolved = resolve_model(plan.model, plan.name, observer, threads=plan.variant.threads)
    feeds = prepare_feeds(
        resolved, batch=plan.variant.batch, dims=plan.variant.dims, input_sets=(INPUT_SET,), inputs=None
    )[INPUT_SET]
    graph = _graph(resolved.source, observer)
    profiles = []
    for number, ref in enumerate(plan.contenders, 1):
        observer.step(f"[{number}/{len(plan.contenders)}] profiling {ref.text}")
        profiles.append(_profile(plan, number, ref, resolved, feeds))
        failure = profiles[-1].failure
        if failure is not None:
            observer.say(f"{ref.text}: {profiles[-1].status} in {failure.phase}: {failure.message}")
    return ProfileRecord(
        model=resolved.ref,
        variant=plan.variant,
        input_set=INPUT_SET,
        machine=machine,
        environment=environment,
        graph=graph,
        profiles=tuple(profiles),
    )


def _graph(source: ModelSource, observer: Observer) -> ModelGraph:
    if source.onnx_path is None:
        return ModelGraph()
    try:
        answer, _ = run_job(
            "suites.graph_tensors:graph_tensors",
            {"path": str(source.onnx_path)},
            deadline_s=300.0,
            phase="reading the graph",
        )
    except WorkerFailure as failure:
        observer.say(f"Layers of different engines cannot be matched: {failure.message}")
        return ModelGraph()
    return ModelGraph.model_validate(answer)


def _profile(
    plan: ProfilePlan,
    number: int,
    ref: ContenderRef,
    resolved: ResolvedModel,
    feeds: Mapping[str, Array],
) -> ContenderProfile:
    folder = plan.folder / f"{number}-{_plain(ref.text)}"
    build = folder / "build"
    try:
        build.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be made: {error.strerror}", "name another folder with --trace"
        ) from None
    version = ""
    limit = plan.deadline_s
    try:
        with Worker(ref.text, threads=plan.variant.threads) as worker:
            version = open_engine(worker, ref, plan.variant, resolved.source, limit).head["version"]
            built = worker.request("build", {"folder": str(build)}, deadline_s=limit).head["artefact"]
            worker.request("load", {"artefact": built}, deadline_s=limit)
            give_feeds(worker, INPUT_SET, feeds, limit)
            worker.request("first", {"set": INPUT_SET}, deadline_s=limit, phase="first inference")
            worker.request(
                "warm",
                {"set": INPUT_SET, "calls": WARM_CALLS, "ns": WARM_NS},
                deadline_s=limit,
                phase="warm-up",
            )
            asked = {"set": INPUT_SET, "calls": plan.calls, "folder": str(folder), "artefact": built}
            told = worker.request("profile", asked, deadline_s=limit).head
    except WorkerFailure as failure:
        return ContenderProfile(
            contender=ref, status=failure.status, engine_version=version, failure=failure.record()
        )
    finally:
        _remove(build)
    profile = told["profile"]
    return ContenderProfile(
        contender=ref,
        status="measured",
        engine_version=version,
        calls=profile["calls"],
        layers=tuple(Layer.model_validate(layer) for layer in profile["layers"]),
        whole_ns=tuple(profile["whole_ns"]),
        profiled_ns=tuple(told["profiled_ns"]),
        unprofiled_ns=tuple(told["unprofiled_ns"]),
        overhead=profile["overhead"],
        notes=tuple(profile["notes"]),
        traces=tuple(profile["traces"]),
    )


def _remove(build: Path) -> None:
    """What *build* left is no trace, and may be as large as the model; a folder without traces goes too."""
    shutil.rmtree(build, ignore_errors=True)
    with contextlib.suppress(OSError):
        build.parent.rmdir()


def _plain(text: str) -> str:
    """A contender as the name of a folder."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text)[:80]

"""A model loaded on a contender in a worker of its own: outputs, inner tensors, and what its profiler says it fuses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from backends.contract import Array, ModelSource
from harness.run.layers.plan import Workshop
from harness.run.opening import give_feeds, open_engine
from harness.run.worker import Worker, WorkerFailure
from harness.worker.tensors import pack, unpack

INPUT_SET = "layers"


@dataclass(frozen=True)
class Fusions:
    """Tensors that leave the engine's layers, and for each those that its layer computes on the way.

    `unknown` says why the engine does not tell; the others are empty then.
    """

    materialised: tuple[str, ...] = ()
    fused: Mapping[str, tuple[str, ...]] | None = None
    unknown: str = ""


@dataclass(frozen=True)
class EngineAnswer:
    """What the engine gave. `version` is the engine's."""

    outputs: Mapping[str, Array]
    version: str


class Loaded:
    """A worker that has built and loaded a model and holds its inputs. Every method raises WorkerFailure."""

    def __init__(self, workshop: Workshop, source: ModelSource, feeds: Mapping[str, Array]) -> None:
        self._workshop, self._source, self._feeds = workshop, source, feeds
        self._worker: Worker | None = None
        self._folder: Path | None = None
        self.version = ""
        self.artefact: dict[str, Any] = {}

    def open(self) -> None:
        """Start, build, load."""
        plan = self._workshop.plan
        limit = plan.deadline_s
        self._folder = self._workshop.new_folder("build")
        self._worker = worker = Worker(plan.contender.text, threads=plan.variant.threads)
        try:
            opened = open_engine(worker, plan.contender, plan.variant, self._source, limit)
            self.version = opened.head["version"]
            built = worker.request("build", {"folder": str(self._folder)}, deadline_s=limit)
            self.artefact = built.head["artefact"]
            worker.request("load", {"artefact": self.artefact}, deadline_s=limit)
            give_feeds(worker, INPUT_SET, self._feeds, limit)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the worker and remove what it built."""
        if self._worker is not None:
            self._workshop.note(self._worker)
            self._worker.end()
            self._worker = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def outputs(self) -> dict[str, Array]:
        """One inference."""
        reply = self._ask("outputs", {})
        return unpack(reply.fds[0], reply.head["layout"])

    def intermediates(
        self, tensors: Sequence[str]
    ) -> tuple[dict[str, Array], tuple[str, ...], tuple[str, ...]]:
        """Values of inner tensors; all that there are; and those of `tensors` that are not there."""
        reply = self._ask("intermediates", {"tensors": list(tensors), "artefact": self.artefact})
        values = unpack(reply.fds[0], reply.head["layout"]) if reply.fds else {}
        return values, tuple(reply.head["tensors"]), tuple(reply.head["missing"])

    def part(self, given: Mapping[str, Array], target: str, folder: Path) -> Array:
        """`target` as the part of the model makes it that begins at the tensors `given` (see `Backend.run_part`)."""
        fd, layout = pack(given)
        try:
            reply = self._ask(
                "part",
                {"artefact": self.artefact, "target": target, "folder": str(folder), "layout": layout},
                fds=(fd,),
            )
        finally:
            os.close(fd)
        return unpack(reply.fds[0], reply.head["layout"])[target]

    def layers(self, folder: Path) -> list[dict[str, Any]]:
        """Layers of the engine's profile of one call (see `backends.profile.ProfiledLayer`)."""
        asked = {"calls": 1, "folder": str(folder), "artefact": self.artefact}
        layers: list[dict[str, Any]] = self._ask("profile", asked).head["profile"]["layers"]
        return layers

    def _ask(self, op: str, arguments: Mapping[str, Any], fds: Sequence[int] = ()) -> Any:
        assert self._worker is not None
        limit = self._workshop.plan.deadline_s
        reply = self._worker.request(op, {"set": INPUT_SET, **arguments}, fds=fds, deadline_s=limit, phase=op)
        self._workshop.note(self._worker)
        return reply


def run_engine(workshop: Workshop, source: ModelSource, feeds: Mapping[str, Array]) -> EngineAnswer:
    """Build, load and run `source` on the plan's contender. Raises WorkerFailure."""
    with Loaded(workshop, source, feeds) as loaded:
        return EngineAnswer(loaded.outputs(), loaded.version)


def read_fusions(workshop: Workshop, loaded: Loaded) -> Fusions:
    """What the engine's own profiler says of its layers, or why it says nothing."""
    folder = workshop.new_folder("profile")
    try:
        return fusions_of(loaded.layers(folder))
    except WorkerFailure as failure:
        return Fusions(unknown=failure.message)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fusions_of(layers: Sequence[Mapping[str, Any]]) -> Fusions:
    """Fusions as the layers of a profile tell them; layers that did not run are left out."""
    ran = [layer for layer in layers if layer["calls"] > 0]
    materialised = dict.fromkeys(name for layer in ran for name in layer["outputs"])
    if not materialised:
        return Fusions(unknown="its profiler traces no layer back to the ONNX file")
    fused: dict[str, tuple[str, ...]] = {}
    for layer in ran:
        for name in layer["outputs"]:
            fused[name] = (*fused.get(name, ()), *layer["fused"])
    return Fusions(tuple(materialised), fused)

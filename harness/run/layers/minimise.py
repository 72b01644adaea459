"""The smallest part of the model that fails by itself: grown from the place of the error, then shrunk."""

from __future__ import annotations

import time

from harness.records.layers import Place, Subgraph
from harness.run.layers.parts import Part, PartError, closed, reach, run_part, without
from harness.run.layers.places import Search
from harness.run.layers.reproduction import adapter_facts, write_reproduction
from harness.run.layers.values import HandedValues, MarkedValues
from harness.run.observer import Observer
from harness.run.worker import WorkerFailure

ATTEMPTS = 14
STEPS = (0, 1, 2, 4, 8, 16)
"""How far back from the place the parts reach that are tried, in nodes."""


def minimise(
    search: Search, values: MarkedValues | HandedValues, place: Place, observer: Observer
) -> Subgraph:
    """Find the smallest failing part at `place`, and write a folder that repeats it where one was asked for."""
    tries = _Tries(search, values, place)
    part = tries.smallest(observer)
    if part is None:
        problem = f"; {tries.problem}" if tries.problem else ""
        if tries.ran == 0:
            return Subgraph(
                status="unavailable",
                reason=f"no part around {place.tensor} could be run alone{problem}",
                attempts=tries.count,
            )
        return Subgraph(
            status="only_in_whole",
            reason=f"none of {tries.ran} parts around {place.tensor} fails alone{problem}",
            attempts=tries.count,
        )
    try:
        folder, reason = write_reproduction(search, place, part, adapter_facts(search.workshop))
    except WorkerFailure as failure:
        folder, reason = "", failure.message
    return Subgraph(
        status="fails",
        nodes=tuple(name for node in part.nodes for name in node["outputs"]),
        operators=tuple(str(node["operator"]) for node in part.nodes),
        inputs=tuple(part.feeds),
        outputs=(part.output,),
        error=part.error,
        attempts=tries.count,
        folder=folder,
        reproduction=reason,
    )


class _Tries:
    """Attempts at parts; they end when there have been `ATTEMPTS` of them, or the plan's budget is over."""

    def __init__(self, search: Search, values: MarkedValues | HandedValues, place: Place) -> None:
        self._search, self._values, self._place = search, values, place
        self._end = time.monotonic() + search.workshop.plan.budget_s
        self._tried: dict[frozenset[str], Part | None] = {}
        self.count = 0
        self.ran = 0
        self.problem = ""

    @property
    def _over(self) -> bool:
        return self.count >= ATTEMPTS or (self.count > 0 and time.monotonic() > self._end)

    def smallest(self, observer: Observer) -> Part | None:
        """Grow until it fails, then drop what is not needed."""
        graph, varying = self._search.graph, self._search.graphs.varying
        target = self._place.tensor
        start = self._place.group if self._place.verdict == "fusion" else (target,)
        failing: Part | None = None
        for steps in STEPS:
            if self._over:
                break
            observer.step(f"{self._search.workshop.plan.contender.text}: a part of the model alone")
            failing = self._try(reach(graph, {*start, target}, steps, varying))
            if failing is not None:
                break
        while failing is not None and not self._over:
            smaller = self._smaller(failing)
            if smaller is None:
                break
            failing = smaller
        return failing

    def _smaller(self, part: Part) -> Part | None:
        """The part without one of its nodes, if it still fails; those farthest from the target are tried first."""
        target = self._place.tensor
        for name in self._search.graph.ordered(part.tensors - {target}):
            if self._over:
                return None
            found = self._try(without(self._search.graph, part.tensors, name, target))
            if found is not None and len(found.tensors) < len(part.tensors):
                return found
        return None

    def _try(self, wanted: frozenset[str]) -> Part | None:
        """Run the part that computes `wanted`; None where it is right, or cannot be run."""
        search = self._search
        usable = search.right.names & self._values.enters
        inside = closed(search.graph, wanted, search.graphs.varying, usable)
        if inside in self._tried:
            return self._tried[inside]
        self.count += 1
        self._tried[inside] = None
        try:
            part = run_part(search, self._values, inside, self._place.tensor)
        except (WorkerFailure, PartError) as failure:
            self.problem = str(failure)
            return None
        self.ran += 1
        if part.error.status == "beyond":
            self._tried[inside] = part
        return self._tried[inside]

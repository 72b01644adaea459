"""What a group's results are placed under: the model's counted work, and the machine's ceilings at each precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.environment.machine import machine as this_machine
from harness.judge.pacing import worth_a_ceiling
from harness.records import ContenderRef, Settings, VariantRef
from harness.records.work import Ceilings, Work
from harness.run.ceilings import ceilings
from harness.run.models import ReadyModel
from harness.run.observer import Observer
from harness.run.work import NoWorkError, count_work

DEVICE_FLAVOURS = {"cuda": "cuda"}
"""Flavour -> device whose ceilings are known; other flavours than the CPU's have none."""
PRETENDER = "fake"
"""A backend that computes nothing has no place under a roof."""


@dataclass(frozen=True)
class Roof:
    """Work of one call, or the reason why it could not be counted; ceilings by contender."""

    work: Work | None = None
    problem: str = ""
    by_contender: Mapping[str, Ceilings] = field(default_factory=dict)


def roof_of(
    model: ReadyModel,
    contenders: tuple[ContenderRef, ...],
    variant: VariantRef,
    settings: Settings,
    observer: Observer,
) -> Roof:
    """Count the work and look up the ceilings; they are measured where there are none and the budget is worth it.

    What cannot be found out is in the answer as a reason: a comparison does not fail for want of a roof.
    """
    real = [contender for contender in contenders if contender.backend != PRETENDER]
    if not real:
        return Roof(problem="the fake engine computes nothing")
    try:
        work = count_work(model.source, variant.batch, variant.dims)
    except NoWorkError as error:
        return Roof(problem=str(error))
    machine = this_machine()
    found = {}
    for contender in real:
        device = "cpu" if not contender.flavour else DEVICE_FLAVOURS.get(contender.flavour)
        if device is not None:
            found[contender.text] = ceilings(
                variant.threads,
                (contender.precision,),
                observer,
                device=device,
                machine=machine,
                only_kept=not worth_a_ceiling(settings),
            )
    return Roof(work, "", found)

"""Ceilings, and a model's place under them, as text and as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field
from rich.console import Console
from rich.text import Text

from harness.judge.ceiling import AGAIN, HIGHER
from harness.judge.roofline import AtBest
from harness.records import Record
from harness.records.work import Ceiling, Ceilings, Work
from harness.show.lists import print_notes, print_rows
from harness.show.numbers import NOT_AVAILABLE, quantity, significant

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


class ModelAtBest(Record):
    """What a model takes, and how fast a call could be in each precision. `reason` says why `work` is not known."""

    name: str
    work: Work | None = None
    best: dict[str, AtBest] = Field(default_factory=dict)
    reason: str = ""


class RooflineDocument(Record):
    """What `harness roofline --json` writes."""

    schema_version: Literal[1] = 1
    kind: Literal["roofline"] = "roofline"
    ceilings: Ceilings
    model: ModelAtBest | None = None


def to_json(found: Ceilings, model: ModelAtBest | None) -> str:
    """Both as one JSON document."""
    return RooflineDocument(ceilings=found, model=model).model_dump_json(indent=1) + "\n"


def print_ceilings(
    found: Ceilings, model: ModelAtBest | None, console: Console, now: datetime | None = None
) -> None:
    """Print the ceilings with what gave them and their age, doubts, what is missing, and the model."""
    now = now or datetime.now(UTC)
    plural = "s" if found.threads != 1 else ""
    console.print(
        f"Ceilings of {found.machine.cpu} ({found.machine.id}), {found.device}, {found.threads} thread{plural}",
        style="bold",
        markup=False,
        soft_wrap=True,
    )
    known = [*([found.memory] if found.memory else []), *found.compute.values()]
    if known:
        print_rows([_row(ceiling, now) for ceiling in known], console)
    print_notes([f"{what}: n/a, {reason}" for what, reason in found.missing.items()], console)
    _print_doubts(known, console)
    if model is not None:
        _print_model(model, console)


def rate(value: float | None, unit: str) -> str:
    """A rate with a prefix to its unit: 218 GFLOP/s."""
    if value is None:
        return NOT_AVAILABLE
    size, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{significant(value / size, 3)}\u00a0{prefix}{unit}"


def unit_of(precision: str) -> str:
    """Integer operations are not floating-point ones."""
    return "OP/s" if precision == "int8" else "FLOP/s"


def age(then: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = max(0.0, (now - then).total_seconds())
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count != 1 else ''} ago"
    return "just now"


def _row(ceiling: Ceiling, now: datetime) -> dict[str, str]:
    memory = ceiling.kind == "memory"
    return {
        "ceiling": "memory" if memory else ceiling.precision,
        "best": rate(ceiling.rate, "B/s" if memory else unit_of(ceiling.precision)),
        "typical round": f"{-ceiling.spread:+.1%}".replace("-", "−"),
        "reached by": f"{ceiling.implementation}, {ceiling.kernel}",
        "measured": age(ceiling.measured_at, now),
    }


def _print_doubts(known: list[Ceiling], console: Console) -> None:
    doubted = [(ceiling, warning) for ceiling in known for warning in ceiling.warnings]
    for ceiling, warning in doubted:
        line = Text("warning: ", style="yellow")
        line.append(f"{ceiling.precision or 'memory'}: {warning.message}", style="default")
        console.print(line, soft_wrap=not console.is_terminal)
    if doubted:
        console.print(f"  {HIGHER} {AGAIN}", markup=False, soft_wrap=not console.is_terminal)


def _print_model(model: ModelAtBest, console: Console) -> None:
    console.print()
    if model.work is None:
        console.print(f"{model.name}: n/a, {model.reason}", markup=False, soft_wrap=True)
        return
    work = model.work
    sizes = "".join(f", {name} {size}" for name, size in work.dims.items())
    console.print(f"{model.name}, batch {work.batch}{sizes}", style="bold", markup=False, soft_wrap=True)
    print_rows([_work_row(work, precision, best) for precision, best in model.best.items()], console)
    notes = [f"{precision}: n/a, {best.reason}" for precision, best in model.best.items() if best.reason]
    notes += dict.fromkeys(note for best in model.best.values() for note in best.notes)
    notes += _uncounted(work.uncounted_why)
    print_notes(notes, console)


def _work_row(work: Work, precision: str, best: AtBest) -> Mapping[str, str]:
    compulsory, unfused = work.compulsory_bytes(precision), work.unfused_bytes(precision)
    bounds = {"compute": "arithmetic", "memory": "memory", None: NOT_AVAILABLE}
    return {
        "precision": precision,
        "MACs": rate(work.macs, ""),
        "bytes, at least": quantity(compulsory, "bytes"),
        "bytes, nothing fused": quantity(unfused, "bytes"),
        "operations per byte": significant(work.flops / compulsory, 3) if compulsory else NOT_AVAILABLE,
        "least time": quantity(best.seconds, "seconds"),
        "set by": bounds[best.bound],
    }


def _uncounted(why: Mapping[str, str]) -> list[str]:
    return [f"{operator} is not counted: {reason}" for operator, reason in why.items()]

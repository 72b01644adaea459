"""A plan as text, for the dry run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from harness.plan.cases import Plan
from harness.plan.expected_time import ExpectedTime


def print_plan(plan: Plan, expected: ExpectedTime, console: Console) -> None:
    """List groups with their contenders and the expected time."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("group")
    table.add_column("contenders")
    table.add_column("expected", justify="right")
    for group, part in zip(plan.groups, expected.groups, strict=True):
        table.add_row(group.key, ", ".join(c.text for c in group.contenders), duration(part.seconds))
    console.print(table)
    cases = sum(len(group.contenders) for group in plan.groups)
    console.print(
        f"{cases} cases in {len(plan.groups)} groups, about {duration(expected.seconds)}. "
        "Contenders of a group are measured in the same rounds.",
        markup=False,
    )
    for gate in plan.gates:
        from harness.judge.gate_words import asks

        console.print(f"gate: {asks(gate)}", markup=False)


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"

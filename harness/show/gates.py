"""Gates and their outcomes as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from harness.judge.gate_types import GateOutcome

_STYLE = {"pass": "green", "fail": "bold red", "unknown": "yellow"}


def print_gates(gates: Sequence[GateOutcome], console: Console) -> None:
    """One line a gate: its outcome and the evidence."""
    console.print()
    console.print(Text("Gates", style="bold"))
    for gate in gates:
        console.print(_line(gate))


def print_failed_gates(gates: Sequence[GateOutcome], console: Console) -> None:
    """Like `print_gates`, but only those that keep the run from passing."""
    for gate in gates:
        if not gate.passed:
            console.print(_line(gate), soft_wrap=True)


def _line(gate: GateOutcome) -> Text:
    line = Text()
    line.append(f"{gate.status:>9}  ", style=_STYLE[gate.status])
    line.append(f"{gate.asks}: ", style="bold")
    line.append(gate.words)
    return line

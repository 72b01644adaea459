"""Graphs before and after conversion as text: one table, the model first, then what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.records import Tensor
from harness.records.graph import GraphContract, GraphFacts

MOST_OPERATORS = 40
"""Rows of operators; the rarer ones are summed up."""


def print_graphs(contracts: Mapping[str, GraphContract], console: Console) -> None:
    """Print the contracts by contender. All are of the same model: the first that knows it gives its column."""
    before = next((contract.before for contract in contracts.values() if contract.before), None)
    known = {name: contract.after for name, contract in contracts.items() if contract.after is not None}
    if before is not None or known:
        console.print(graph_table(before, known))
    for name, contract in contracts.items():
        for line in finding_lines(name, contract):
            console.print(line, soft_wrap=True)


def graph_table(before: GraphFacts | None, after: Mapping[str, GraphFacts]) -> Table:
    """Facts as rows; the model and the contenders as columns. Engines name operators in their own words."""
    columns = ({"model": before} if before else {}) | dict(after)
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("graph")
    for name in columns:
        table.add_column(name, justify="right")
    graphs = list(columns.values())
    table.add_row("parameters", *[_count(graph.parameters) for graph in graphs])
    for dtype in _keys(graphs, "dtypes"):
        table.add_row(f"  constants {dtype}", *[_count(graph.dtypes.get(dtype)) for graph in graphs])
    for dtype in _keys(graphs, "stored"):
        table.add_row(f"  in its file {dtype}", *[_count(graph.stored.get(dtype)) for graph in graphs])
    table.add_row("operator set", *[_opset(graph) for graph in graphs])
    # As text: a shape in brackets would be taken for a style.
    table.add_row("inputs", *[Text("\n".join(map(_tensor, graph.inputs))) for graph in graphs])
    table.add_row("outputs", *[Text("\n".join(map(_tensor, graph.outputs))) for graph in graphs])
    table.add_row("operators", *[_count(graph.nodes or None) for graph in graphs])
    ours = before.operators if before else {}
    shown = sorted(_keys(graphs, "operators"), key=lambda name: name not in ours)
    for name in shown[:MOST_OPERATORS]:
        table.add_row(f"  {name}", *[_count(graph.operators.get(name)) for graph in graphs])
    if rest := shown[MOST_OPERATORS:]:
        sums = [sum(graph.operators.get(name, 0) for name in rest) for graph in graphs]
        table.add_row(f"  {len(rest)} more kinds", *[_count(total or None) for total in sums])
    return table


def finding_lines(name: str, contract: GraphContract) -> list[Text]:
    """A line for every finding about one contender, breaches first, and one for what is not known."""
    lines = []
    for finding in contract.findings:
        line = Text()
        breach = finding.kind == "breach"
        line.append("breach: " if breach else "remark: ", style="bold red" if breach else "yellow")
        line.append(" ".join(part for part in (f"{name}: {finding.message}.", finding.consequence) if part))
        lines.append(line)
    if contract.problem:
        lines.append(Text(f"{name}: the graph is not compared: {contract.problem}", style="dim"))
    notes = contract.after.notes if contract.after else ()
    return [*lines, *(Text(f"{name}: {note}", style="dim") for note in notes)]


def _keys(graphs: list[GraphFacts], field: str) -> list[str]:
    """Keys of a histogram over all graphs, the most frequent first."""
    total: Counter[str] = Counter()
    for graph in graphs:
        total.update(getattr(graph, field))
    return [key for key, _ in sorted(total.items(), key=lambda item: (-item[1], item[0]))]


def _opset(graph: GraphFacts) -> str:
    """The sets of operators that matter: ONNX's own, or the format's version."""
    own = {name: version for name, version in graph.opset.items() if name == "ai.onnx"} or graph.opset
    return ", ".join(f"{name} {version}" for name, version in own.items()) or "–"


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name} {tensor.dtype} [{', '.join(map(str, tensor.shape))}]"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"

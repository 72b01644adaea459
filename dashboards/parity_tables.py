"""The tables of a parity page: diagnostics, inputs, and graphs before and after conversion, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboards.charts.chart import DataTable
from harness.judge.parity_document import ParityDocument
from harness.records import Tensor
from harness.records.graph import GraphContract, GraphFacts, GraphFinding
from harness.records.parity_check import ParityRecord
from harness.show.parity_words import FIGURES, place_name, worst_output

NONE = "–"


@dataclass(frozen=True)
class Found:
    """One finding about a contender's graph."""

    contender: str
    breach: bool
    words: str


@dataclass(frozen=True)
class GraphView:
    """The graphs side by side, and what was found."""

    table: DataTable | None
    findings: tuple[Found, ...]
    unknown: tuple[tuple[str, str], ...]
    """Contenders whose graph is not known, and why."""


def diagnostics_table(document: ParityDocument) -> DataTable | None:
    """Figures at the worst place of each contender; None when none has any."""
    chosen = [
        (verdict.contender, document.record.checks[verdict.worst.check].variant.batch, output)
        for verdict in document.verdicts
        if verdict.worst is not None and (output := worst_output(document, verdict)) is not None
    ]
    if not any(output.diagnostics for _, _, output in chosen):
        return None
    where = ("where", *(place_name(document.record, output, batch) for _, batch, output in chosen))
    rows = [
        (figure.label, *cells)
        for figure in FIGURES
        if any(
            cells := [
                figure.text(output.diagnostics) if output.diagnostics else "" for _, _, output in chosen
            ]
        )
    ]
    return DataTable(
        "Figures at the worst place of each contender",
        ("", *(name for name, _, _ in chosen)),
        (where, *((row[0], *(cell or "n/a" for cell in row[1:])) for row in rows)),
    )


def inputs_table(record: ParityRecord) -> DataTable:
    """Every input set of every variant with its shapes and hash, those left out too."""
    rows = [
        (
            entry.name,
            str(variant.variant.batch),
            ", ".join(f"{name} {_shape(shape)}" for name, shape in entry.shapes.items()),
            entry.sha256[:16],
            entry.file or "made by the harness",
        )
        for variant in record.variants
        for entry in variant.input_sets
    ]
    rows += [
        (left.name, str(variant.variant.batch), "not judged", NONE, left.reason)
        for variant in record.variants
        for left in variant.left_out
    ]
    return DataTable(
        "The inputs, the very same bytes for every contender",
        ("input set", "batch", "shapes", "sha256", "from"),
        tuple(rows),
    )


def graph_view(record: ParityRecord) -> GraphView | None:
    """The graphs of the first variant; None when no contender was asked for its graph."""
    contracts: dict[str, GraphContract] = {}
    for check in record.checks:
        if check.graph is not None:
            contracts.setdefault(check.contender.text, check.graph)
    if not contracts:
        return None
    before = next((contract.before for contract in contracts.values() if contract.before), None)
    columns: dict[str, GraphFacts] = {"model": before} if before else {}
    columns |= {name: contract.after for name, contract in contracts.items() if contract.after is not None}
    return GraphView(
        table=_graph_table(columns) if columns else None,
        findings=tuple(
            Found(name, finding.kind == "breach", _finding(finding))
            for name, contract in contracts.items()
            for finding in contract.findings
        ),
        unknown=tuple((name, contract.problem) for name, contract in contracts.items() if contract.problem),
    )


def _graph_table(columns: Mapping[str, GraphFacts]) -> DataTable:
    graphs = list(columns.values())
    rows: list[tuple[str, ...]] = [("parameters", *(_count(graph.parameters) for graph in graphs))]
    for label, field in (("constants of type", "dtypes"), ("in its file, of type", "stored")):
        for key in _keys(graphs, field):
            rows.append((f"{label} {key}", *(_count(getattr(graph, field).get(key)) for graph in graphs)))
    rows.append(("operator set", *(_opset(graph) for graph in graphs)))
    rows.append(("inputs", *(_tensors(graph.inputs) for graph in graphs)))
    rows.append(("outputs", *(_tensors(graph.outputs) for graph in graphs)))
    rows.append(("operators, all", *(_count(graph.nodes or None) for graph in graphs)))
    ours = graphs[0].operators
    for name in sorted(_keys(graphs, "operators"), key=lambda key: key not in ours):
        rows.append((name, *(_count(graph.operators.get(name)) for graph in graphs)))
    return DataTable("The graph before conversion and inside each engine", ("", *columns), tuple(rows))


def _keys(graphs: Sequence[GraphFacts], field: str) -> list[str]:
    total: Counter[str] = Counter()
    for graph in graphs:
        total.update(getattr(graph, field))
    return [key for key, _ in sorted(total.items(), key=lambda item: (-item[1], item[0]))]


def _finding(finding: GraphFinding) -> str:
    return " ".join(part for part in (f"{finding.message}.", finding.consequence) if part)


def _opset(graph: GraphFacts) -> str:
    own = {name: version for name, version in graph.opset.items() if name == "ai.onnx"} or graph.opset
    return ", ".join(f"{name} {version}" for name, version in own.items()) or NONE


def _tensors(tensors: Sequence[Tensor]) -> str:
    return ", ".join(f"{tensor.name} {tensor.dtype} {_shape(tensor.shape)}" for tensor in tensors) or NONE


def _shape(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"

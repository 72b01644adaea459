"""One table from the profiles of several contenders: rows of ONNX nodes, times, sums by operator, and doubts.

Derived from `harness.records.profile.ProfileRecord` alone. Times are seconds a call; shares are of the sum of a
contender's layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from harness.judge.profile.doubts import Figures, doubts
from harness.judge.profile.layers import Nodes, common_groups, cover, leaving
from harness.records import Record, Warning_
from harness.records.profile import ContenderProfile, ModelGraph, ProfileRecord

DISTURBED = 1.5
"""A profiled call that took more than this many medians was disturbed by something else on the machine."""
QUIET_OPERATORS = frozenset({"Constant", "Identity"})
"""Operators that say nothing about a group."""


class Cell(Record):
    """What one contender spent on one row."""

    layers: tuple[int, ...]
    """Indices into the contender's layers."""
    ran: int
    """How many of them ran: the others were fused away or optimised out."""
    seconds: float
    share: float


class Row(Record):
    """Nodes of the ONNX graph that are whole layers in every contender."""

    name: str
    """The tensors that leave it."""
    operators: str
    nodes: tuple[int, ...]
    cells: tuple[Cell, ...]
    """One for every profiled contender, in their order."""


class OperatorSum(Record):
    """All layers of one kind in one contender."""

    operator: str
    layers: int
    seconds: float
    share: float


class Column(Record):
    """One profiled contender: its sums, and what does not fit."""

    contender: str
    calls: int
    """Calls that count: those that took more than `DISTURBED` times the median are left out where the engine tells
    calls apart."""
    layers_s: float
    """Sum of all layers, seconds a call."""
    whole_s: float | None
    """The whole call as the engine times it, profiler on."""
    profiled_s: float
    """Median call as the harness times it, profiler on."""
    unprofiled_s: float
    """Median call as the harness times it, profiler off: the latency that counts."""
    seconds: tuple[float, ...]
    """Seconds a call of every layer, in the order of the contender's layers."""
    unmatched: Cell
    """Layers that belong to no ONNX node, and those that could not be traced back to one."""
    operators: tuple[OperatorSum, ...]
    """By the engine's own words for what layers do, longest first."""
    warnings: tuple[Warning_, ...]


class ProfileTable(Record):
    """The table of one profile record; contenders without layers are not in it."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """In topological order. Every node of the graph is in exactly one row."""
    kinds: tuple[Row, ...]
    """The rows summed by their operators, longest first; `name` is empty."""


class Times:
    """One contender's layers with the seconds a call that count for each."""

    def __init__(self, profile: ContenderProfile) -> None:
        self.profile = profile
        self.layers = profile.layers
        self.calls = _undisturbed(profile)
        if self.calls:
            self.seconds = [
                sum(layer.by_call[call] for call in self.calls) / len(self.calls) * 1e-9
                if layer.calls
                else 0.0
                for layer in profile.layers
            ]
        else:
            self.seconds = [layer.total_ns / profile.calls * 1e-9 for layer in profile.layers]
        self.total = sum(self.seconds)

    @property
    def whole_s(self) -> float | None:
        """The whole call as the engine times it."""
        whole = self.profile.whole_ns
        if not whole:
            return None
        kept = [whole[call] for call in self.calls] if self.calls else whole
        return sum(kept) / len(kept) * 1e-9


def _undisturbed(profile: ContenderProfile) -> tuple[int, ...]:
    """Calls that nothing else on the machine held up; empty where the engine does not tell calls apart."""
    if not all(layer.by_call for layer in profile.layers if layer.calls):
        return ()
    most = DISTURBED * median(profile.profiled_ns)
    return tuple(call for call, taken in enumerate(profile.profiled_ns) if taken <= most)


def make_table(record: ProfileRecord) -> ProfileTable:
    """Match, group and sum."""
    graph = record.graph
    profiles = [Times(profile) for profile in record.profiles if profile.layers]
    covers = [cover(graph, profile.layers) for profile in profiles]
    rows = tuple(_row(graph, nodes, profiles, covers) for nodes in common_groups(len(graph.nodes), covers))
    return ProfileTable(
        columns=tuple(_column(profile, own) for profile, own in zip(profiles, covers, strict=True)),
        rows=rows,
        kinds=_kinds(rows, len(profiles)),
    )


def _row(
    graph: ModelGraph,
    nodes: tuple[int, ...],
    profiles: Sequence[Times],
    covers: Sequence[Sequence[Nodes]],
) -> Row:
    inside = set(nodes)
    cells = tuple(
        _cell(profile, [index for index, own in enumerate(covered) if own & inside])
        for profile, covered in zip(profiles, covers, strict=True)
    )
    return Row(
        name=", ".join(leaving(graph, nodes)),
        operators=_operators(graph, nodes),
        nodes=nodes,
        cells=cells,
    )


def _operators(graph: ModelGraph, nodes: Sequence[int]) -> str:
    """E.g. "Conv+Add+Relu", or "Conv×2+Add+Relu"."""
    kinds = [graph.nodes[index].operator for index in nodes]
    counts = Counter([kind for kind in kinds if kind not in QUIET_OPERATORS] or kinds[:1])
    return "+".join(f"{kind}×{count}" if count > 1 else kind for kind, count in counts.items())


def _cell(times: Times, layers: Sequence[int]) -> Cell:
    taken = sum(times.seconds[index] for index in layers)
    return Cell(
        layers=tuple(layers),
        ran=sum(times.layers[index].calls > 0 for index in layers),
        seconds=taken,
        share=taken / times.total if times.total else 0.0,
    )


def _kinds(rows: Sequence[Row], contenders: int) -> tuple[Row, ...]:
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        if any(cell.layers for cell in row.cells):
            by_kind.setdefault(row.operators, []).append(row)
    summed = [
        Row(
            name="",
            operators=kind,
            nodes=tuple(node for row in own for node in row.nodes),
            cells=tuple(
                Cell(
                    layers=tuple(layer for row in own for layer in row.cells[place].layers),
                    ran=sum(row.cells[place].ran for row in own),
                    seconds=sum(row.cells[place].seconds for row in own),
                    share=sum(row.cells[place].share for row in own),
                )
                for place in range(contenders)
            ),
        )
        for kind, own in by_kind.items()
    ]
    return tuple(sorted(summed, key=lambda row: -max(cell.seconds for cell in row.cells)))


def _column(times: Times, covered: Sequence[Nodes]) -> Column:
    profile, layers_s, whole_s = times.profile, times.total, times.whole_s
    profiled_s = median(profile.profiled_ns) * 1e-9
    unprofiled_s = median(profile.unprofiled_ns) * 1e-9
    unmatched = _cell(times, [index for index, nodes in enumerate(covered) if not nodes])
    return Column(
        contender=profile.contender.text,
        calls=len(times.calls) or profile.calls,
        layers_s=layers_s,
        whole_s=whole_s,
        profiled_s=profiled_s,
        unprofiled_s=unprofiled_s,
        seconds=tuple(times.seconds),
        unmatched=unmatched,
        operators=_by_operator(times),
        warnings=doubts(
            Figures(layers_s, whole_s, profiled_s, unprofiled_s, unmatched.share),
            profile.unprofiled_ns,
            profile.notes,
        ),
    )


def _by_operator(times: Times) -> tuple[OperatorSum, ...]:
    """Layers that ran, by operator."""
    found: dict[str, list[float]] = {}
    for layer, seconds in zip(times.layers, times.seconds, strict=True):
        if layer.calls:
            found.setdefault(layer.operator, []).append(seconds)
    sums = [
        OperatorSum(
            operator=operator,
            layers=len(taken),
            seconds=sum(taken),
            share=sum(taken) / times.total if times.total else 0.0,
        )
        for operator, taken in found.items()
    ]
    return tuple(sorted(sums, key=lambda entry: -entry.seconds))

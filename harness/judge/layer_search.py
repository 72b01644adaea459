"""Where an error begins in a graph, and what to look at next.

Pure functions of a graph and of what is known of its tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.records.layers import TensorError, TensorStatus

CLEAR = 3.0
"""An excess over the budget up to this factor is marginal: a kernel that rounds more may do so, a fault seldom."""
JUMP = 30.0
"""Growth of the excess over one step that marginal beginnings do not explain."""


@dataclass(frozen=True)
class Node:
    """A node of the graph; `inputs` are tensors that other nodes produce."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """The nodes of a model in topological order, and the names of its outputs."""

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...] = ()

    @cached_property
    def tensors(self) -> tuple[str, ...]:
        """All tensors that nodes produce, in topological order."""
        return tuple(name for node in self.nodes for name in node.outputs)

    @cached_property
    def producer(self) -> Mapping[str, Node]:
        """The node of every tensor."""
        return {name: node for node in self.nodes for name in node.outputs}

    @cached_property
    def place(self) -> Mapping[str, int]:
        """The position of every tensor in topological order."""
        return {name: index for index, name in enumerate(self.tensors)}

    def inputs_of(self, tensor: str) -> tuple[str, ...]:
        """Tensors that the node of `tensor` reads."""
        node = self.producer.get(tensor)
        return node.inputs if node else ()

    def ancestors(self, tensors: Iterable[str]) -> set[str]:
        """All tensors from which any of `tensors` is computed, themselves left out."""
        found: set[str] = set()
        waiting = list(tensors)
        while waiting:
            for name in self.inputs_of(waiting.pop()):
                if name not in found:
                    found.add(name)
                    waiting.append(name)
        return found

    def ordered(self, tensors: Iterable[str]) -> tuple[str, ...]:
        """`tensors` in topological order."""
        return tuple(sorted((name for name in tensors if name in self.place), key=self.place.__getitem__))


def first_bad(graph: Graph, status: Mapping[str, TensorStatus]) -> tuple[str, ...]:
    """Tensors beyond their budget that are computed from none such, in topological order.

    Of several outputs of one node that are both beyond, both are named.
    """
    tainted: dict[str, bool] = {}
    firsts = []
    for node in graph.nodes:
        below = any(tainted.get(name, False) for name in node.inputs)
        for name in node.outputs:
            bad = status.get(name) == "beyond"
            if bad and not below:
                firsts.append(name)
            tainted[name] = bad or below
    return tuple(firsts)


def beginnings(graph: Graph, tensors: Mapping[str, TensorError]) -> tuple[str, ...]:
    """Where to look for the fault of outputs beyond their budgets: firsts that such an output is computed from.

    Firsts that leave their budget clearly (by more than `CLEAR`) come before marginal ones. Where all are marginal
    and the outputs are not, the steps over which the excess grows by `JUMP` come before them.
    """
    status = {name: tensor.status for name, tensor in tensors.items()}
    failing = [name for name in graph.outputs if status.get(name) == "beyond"]
    behind = graph.ancestors(failing) | set(failing)
    firsts = [name for name in first_bad(graph, status) if name in behind]
    clear = [name for name in firsts if _excess(tensors, name) > CLEAR]
    worst = max((_excess(tensors, name) for name in failing), default=0.0)
    if clear or worst <= CLEAR:
        marginal = [name for name in firsts if name not in clear]
        return tuple(clear + marginal)
    jumps = [name for name in graph.tensors if name in behind and name not in firsts]
    return (*[name for name in jumps if _grows(graph, tensors, name)][:1], *firsts)


def _grows(graph: Graph, tensors: Mapping[str, TensorError], name: str) -> bool:
    if name not in tensors or tensors[name].status != "beyond":
        return False
    before = max((_excess(tensors, seen) for seen in frontier(graph, name, tensors)), default=0.0)
    return _excess(tensors, name) >= JUMP * before


def _excess(tensors: Mapping[str, TensorError], name: str) -> float:
    tensor = tensors.get(name)
    return tensor.excess if tensor is not None and tensor.excess is not None else 0.0


def seen_tensors(tensors: Mapping[str, TensorError]) -> set[str]:
    """Tensors that are known to be within or beyond their budget."""
    return {name for name, tensor in tensors.items() if tensor.status in ("within", "beyond")}


def suspects(graph: Graph, tensor: str, known: Iterable[str]) -> tuple[str, ...]:
    """Tensors between `tensor` and the `known` ones that it is computed from: those of which nothing is known."""
    return graph.ordered(_between(graph, tensor, set(known))[0])


def frontier(graph: Graph, tensor: str, known: Iterable[str]) -> tuple[str, ...]:
    """The `known` tensors from which `tensor` is computed without another known one between."""
    return graph.ordered(_between(graph, tensor, set(known))[1])


def _between(graph: Graph, tensor: str, known: set[str]) -> tuple[set[str], set[str]]:
    unknown: set[str] = set()
    border: set[str] = set()
    waiting = [tensor]
    while waiting:
        for name in graph.inputs_of(waiting.pop()):
            if name in known:
                border.add(name)
            elif name not in unknown:
                unknown.add(name)
                waiting.append(name)
    return unknown, border


def spread(names: Sequence[str], most: int) -> tuple[str, ...]:
    """At most `most` of `names`, evenly spread, the last one among them."""
    if len(names) <= most:
        return tuple(names)
    step = len(names) / most
    return tuple(names[len(names) - 1 - int(step * turn)] for turn in range(most))[::-1]


def batches(names: Sequence[str], sizes: Mapping[str, int], most: int) -> list[tuple[str, ...]]:
    """`names` in turns whose `sizes` (bytes) sum up to at most `most`; a larger tensor has a turn of its own."""
    turns: list[list[str]] = []
    room = 0
    for name in names:
        size = sizes.get(name, 0)
        if not turns or size > room:
            turns.append([])
            room = most
        turns[-1].append(name)
        room -= size
    return [tuple(turn) for turn in turns]

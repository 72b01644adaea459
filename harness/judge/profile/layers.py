"""Which layers of different engines belong together: pure functions of an ONNX graph and the tensors layers name.

An engine fuses, splits and drops nodes of the ONNX graph. Every layer stands for a set of nodes; rows of the table are
the smallest sets of nodes that are whole layers in every engine.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.records.profile import Layer, ModelGraph

Nodes = frozenset[int]


def cover(graph: ModelGraph, layers: Sequence[Layer]) -> tuple[Nodes, ...]:
    """For every layer the nodes (indices into `graph.nodes`) that it stands for; none where it names no known tensor.

    A layer stands for the nodes of the tensors that it names, and for those before them that no layer names: the
    engine fused or folded them without a word. Such a node goes to the first layer (in the order of the graph) that
    needs it. Nodes that nothing after them needs stay uncovered.
    """
    producer = _producers(graph)
    named = [
        frozenset(producer[tensor] for tensor in (*layer.outputs, *layer.fused) if tensor in producer)
        for layer in layers
    ]
    taken = set().union(*named)
    covers = [set(nodes) for nodes in named]
    for index in sorted((i for i, nodes in enumerate(named) if nodes), key=lambda i: (max(named[i]), i)):
        waiting = list(named[index])
        while waiting:
            for tensor in graph.nodes[waiting.pop()].inputs:
                node = producer.get(tensor)
                if node is not None and node not in taken:
                    taken.add(node)
                    covers[index].add(node)
                    waiting.append(node)
    return tuple(frozenset(nodes) for nodes in covers)


def common_groups(nodes: int, covers: Sequence[Sequence[Nodes]]) -> tuple[tuple[int, ...], ...]:
    """The finest partition of 0 … `nodes` - 1 in which every set of every contender lies in one part.

    Parts are sorted inside, and among each other by their last node: the order in which they can be computed.
    """
    parent = list(range(nodes))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for contender in covers:
        for together in contender:
            members = sorted(together)
            for other in members[1:]:
                parent[root(other)] = root(members[0])
    parts: dict[int, list[int]] = {}
    for node in range(nodes):
        parts.setdefault(root(node), []).append(node)
    return tuple(sorted((tuple(part) for part in parts.values()), key=lambda part: part[-1]))


def leaving(graph: ModelGraph, nodes: Sequence[int]) -> tuple[str, ...]:
    """Tensors that a set of nodes produces for others or for the caller; all it produces when nobody needs any."""
    inside = set(nodes)
    needed = set(graph.outputs)
    for index, node in enumerate(graph.nodes):
        if index not in inside:
            needed |= set(node.inputs)
    produced = [tensor for index in nodes for tensor in graph.nodes[index].outputs]
    return tuple(tensor for tensor in produced if tensor in needed) or tuple(produced)


def _producers(graph: ModelGraph) -> dict[str, int]:
    return {tensor: index for index, node in enumerate(graph.nodes) for tensor in node.outputs}

"""Which ONNX tensors the nodes of an optimised ONNX Runtime graph compute: pure functions of two lists of nodes.

Fusing keeps the name of the last tensor. Blocking by channels (NCHWc) does not: its tensors are called
"reorder_token_7", its nodes after the first tensor that they replaced, "getitem_6_nchwc"; what was fused into such a
node after that has left no name, and is found by walking on in the original graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

REORDERS = ("ReorderInput", "ReorderOutput")
FUSED_LATER = frozenset(
    {
        "Add",
        "Sum",
        "Relu",
        "LeakyRelu",
        "Clip",
        "Sigmoid",
        "HardSigmoid",
        "Tanh",
        "Gelu",
        "QuickGelu",
        "Elu",
        "Selu",
    }
)
"""What the engine fuses into a blocked convolution: a sum with another tensor, and activations."""
_SUFFIXES = ("_nchwc", "_nhwc", "")


@dataclass(frozen=True)
class Node:
    """A node of either graph."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Computes:
    """ONNX tensors that leave an optimised node, and those that it computes on the way."""

    outputs: tuple[str, ...] = ()
    fused: tuple[str, ...] = ()


def trace_back(
    original: Sequence[Node], optimised: Sequence[Node], inputs: Sequence[str], outputs: Sequence[str]
) -> tuple[Computes, ...]:
    """For every optimised node what it computes, in the order of `optimised` (topological).

    `inputs` and `outputs` are the model's. A change of layout computes nothing.
    """
    tensors = {name for node in original for name in node.outputs if name}
    by_name = {node.name: node.outputs[0] for node in original if node.name and node.outputs}
    first = [_named(node, tensors, by_name) for node in optimised]
    claimed = {tensor for names in first for tensor in names}
    walk = _Walk(original, tensors | set(inputs), frozenset(outputs))
    meaning = {name: name for name in (*inputs, *tensors)}
    found = []
    for node, names in zip(optimised, first, strict=True):
        if node.operator in REORDERS:
            if node.inputs and node.inputs[0] in meaning:
                meaning.setdefault(node.outputs[0], meaning[node.inputs[0]])
            found.append(Computes())
            continue
        if len(names) != 1 or names[0] in node.outputs:
            found.append(Computes(names))
        else:
            read = {meaning[name] for name in node.inputs if name in meaning}
            path = walk.forward(names[0], read, claimed)
            meaning[node.outputs[0]] = path[-1]
            found.append(Computes((path[-1],), tuple(path[:-1])))
    return tuple(found)


def _named(node: Node, tensors: set[str], by_name: Mapping[str, str]) -> tuple[str, ...]:
    """Original tensors that the names of a node and of its outputs tell."""
    if node.operator in REORDERS:
        return ()
    exact = tuple(name for name in node.outputs if name in tensors)
    if exact:
        return exact
    for suffix in _SUFFIXES:
        stem = node.name.removesuffix(suffix)
        if suffix and stem == node.name:
            continue
        if stem in tensors:
            return (stem,)
        if stem in by_name:
            return (by_name[stem],)
    return ()


class _Walk:
    """The original graph, walked from a tensor to what is computed from it alone."""

    def __init__(self, nodes: Sequence[Node], varying: set[str], ends: frozenset[str]) -> None:
        self._varying = varying
        self._ends = ends
        self._users: dict[str, list[Node]] = {}
        for node in nodes:
            for name in dict.fromkeys(node.inputs):
                self._users.setdefault(name, []).append(node)

    def forward(self, tensor: str, read: set[str], claimed: set[str]) -> list[str]:
        """`tensor` and those after it that the same optimised node must hold.

        The walk goes on while there is one user, of a kind that is fused later, no other optimised node computes what
        that user gives, and all else that the user takes is constant or among `read`, the tensors that the optimised
        node takes.
        """
        path = [tensor]
        while tensor not in self._ends:
            users = self._users.get(tensor, [])
            if len(users) != 1 or users[0].operator not in FUSED_LATER or users[0].outputs[0] in claimed:
                break
            others = {name for name in users[0].inputs if name in self._varying and name != tensor}
            if not others <= read:
                break
            tensor = users[0].outputs[0]
            path.append(tensor)
        return path

"""What differs between nodes of two ONNX models that make the same tensors: the line that usually is the answer.

`differences` is a job: the parent runs it in a worker process, because it imports onnx and parses untrusted bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from suites.graph_tensors import used_names

_LONGEST = 60
"""Characters of a value that are shown."""
_FEW = 4
"""So many numbers of a constant are shown where another has another shape."""

Entry = dict[str, str]


def differences(
    arguments: dict[str, Any], _arrays: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: how the nodes that produce "tensors" differ between the ONNX files "model" and "reference".

    Compared are operators, attributes and constants (by their place among the inputs); constants are followed back to
    what they are made of, and the bodies of If, Loop and Scan are compared node by node. Answers {"differences":
    [{"what", "model", "reference", "tensor": the first whose node differs so}]}.
    """
    import onnx

    ours, theirs = (
        _Scope(onnx.load_model(str(path), format="protobuf", load_external_data=False).graph, path.parent)
        for path in (Path(str(arguments[key])) for key in ("model", "reference"))
    )
    unique: dict[tuple[str, ...], Entry] = {}
    for tensor in arguments["tensors"]:
        for entry in _tensors(ours, theirs, tensor, tensor):
            unique.setdefault(tuple(entry.values()), entry | {"tensor": tensor})
    return {"differences": list(unique.values())}, {}


class _Scope:
    """A graph's nodes by what they produce, and its constants as arrays; a body sees those around it too."""

    def __init__(self, graph: Any, folder: Path, outer: _Scope | None = None) -> None:
        self.graph, self._folder, self._outer = graph, folder, outer
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._constants |= {
            node.output[0]: node.attribute[0]
            for node in graph.node
            if node.op_type == "Constant" and len(node.attribute) == 1
        }
        made = [name for node in graph.node for name in node.output if name and name not in self._constants]
        self.nodes = {name: node for node in graph.node for name in node.output if name}
        self.inputs = [value.name for value in graph.input if value.name not in self._constants]
        self._place = {name: place for place, name in enumerate((*self.inputs, *made))}

    def body(self, graph: Any) -> _Scope:
        """The scope of a body in this graph."""
        return _Scope(graph, self._folder, self)

    def constant(self, name: str) -> Array | None:
        """A constant's value; None for what is none."""
        from onnx import TensorProto, helper, numpy_helper

        if name not in self._constants:
            return self._outer.constant(name) if self._outer and name not in self._place else None
        held = self._constants[name]
        value = held if isinstance(held, TensorProto) else helper.get_attribute_value(held)
        if isinstance(value, TensorProto):
            return np.asarray(numpy_helper.to_array(value, str(self._folder)))
        return np.asarray(value)

    def place(self, name: str) -> int | str:
        """What a tensor is whatever it is called: its place in a body, its name elsewhere."""
        return self._place.get(name, name) if self._outer else name

    def varies(self, name: str) -> bool:
        """Whether a tensor depends on the graph's inputs."""
        waiting, seen = [name], set()
        while waiting:
            tensor = waiting.pop()
            if tensor in self.inputs:
                return True
            if tensor in self.nodes and tensor not in seen:
                seen.add(tensor)
                waiting += used_names(self.nodes[tensor])
        return False


def _tensors(ours: _Scope, theirs: _Scope, tensor: str, other: str) -> Iterator[Entry]:
    a, b = ours.nodes.get(tensor), theirs.nodes.get(other)
    if a is not None and b is not None:
        yield from _nodes(ours, theirs, a, b)
    elif a is not None or b is not None:
        present = [node.op_type if node is not None else "no node" for node in (a, b)]
        yield _entry(f"what makes {tensor}", *present)


def _nodes(ours: _Scope, theirs: _Scope, a: Any, b: Any) -> Iterator[Entry]:
    if (a.op_type, a.domain) != (b.op_type, b.domain):
        yield _entry("operator", a.op_type, b.op_type)
    left, right = ({entry.name: entry for entry in node.attribute} for node in (a, b))
    for name in dict.fromkeys((*left, *right)):
        one, two = left.get(name), right.get(name)
        if one is not None and two is not None and one.HasField("g") and two.HasField("g"):
            # A body may read constants from around it: it can differ although it looks the same.
            yield from _bodies(ours.body(one.g), theirs.body(two.g), name)
        elif one is None or two is None or one.SerializeToString() != two.SerializeToString():
            yield _entry(f"attribute {name}", _shown(one), _shown(two))
    if len(a.input) != len(b.input):
        yield _entry("number of inputs", str(len(a.input)), str(len(b.input)))
    for first, second in zip(a.input, b.input, strict=False):
        yield from _inputs(ours, theirs, first, second)


def _inputs(ours: _Scope, theirs: _Scope, one: str, two: str) -> Iterator[Entry]:
    a, b = ours.constant(one), theirs.constant(two)
    if a is not None and b is not None:
        if words := _array_difference(a, b):
            yield _entry(f"constant {one}", *words)
    elif one in ours.nodes and two in theirs.nodes and not ours.varies(one) and not theirs.varies(two):
        yield from _tensors(ours, theirs, one, two)
    elif ours.place(one) != theirs.place(two):
        yield _entry("input", one or "none", two or "none")


def _bodies(ours: _Scope, theirs: _Scope, name: str) -> Iterator[Entry]:
    left, right = (
        [node for node in scope.graph.node if node.op_type != "Constant"] for scope in (ours, theirs)
    )
    if [node.op_type for node in left] != [node.op_type for node in right]:
        shown = [", ".join(node.op_type for node in side) or "no node" for side in (left, right)]
        yield _entry(f"operators of {name}", *shown)
        return
    for a, b in zip(left, right, strict=True):
        for entry in _nodes(ours, theirs, a, b):
            yield entry | {"what": f"{entry['what']} in {name}"}
    for one, two in zip(ours.graph.output, theirs.graph.output, strict=False):
        if ours.place(one.name) != theirs.place(two.name):
            yield _entry(f"output of {name}", one.name, two.name)


def _array_difference(a: Array, b: Array) -> tuple[str, str] | None:
    if a.shape != b.shape or a.dtype != b.dtype:
        return _array_words(a), _array_words(b)
    differing = np.flatnonzero((a != b).ravel())
    if not differing.size or np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"):
        return None
    first = int(differing[0])
    where = [int(index) for index in np.unravel_index(first, a.shape)]
    return (
        f"{_number(a.ravel()[first])} at {where}; {differing.size} of {a.size} values differ",
        _number(b.ravel()[first]),
    )


def _array_words(array: Array) -> str:
    few = ", ".join(map(_number, array.ravel())) if array.size <= _FEW else ""
    words = f"{array.dtype.name} {list(array.shape)}"
    return f"{few} ({words})" if few else words


def _number(value: Any) -> str:
    """A number with seven digits, other values as they are."""
    return f"{value:.7g}" if np.asarray(value).dtype.kind in "iuf" else str(value)


def _shown(attribute: Any) -> str:
    from onnx import TensorProto, helper, numpy_helper

    if attribute is None:
        return "not set"
    value = helper.get_attribute_value(attribute)
    if isinstance(value, TensorProto):
        return _array_words(np.asarray(numpy_helper.to_array(value)))
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    text = f"{value:.7g}" if isinstance(value, float) else " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _entry(what: str, model: str, reference: str) -> Entry:
    return {"what": what, "model": model, "reference": reference}

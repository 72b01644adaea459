"""A part of a torch module's exported graph, run alone and kept as its operators: a failure that can be repeated.

`backends.torch_reproduce` runs what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.contract import Array, UnsupportedError
from backends.torch_reproduce import INPUT, OPERATORS, run

_BUILTIN = {"_operator": "operator", "builtins": "builtins", "math": "math", "operator": "operator"}


def run_part(
    torch: Any,
    graph: Any,
    tensor_of: Mapping[str, str],
    arguments: Mapping[str, Any],
    given: Mapping[str, Array],
    target: str,
    folder: Path,
    threads: int,
) -> Array:
    """The ONNX tensor `target` as the operators between it and the tensors `given` make it; they go to `folder`.

    `graph` is the exported graph's module and `tensor_of` names its nodes by ONNX tensors; `arguments` are the whole
    model's inputs by name, which decide sizes. `given` may name inputs too. Raises UnsupportedError for an operator
    that has no name of its own (control flow), and when something is missing in `given`.
    """
    node_of = {tensor: node for node in graph.graph.nodes if (tensor := tensor_of.get(node.name))}
    inputs = dict(zip(arguments, graph.graph.find_nodes(op="placeholder"), strict=True))
    starts = {node: name for name, node in {**inputs, **node_of}.items() if name in given and name != target}
    if target not in node_of:
        raise UnsupportedError(f"torch has no tensor {target!r}")
    values = {node: arguments[name] for name, node in inputs.items()}
    constants: dict[str, Any] = {}
    calls = []
    used: dict[str, str] = {}
    for node in _behind(graph, node_of[target], lambda node: node in starts or not _is_tensor(node)):
        if node in starts:
            used[starts[node]] = str(node.meta["val"].dtype).removeprefix("torch.")
        elif node.op == "placeholder":
            raise UnsupportedError(f"the part that makes {target!r} needs the input {node.name!r}, too")
        elif node.op == "get_attr" or not _is_tensor(node):
            constants[node.name] = _value(graph, node, values)
        else:
            calls.append(_call(node, starts))
    kept = {
        "inputs": used,
        "constants": {name: _own(value) for name, value in constants.items()},
        "calls": calls,
        "outputs": {target: node_of[target].name},
    }
    torch.save(kept, folder / OPERATORS)
    found: Array = run(folder / OPERATORS, dict(given), {"threads": threads})[target]
    return found


def _is_tensor(node: Any) -> bool:
    value = node.meta.get("val")
    return node.op == "get_attr" or hasattr(value, "dtype") or isinstance(value, tuple | list)


def _own(value: Any) -> Any:
    # A view would be saved with all the memory that it is a view of.
    return value.detach().cpu().clone() if hasattr(value, "detach") else value


def _behind(graph: Any, end: Any, stop: Callable[[Any], bool]) -> list[Any]:
    """`end` and the nodes that it is computed from, up to those where to `stop`, in the graph's order."""
    found, waiting = {end}, [end]
    while waiting:
        node = waiting.pop()
        if node is not end and stop(node):
            continue
        for before in node.all_input_nodes:
            if before not in found:
                found.add(before)
                waiting.append(before)
    return [node for node in graph.graph.nodes if node in found]


def _value(graph: Any, end: Any, values: dict[Any, Any]) -> Any:
    """What a node holds in the whole model; `values` are those of nodes that are known."""
    for node in _behind(graph, end, values.__contains__):
        if node in values:
            continue
        if node.op == "get_attr":
            found = graph
            for part in str(node.target).split("."):
                found = getattr(found, part)
            values[node] = found
        else:
            arguments, named = _with(node.args, values.__getitem__), _with(node.kwargs, values.__getitem__)
            values[node] = node.target(*arguments, **named)
    return values[end]


def _with(arguments: Any, replace: Callable[[Any], Any]) -> Any:
    from torch.fx import Node
    from torch.fx.node import map_aggregate

    return map_aggregate(arguments, lambda value: replace(value) if isinstance(value, Node) else value)


def _call(node: Any, starts: Mapping[Any, str]) -> dict[str, Any]:
    def encoded(value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if hasattr(value, "all_input_nodes"):
            return {"value": INPUT + starts[value] if value in starts else value.name}
        if isinstance(value, Sequence):
            return [encoded(inner) for inner in value]
        if isinstance(value, slice):
            return {"slice": [encoded(value.start), encoded(value.stop), encoded(value.step)]}
        word = str(value)
        if word.startswith("torch.") and word.count(".") == 1:
            return {"torch": word.removeprefix("torch.")}
        if type(value).__name__ == "device":
            return {"device": word}
        raise UnsupportedError(f"operator {node.target} has an argument that cannot be kept: {word}")

    return {
        "name": node.name,
        "operator": _name(node.target),
        "arguments": [encoded(value) for value in node.args],
        "named": {"named": {key: encoded(value) for key, value in node.kwargs.items()}},
    }


def _name(target: Any) -> str:
    words = str(target)
    if hasattr(target, "overloadpacket"):
        return f"torch.ops.{words}"
    module = _BUILTIN.get(getattr(target, "__module__", ""))
    if module is None:
        raise UnsupportedError(f"operator {words} cannot be kept by its name")
    return f"{module}.{target.__name__}"

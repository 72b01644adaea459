"""Facts of an ONNX model's graph before any engine has converted it: what a converted graph is held against.

`graph_facts` is a job: the parent runs it in a worker process, because it imports onnx and parses untrusted bytes.
"""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path
from typing import Any

from backends.contract import Array
from backends.graph_facts import PARAMETER_DTYPES
from backends.onnx_facts import dtype_name, is_constant, onnx_facts
from backends.onnx_walk import attribute_tensors, graphs, initialisers, subgraphs
from suites.graph_tensors import used_names
from suites.onnx_file import read

REVISION = 3
"""Raised when the same model would give other facts: kept facts are then made again."""

_FROM_SHAPES = frozenset({"Shape", "Size"})
_RECURRENT = frozenset({"GRU", "LSTM", "RNN"})
_BIASES = 3
"""Place of the biases of a recurrent operator: one for inputs and one for states, which are added to each other."""


def graph_facts(
    arguments: dict[str, Any], _arrays: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: facts of the ONNX file `arguments["path"]`.

    Answers the fields of `backends.graph_facts.GraphFacts`, and "foldable": elements of parameters that may vanish
    when an engine optimises (see `foldable`). Raises ModelError for what is no ONNX file.
    """
    model = read(Path(str(arguments["path"])))
    facts = onnx_facts(model, "the ONNX file")
    return {**facts.to_json(), "parameters": facts.parameters, "foldable": foldable(model)}, {}


def foldable(model: Any) -> int:
    """Elements of parameters that need not exist in an optimised graph.

    These are vectors (scales, shifts and biases go into the weights beside them), the biases of recurrent layers,
    constants that are only computed with other constants or with shapes, those that nobody reads, repetitions of
    another one, those that are one number throughout, and all in subgraphs, of which whole branches may go.
    Everything else an engine cannot compute without.
    """
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in initialisers(graph)}
    for node in graph.node:
        if is_constant(node):
            tensors |= dict.fromkeys(node.output, next(attribute_tensors(node), None))
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    needed = _needed(graph, set(tensors))
    biases = {
        name
        for node in graph.node
        if node.op_type in _RECURRENT
        for name in node.input[_BIASES : _BIASES + 1]
    }
    total, seen = 0, set()
    for name, tensor in tensors.items():
        identity = _identity(tensor)
        vector = sum(size != 1 for size in tensor.dims) <= 1
        if vector or name in biases or name not in needed or identity in seen or _uniform(tensor):
            total += _parameters(tensor)
        seen.add(identity)
    inner = [g for g in graphs(graph) if g is not graph]
    functions = [node for function in model.functions for node in function.node]
    inner += [g for node in functions for g in subgraphs(node)]
    elsewhere = [
        *(tensor for g in inner for tensor in initialisers(g)),
        *(tensor for g in inner for node in g.node for tensor in attribute_tensors(node)),
        *(tensor for node in functions for tensor in attribute_tensors(node)),
        *(tensor for node in graph.node if not is_constant(node) for tensor in attribute_tensors(node)),
    ]
    return total + sum(map(_parameters, elsewhere))


def _needed(graph: Any, constants: set[str]) -> set[str]:
    """Constants that some node reads together with what depends on the values of the model's inputs.

    `Shape` and `Size` give what follows from shapes alone: folded where the engine knows the shapes.
    """
    fixed, needed = set(constants), {value.name for value in graph.output}
    for node in graph.node:
        names = [name for name in used_names(node) if name]
        if is_constant(node):
            continue
        if node.op_type in _FROM_SHAPES or (names and all(name in fixed for name in names)):
            fixed |= set(node.output)
        else:
            needed |= set(names)
    return needed & constants


def _parameters(tensor: Any) -> int:
    return prod(tensor.dims) if dtype_name(tensor.data_type) in PARAMETER_DTYPES else 0


def _uniform(tensor: Any) -> bool:
    """Whether all elements are the same number, such as the ones of a scale that was never trained."""
    from onnx import numpy_helper

    if tensor.external_data or not _parameters(tensor):
        return False
    array = numpy_helper.to_array(tensor)
    return bool((array == array.flat[0]).all())


def _identity(tensor: Any) -> tuple[Any, ...]:
    """Equal for tensors of the same values; those kept outside the file are told by their place in it."""
    head = (tensor.data_type, tuple(tensor.dims))
    if tensor.external_data:
        return (*head, tuple(sorted((entry.key, entry.value) for entry in tensor.external_data)))
    bare = type(tensor)()
    bare.CopyFrom(tensor)
    bare.ClearField("name")
    bare.ClearField("doc_string")
    return (*head, hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest())

"""Parts of an ONNX model as models of their own.

`cut` is a job: the parent runs it in a worker process, because it imports onnx and parses untrusted bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from backends.onnx_walk import nodes as every_node
from suites.errors import ModelError
from suites.graph_tensors import used_names


def cut(arguments: dict[str, Any], arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: the part of the ONNX file `arguments["path"]` that computes "outputs" from the tensors `arrays`.

    The part is written to "to" with its constants inside, its inputs and outputs concrete: inputs as `arrays`, which
    need not all be used, outputs as "types" ({name: {"dtype", "shape"}}). "dtypes" ({name: dtype}, where known)
    are those of the inputs in the model; `arrays` are cast to them. Answers {"nodes": [{"name", "operator",
    "inputs", "outputs"}], "inputs": [{"name", "dtype", "shape"}], "constants": [names], "onnx": its version} and the
    inputs as the part takes them. Raises ModelError where the outputs need something that is not given.
    """
    import onnx
    from onnx import external_data_helper, helper

    path, to = Path(str(arguments["path"])), Path(str(arguments["to"]))
    model = onnx.load_model(str(path), format="protobuf", load_external_data=False)
    names, constants = _part(model.graph, list(arguments["outputs"]), set(arrays), path)
    nodes = [node for node in model.graph.node if any(name in names for name in node.output)]
    read = {name for node in nodes for name in used_names(node)}
    dtypes = arguments.get("dtypes", {})
    given = {
        name: np.ascontiguousarray(value.astype(dtypes.get(name, value.dtype.name), copy=False))
        for name, value in arrays.items()
        if name in read
    }
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in constants]
    for tensor in tensors:
        if external_data_helper.uses_external_data(tensor):
            external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    graph = helper.make_graph(
        nodes,
        "part",
        [_value(name, value.dtype.name, value.shape) for name, value in given.items()],
        [_value(name, told["dtype"], told["shape"]) for name, told in _typed(arguments).items()],
        tensors,
        sparse_initializer=[s for s in model.graph.sparse_initializer if s.values.name in constants],
    )
    part = helper.make_model(
        graph,
        opset_imports=list(model.opset_import),
        ir_version=model.ir_version,
        functions=list(model.functions),
        producer_name="harness",
    )
    for node in every_node(part):
        for attribute in node.attribute:
            if attribute.HasField("t") and external_data_helper.uses_external_data(attribute.t):
                external_data_helper.load_external_data_for_tensor(attribute.t, str(path.parent))
                attribute.t.data_location = onnx.TensorProto.DEFAULT
                del attribute.t.external_data[:]
    to.write_bytes(part.SerializeToString())
    return {
        "nodes": [
            {
                "name": node.name,
                "operator": node.op_type,
                "inputs": [name for name in dict.fromkeys(used_names(node)) if name],
                "outputs": [name for name in node.output if name],
            }
            for node in nodes
        ],
        "inputs": [
            {"name": name, "dtype": value.dtype.name, "shape": list(value.shape)}
            for name, value in given.items()
        ],
        "constants": sorted(constants),
        "onnx": onnx.__version__,
    }, given


def _part(graph: Any, outputs: list[str], given: Collection[str], path: Path) -> tuple[set[str], set[str]]:
    """Names of tensors that must be computed, and of constants that they need, walking back to what is given."""
    made_by = {name: node for node in graph.node for name in node.output if name}
    known = {tensor.name for tensor in graph.initializer}
    known |= {sparse.values.name for sparse in graph.sparse_initializer}
    inner = {name for node in graph.node for name in _inner_names(node)}
    computed: set[str] = set()
    constants: set[str] = set()
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if not name or name in computed or name in constants or (name in given and name not in outputs):
            continue
        if name in made_by:
            computed.add(name)
            waiting += used_names(made_by[name])
        elif name in known:
            constants.add(name)
        elif name not in inner:
            raise ModelError(
                f"{', '.join(outputs)} of {path} cannot be computed alone: that needs the tensor {name!r}",
                "give its value too",
            )
    return computed, constants


def _inner_names(node: Any) -> Iterator[str]:
    """Names that the subgraphs of a node define: they come from nowhere outside."""
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            yield from (value.name for value in graph.input)
            yield from (tensor.name for tensor in graph.initializer)
            for inner in graph.node:
                yield from inner.output
                yield from _inner_names(inner)


def _typed(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: arguments["types"][name] for name in arguments["outputs"]}


def _value(name: str, dtype: str, shape: Collection[int]) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))

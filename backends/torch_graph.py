"""A torch module as a graph of operators, each under a name, and the ONNX tensors that its nodes became.

Eager mode has no graph. The module is exported (`torch.export`), and the code that torch makes of the graph is run: the
same operators with the same arguments as in eager mode. The ONNX exporter tells which of its tensors every node became.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backends.contract import ModelSource, UnsupportedError
from backends.torch_quiet import quiet_export

_NUMBERED = re.compile(r"val_\d+")
_LARGEST = re.compile(r"^\s*(\w+) = Dim\('\w+'.*\bmax=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class OnnxNodes:
    """The graph as the ONNX exporter saw it; its operators are finer than those of the exported graph."""

    nodes: tuple[Any, ...] = ()
    """`torch.fx.Node`s in topological order, the last is the graph's output."""
    tensors: Mapping[str, str] = field(default_factory=dict)
    """Name of a node -> ONNX tensor that it became, where the model's ONNX file has it."""
    note: str = ""
    """Why there are no nodes, when there are none."""


def exported_graph(
    torch: Any, module: Any, examples: Sequence[Any], source: ModelSource
) -> tuple[Any, OnnxNodes]:
    """The module's `ExportedProgram`, and what its nodes became in ONNX.

    `examples` are inputs as the module takes them, with a batch of two: torch takes a size of one for a constant.
    Call it outside inference mode; neither `module` nor `examples` may be made in it. Raises UnsupportedError for a
    module whose control flow depends on values.
    """
    program = export(module, examples, source, torch)
    plain, given = program, examples
    if any(not tensor.is_contiguous() for tensor in examples):
        # Another memory format decomposes otherwise; the names before that are the same.
        given = [tensor.contiguous() for tensor in examples]
        same = copy.deepcopy(module).to(memory_format=torch.contiguous_format)
        plain = export(same, given, source, torch)
    return program, onnx_nodes(plain, given, source, torch)


def export(module: Any, examples: Sequence[Any], source: ModelSource, torch: Any) -> Any:
    """The `ExportedProgram` of a module, dynamic where the declared inputs are."""

    def shapes(most: Mapping[str, int]) -> tuple[dict[int, Any], ...]:
        dims: dict[str, Any] = {}
        return tuple(
            {
                axis: dims.setdefault(dim, torch.export.Dim(dim, max=most.get(dim)))
                for axis, dim in enumerate(spec.shape)
                if isinstance(dim, str) and dim.isidentifier()
            }
            for spec in source.inputs
        )

    try:
        with quiet_export():
            try:
                return torch.export.export(module, tuple(examples), dynamic_shapes=shapes({}))
            except torch._dynamo.exc.UserError as error:
                # Only the module knows the largest size of a dimension; torch's message tells it.
                most = {name: int(size) for name, size in _LARGEST.findall(str(error))}
                if not most:
                    raise
                return torch.export.export(module, tuple(examples), dynamic_shapes=shapes(most))
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise UnsupportedError(
            f"torch cannot export model {source.name!r} to a graph of operators, which profiles by layer and values of "
            f"intermediate tensors need: {type(error).__name__}: {first}"
        ) from error


def onnx_nodes(program: Any, examples: Sequence[Any], source: ModelSource, torch: Any) -> OnnxNodes:
    """The nodes from which torch's ONNX exporter makes the model's ONNX file, if it does make that file."""
    path = source.onnx_path
    if path is None:
        return OnnxNodes(note="the model has no ONNX file to match layers with")
    try:
        import onnx
        import onnxscript  # noqa: F401 - the exporter needs it
    except ImportError as error:
        return OnnxNodes(note=f"layers are not traced back to ONNX tensors: {error}")
    model = onnx.load_model(str(path), format="protobuf", load_external_data=False)
    graph = model.graph
    opset = next((entry.version for entry in model.opset_import if not entry.domain), None)
    outputs = [value.name for value in graph.output]
    try:
        with quiet_export():
            exported = torch.onnx.export(
                program,
                tuple(examples),
                input_names=[spec.name for spec in source.inputs],
                output_names=outputs,
                opset_version=opset,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # noqa: BLE001 - the profile is there without it, and says so
        return OnnxNodes(
            note=f"layers are not traced back: torch's ONNX exporter failed: {type(error).__name__}"
        )
    # Names alone prove nothing: another exporter's "relu" may be another tensor. What the exporter numbers itself, on
    # the way to a tensor of torch's graph, depends on the sizes of its examples.
    made = {value.name for node in exported.model.graph for value in node.outputs}
    known = {name for node in graph.node for name in node.output if not _NUMBERED.fullmatch(name)}
    if {name for name in made if not _NUMBERED.fullmatch(name)} != known:
        return OnnxNodes(
            note=f"layers are not traced back: {path.name} is not what this version of torch exports from the module"
        )
    nodes = tuple(exported.exported_program.graph.nodes)
    named = {node.name: node.name for node in nodes if node.op == "call_function"}
    result = next(node for node in nodes if node.op == "output")
    named |= {value.name: name for name, value in zip(outputs, result.args[0], strict=False)}
    return OnnxNodes(nodes, {node: tensor for node, tensor in named.items() if tensor in known})


def origins(node: Any) -> Iterator[str]:
    """Names in the exported program's own graph of the nodes that became `node` of `OnnxNodes`."""
    for source in node.meta.get("from_node") or ():
        last = source
        while last.from_node:
            last = last.from_node[-1]
        yield last.name


def wrap_operators(program: Any, wrap: Callable[[Any], Callable[..., Any]]) -> Any:
    """A graph module that runs `program` with `wrap(node)` in place of every operator.

    The checks that export adds for callers with other shapes go: eager mode has none.
    """
    graph = program.module()
    for node in list(graph.graph.nodes):
        if node.op == "call_module" and node.target == "_guards_fn":
            graph.graph.erase_node(node)
        elif node.op == "call_function":
            node.target = wrap(node)
    graph.recompile()
    return graph

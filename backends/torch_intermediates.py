"""Values of intermediate tensors of a torch module, named by the tensors of its ONNX file.

The operators that run are those of eager mode (see `backends.torch_graph`), in the contender's precision. Values are
copied when their operator ends: what a later one overwrites in place is still what the first one made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array, UnsupportedError
from backends.intermediates import IntermediateRequest
from backends.torch_graph import OnnxNodes, exported_graph, origins, wrap_operators


class TorchIntermediates:
    """The exported graph of one module, whose operators hand out copies of what they make."""

    def __init__(self, torch: Any, module: Any, examples: Sequence[Any], asked: IntermediateRequest) -> None:
        """`examples` and what is raised: see `exported_graph`.

        Raises UnsupportedError, too, when no node can be traced back to the ONNX file.
        """
        self._torch = torch
        self._wanted: frozenset[str] = frozenset()
        self._values: dict[str, Array] = {}
        self._arguments: tuple[Any, ...] = ()
        self._inputs = tuple(spec.name for spec in asked.source.inputs)
        with torch.inference_mode(False):
            program, made = exported_graph(torch, module, examples, asked.source)
            if made.note:
                raise UnsupportedError(
                    f"torch has no values for tensors of model {asked.source.name!r}: {made.note}"
                )
            self._tensor_of = made_alone({node.name: node for node in program.graph.nodes}, made)
            self._program = program
            self._graph = wrap_operators(program, self._tapped)

    @property
    def tensors(self) -> tuple[str, ...]:
        """ONNX tensors that one node of the exported graph makes, in topological order."""
        return tuple(self._tensor_of.values())

    def bind(self, arguments: Sequence[Any]) -> None:
        """The inputs of further readings, as the module takes them."""
        self._arguments = tuple(arguments)

    def read(self, tensors: Sequence[str]) -> dict[str, Array]:
        """Run the graph once. float16 and bfloat16 are cast up to float32."""
        self._wanted, self._values = frozenset(tensors), {}
        try:
            with self._torch.inference_mode():
                self._graph(*self._arguments)
            return self._values
        finally:
            self._wanted, self._values = frozenset(), {}

    def run_part(self, given: Mapping[str, Array], target: str, folder: Path) -> Array:
        """Run the operators that make `target` from `given`, and keep them in `folder`."""
        from backends.torch_part import run_part

        torch = self._torch
        with torch.inference_mode(False):
            plain = wrap_operators(self._program, lambda node: node.target)
        arguments = dict(zip(self._inputs, self._arguments, strict=True))
        return run_part(
            torch, plain, self._tensor_of, arguments, given, target, folder, torch.get_num_threads()
        )

    def _tapped(self, node: Any) -> Callable[..., Any]:
        operator: Callable[..., Any] = node.target
        tensor = self._tensor_of.get(node.name)
        if tensor is None:
            return operator

        def tapped(*arguments: Any, **named: Any) -> Any:
            value = operator(*arguments, **named)
            if tensor in self._wanted:
                self._values[tensor] = self._copied(value)
            return value

        return tapped

    def _copied(self, value: Any) -> Array:
        torch = self._torch
        host = value.detach().cpu()
        if host.dtype in (torch.float16, torch.bfloat16):
            host = host.float()
        return np.array(host.contiguous().numpy())


def made_alone(graph: dict[str, Any], made: OnnxNodes) -> dict[str, str]:
    """Nodes of the exported graph, by name, whose value is that of an ONNX tensor -> that tensor.

    The exporter runs a finer graph. Of the nodes that one operator became there, only the last holds its value: the
    one that others use. What lies between exists in eager mode inside a kernel, or not at all.
    """
    found: dict[str, list[Any]] = {}
    for node in made.nodes:
        if node.op != "call_function":
            continue
        own = tuple(origins(node))
        if len(own) == 1 and any(own[0] not in tuple(origins(user)) for user in node.users):
            found.setdefault(own[0], []).append(node)
    tensors: dict[str, str] = {}
    for name in graph:  # in topological order
        ends = found.get(name, ())
        if len(ends) == 1 and _alike(graph[name], ends[0]):
            tensor = made.tensors.get(ends[0].name)
            if tensor is not None:
                tensors[name] = tensor
    return tensors


def _alike(one: Any, other: Any) -> bool:
    """Whether two nodes hold one tensor each, of the same dtype and rank."""
    mine, theirs = one.meta.get("val"), other.meta.get("val")
    return (
        hasattr(mine, "dtype")
        and hasattr(theirs, "dtype")
        and mine.dtype == theirs.dtype
        and mine.dim() == theirs.dim()
    )

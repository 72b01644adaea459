"""Values of a model's intermediate tensors, from the ONNX reference evaluator, in memory that does not grow with them.

`tensor_values` is a job: the parent runs it in a worker process, because it imports onnx and parses untrusted bytes.
The graph is walked node by node; what nobody reads any more is freed, what was asked for goes to a file at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from suites.errors import ModelError
from suites.evaluator import IN_FLOAT32
from suites.graph_tensors import used_names
from suites.nudge import moved
from suites.onnx_precision import set_precision

RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
_KINDS = "biuf"
_ROUNDOFF = 2.0**-24


def tensor_values(
    arguments: dict[str, Any], arrays: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: compute the ONNX file `arguments["path"]` on the inputs `arrays` in `arguments["dtype"]`.

    "dtype" is "float64" or "float32" and replaces every floating-point type of the model (see `set_precision`).
    "nudge" (a seed, if given): inputs, and constants of several dimensions, are moved by one rounding of float32 before
    (see `suites.nudge`). "tensors" names what is kept (without it: all that nodes produce, but for constants), one
    file each in "folder".
    Answers {"tensors": {name: {"file", "dtype", "shape"}}, "left_out": {name: why}, "lower": operators that the
    evaluator computes in float32 although float64 was asked, "random": operators that draw numbers}. What depends on
    an operator that cannot be run is left out, all else is there. Raises ModelError for a missing input.
    """
    import onnx

    path, folder, dtype = (
        Path(str(arguments["path"])),
        Path(str(arguments["folder"])),
        str(arguments["dtype"]),
    )
    model = onnx.load_model(str(path), format="protobuf")
    constants = dict(_take_constants(model.graph))
    missing = [v.name for v in model.graph.input if v.name not in arrays and v.name not in constants]
    if missing:
        raise ModelError(
            f"the tensors of {path} cannot be computed without the inputs {', '.join(missing)}",
            f"it was given: {', '.join(arrays) or 'none'}",
        )
    set_precision(model, dtype)
    if arguments.get("nudge") is not None:
        random = np.random.default_rng([20, int(arguments["nudge"])])
        arrays = {name: moved(value, random, _ROUNDOFF) for name, value in arrays.items()}
        # Small constants may decide sizes and places (the scales of a Resize): they stay.
        constants = {
            name: moved(value, random, _ROUNDOFF) if value.ndim > 1 else value
            for name, value in constants.items()
        }
    wanted = arguments.get("tensors")
    walk = _Walk(model, dtype, constants, None if wanted is None else frozenset(wanted), folder)
    walk.run(arrays)
    return {
        "tensors": walk.kept,
        "left_out": walk.left_out,
        "lower": sorted(walk.lower),
        "random": sorted(walk.random),
    }, {}


def tensor_runs(
    arguments: dict[str, Any], arrays: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: `tensor_values` once for each of `arguments["runs"]` ({name: arguments that are added}); answers by name."""
    shared = {key: value for key, value in arguments.items() if key != "runs"}
    return {name: tensor_values({**shared, **own}, arrays)[0] for name, own in arguments["runs"].items()}, {}


def _take_constants(graph: Any) -> Iterator[tuple[str, Array]]:
    """The graph's initializers as arrays; they are taken out of the graph, one by one, to hold each once."""
    from onnx import numpy_helper

    for tensor in graph.initializer:
        value = np.array(numpy_helper.to_array(tensor))
        tensor.ClearField("raw_data")
        yield tensor.name, value
    graph.ClearField("initializer")
    for sparse in graph.sparse_initializer:
        dense = np.zeros(tuple(sparse.dims), numpy_helper.to_array(sparse.values).dtype)
        places = numpy_helper.to_array(sparse.indices)
        places = places if places.ndim == 2 else np.stack(np.unravel_index(places, dense.shape), axis=1)
        dense[tuple(places.T)] = numpy_helper.to_array(sparse.values)
        yield sparse.values.name, dense
    graph.ClearField("sparse_initializer")


@dataclass
class _Walk:
    """One pass over the graph. `left_out` says why a tensor has no value."""

    model: Any
    dtype: str
    constants: Mapping[str, Array]
    wanted: frozenset[str] | None
    folder: Path
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    lower: set[str] = field(default_factory=set)
    random: set[str] = field(default_factory=set)

    def run(self, feeds: Mapping[str, Array]) -> None:
        """Compute every node in turn."""
        graph = self.model.graph
        nodes = list(graph.node)
        last: dict[str, int] = {}
        for index, node in enumerate(nodes):
            for name in used_names(node):
                last[name] = index
        opsets = {entry.domain: entry.version for entry in self.model.opset_import}
        runner = _NodeRunner(opsets, self.model.functions)
        live: dict[str, Any] = {name: self._cast(np.asarray(value)) for name, value in feeds.items()}
        for index, node in enumerate(nodes):
            names = [name for name in dict.fromkeys(used_names(node)) if name]
            outputs = [name for name in node.output if name]
            lost = next((name for name in names if name in self.left_out and name not in live), None)
            if lost is not None:
                self.left_out |= dict.fromkeys(outputs, self.left_out[lost])
                continue
            given = {
                name: live[name] if name in live else self._cast(self.constants[name])
                for name in names
                if name in live or name in self.constants
            }
            if node.op_type in RANDOM:
                self.random.add(node.op_type)
            try:
                values = runner.run(node, given)
            except ModelError as error:
                self.left_out |= dict.fromkeys(outputs, error.message)
                continue
            for name, value in zip(outputs, values, strict=True):
                live[name] = self._checked(node, value)
                self._keep(name, live[name], node.op_type == "Constant", len(self.kept))
            del values, given
            for name in (*names, *outputs):
                if last.get(name, -1) <= index:
                    live.pop(name, None)

    def _cast(self, value: Any) -> Any:
        is_float = isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)
        if is_float or str(getattr(value, "dtype", "")) == "bfloat16":
            return value.astype(self.dtype, copy=False)
        return value

    def _checked(self, node: Any, value: Any) -> Any:
        """The value in the asked precision; an operator that did not keep to it is noted."""
        if isinstance(value, np.generic):
            value = np.asarray(value)
        if not isinstance(value, np.ndarray) or not np.issubdtype(value.dtype, np.floating):
            return value
        if self.dtype == "float64" and (value.dtype != np.float64 or node.op_type in IN_FLOAT32):
            self.lower.add(node.op_type)
        return self._cast(value)

    def _keep(self, name: str, value: Any, constant: bool, number: int) -> None:
        asked = name in self.wanted if self.wanted is not None else not constant
        if not asked:
            return
        if not isinstance(value, np.ndarray) or value.dtype.kind not in _KINDS:
            kind = str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__
            self.left_out[name] = f"it holds no plain numbers ({kind})"
            return
        file = self.folder / f"{number}.npy"
        np.save(file, value)
        self.kept[name] = {"file": str(file), "dtype": value.dtype.name, "shape": list(value.shape)}


class _NodeRunner:
    """Runs single nodes, so that one that the evaluator lacks does not take the others with it."""

    def __init__(self, opsets: dict[str, int], functions: Any) -> None:
        from suites.evaluator import _evaluator_type

        self._type = _evaluator_type(False)
        self._opsets = opsets
        self._functions: list[Any] = []
        for function in functions:
            # Those that lack an operator are found out when a node calls them.
            try:
                self._functions.append(self._type(function, functions=list(self._functions)))
            except (NotImplementedError, RuntimeError):
                continue

    def run(self, node: Any, given: Mapping[str, Any]) -> list[Any]:
        """Values of the node's outputs that have a name. Raises ModelError where it cannot be run."""
        from onnx import GraphProto, ValueInfoProto, helper

        outputs = [name for name in node.output if name]
        graph = GraphProto(name="node", node=[node], output=[ValueInfoProto(name=name) for name in outputs])
        for name, value in given.items():
            info = graph.input.add(name=name)
            if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
                kind = helper.np_dtype_to_tensor_dtype(value.dtype)
                info.CopyFrom(helper.make_tensor_value_info(name, kind, list(value.shape)))
        try:
            evaluator = self._type(graph, opsets=self._opsets, functions=self._functions)
            return list(evaluator.run(outputs, dict(given)))
        except Exception as error:
            reason = str(error).partition(", schema.")[0].strip().partition("\n")[0] or type(error).__name__
            raise ModelError(
                f"the ONNX reference evaluator cannot run {node.op_type} ({node.name or outputs[0]}): {reason}",
                "what depends on it is not compared",
            ) from error

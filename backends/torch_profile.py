"""torch's own profiler over the model's exported graph, so that every operator stands under a name.

Eager mode has no graph. The module is exported (`torch.export`), and the code that torch makes of the graph is run: the
same operators with the same arguments as in eager mode, each inside a named range. The ONNX exporter tells which of its
tensors every node became.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.contract import UnsupportedError
from backends.profile import Profile, ProfiledLayer, ProfileRequest

WARM_CALLS = 3
TRACE = "torch.trace.json"
CALL = "harness:call"
_NODE = "harness:node:"
_OPERATOR = "harness_operator"
_NUMBERED = re.compile(r"val_\d+")
_LARGEST = re.compile(r"^\s*(\w+) = Dim\('\w+'.*\bmax=(\d+)", re.MULTILINE)
_OVERHEAD = (
    "Operators run one by one from the exported graph under torch's profiler, which adds some microseconds to each;"
    " Python between operators is in the whole call but in no layer."
)


def profile(
    torch: Any, module: Any, arguments: Sequence[Any], examples: Sequence[Any], asked: ProfileRequest
) -> Profile:
    """Export, run and read.

    `arguments` are the inputs as the module takes them; `examples` the same with a batch of two, for the export:
    torch takes a size of one for a constant. Neither `module` nor `examples` may be made in inference mode.
    """
    with torch.inference_mode(False):
        program = export(module, examples, asked, torch)
        plain, given = program, examples
        if any(not tensor.is_contiguous() for tensor in examples):
            # Another memory format decomposes otherwise; the names before that are the same.
            given = [tensor.contiguous() for tensor in examples]
            same = copy.deepcopy(module).to(memory_format=torch.contiguous_format)
            plain = export(same, given, asked, torch)
        tensors, note = onnx_tensors(plain, given, asked, torch)
        graph = _with_ranges(program.module(), torch)
    cuda = any(tensor.is_cuda for tensor in arguments)
    profiler = run(graph, arguments, cuda, asked, torch)
    return read(profiler, graph, cuda, tensors, asked, note)


def export(module: Any, examples: Sequence[Any], asked: ProfileRequest, torch: Any) -> Any:
    """The `ExportedProgram` of a module, dynamic where the declared inputs are.

    Raises UnsupportedError for a module whose control flow depends on values.
    """

    def shapes(most: Mapping[str, int]) -> tuple[dict[int, Any], ...]:
        dims: dict[str, Any] = {}
        return tuple(
            {
                axis: dims.setdefault(dim, torch.export.Dim(dim, max=most.get(dim)))
                for axis, dim in enumerate(spec.shape)
                if isinstance(dim, str) and dim.isidentifier()
            }
            for spec in asked.source.inputs
        )

    try:
        with _quiet():
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
            f"torch cannot export model {asked.source.name!r} to a graph of operators, which profiling by layer needs: "
            f"{type(error).__name__}: {first}"
        ) from error


def onnx_tensors(
    program: Any, examples: Sequence[Any], asked: ProfileRequest, torch: Any
) -> tuple[dict[str, tuple[str, ...]], str]:
    """Nodes of the exported graph -> ONNX tensors that they make or help to make; and why it is empty, if it is."""
    path = asked.source.onnx_path
    if path is None:
        return {}, "the model has no ONNX file to match layers with"
    try:
        import onnx
        import onnxscript  # noqa: F401 - the exporter needs it
    except ImportError as error:
        return {}, f"layers are not traced back to ONNX tensors: {error}"
    model = onnx.load_model(str(path), format="protobuf", load_external_data=False)
    graph = model.graph
    opset = next((entry.version for entry in model.opset_import if not entry.domain), None)
    known = {name for node in graph.node for name in node.output}
    outputs = [value.name for value in graph.output]
    try:
        with _quiet():
            exported = torch.onnx.export(
                program,
                tuple(examples),
                input_names=[spec.name for spec in asked.source.inputs],
                output_names=outputs,
                opset_version=opset,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # noqa: BLE001 - the profile is there without it, and says so
        return {}, f"layers are not traced back: torch's ONNX exporter failed: {type(error).__name__}"
    # Names alone prove nothing: another exporter's "relu" may be another tensor. What the exporter numbers itself, on
    # the way to a tensor of torch's graph, depends on the sizes of its examples.
    made = {value.name for node in exported.model.graph for value in node.outputs}
    known = {name for name in known if not _NUMBERED.fullmatch(name)}
    if {name for name in made if not _NUMBERED.fullmatch(name)} != known:
        return {}, (
            f"layers are not traced back: {path.name} is not what this version of torch exports from the module"
        )
    return made_by(exported.exported_program.graph.nodes, known, outputs), ""


def made_by(nodes: Any, known: set[str], outputs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names in the graph before the exporter decomposed it -> ONNX tensors.

    A node that left no tensor (a convolution, into which the exporter folded a batch norm) belongs to the next one
    that did, as long as it has one user.
    """
    renamed = {}
    result = next(node for node in nodes if node.op == "output")
    for name, value in zip(outputs, result.args[0], strict=False):
        renamed[value.name] = name
    found: dict[str, list[str]] = {}
    for node in nodes:
        if node.op != "call_function":
            continue
        for origin in _origins(node):
            end, seen = node, node
            while renamed.get(end.name, end.name) not in known and len(end.users) == 1:
                seen, end = end, next(iter(end.users))
                if end.op == "output":
                    end = seen
                    break
            tensor = renamed.get(end.name, end.name)
            if tensor in known and tensor not in found.setdefault(origin, []):
                found[origin].append(tensor)
    return {origin: tuple(tensors) for origin, tensors in found.items()}


def _origins(node: Any) -> Iterator[str]:
    """Names that a node had in the exported program's own graph."""
    for source in node.meta.get("from_node") or ():
        last = source
        while last.from_node:
            last = last.from_node[-1]
        yield last.name


def _with_ranges(graph: Any, torch: Any) -> Any:
    """The graph module with every operator inside a range, and the operators' own names by node.

    The checks that export adds for callers with other shapes go: eager mode has none.
    """
    for node in list(graph.graph.nodes):
        if node.op == "call_module" and node.target == "_guards_fn":
            graph.graph.erase_node(node)
        elif node.op == "call_function":
            node.meta[_OPERATOR] = str(node.target)
            node.target = _ranged(node.target, _NODE + node.name, torch.profiler.record_function)
    graph.recompile()
    return graph


def _ranged(function: Any, name: str, record_function: Any) -> Any:
    def ranged(*arguments: Any, **named: Any) -> Any:
        with record_function(name):
            return function(*arguments, **named)

    return ranged


def run(graph: Any, arguments: Sequence[Any], cuda: bool, asked: ProfileRequest, torch: Any) -> Any:
    """Run the graph under the profiler; returns the profiler."""

    activities = [torch.profiler.ProfilerActivity.CPU]
    if cuda:
        activities.append(torch.profiler.ProfilerActivity.CUDA)

    def call() -> None:
        with torch.profiler.record_function(CALL):
            graph(*arguments)
            if cuda:
                torch.cuda.synchronize()

    for _ in range(WARM_CALLS):
        call()
    with torch.profiler.profile(activities=activities) as warm:
        call()  # the first profiled call sets the profiler up
    del warm
    with torch.profiler.profile(activities=activities) as profiler:
        asked.repeat(call, asked.calls)
    return profiler


def read(
    profiler: Any,
    graph: Any,
    cuda: bool,
    tensors: Mapping[str, tuple[str, ...]],
    asked: ProfileRequest,
    note: str,
) -> Profile:
    """What the profiler holds as a `Profile`; the trace is written to the request's folder."""
    trace = asked.folder / TRACE
    profiler.export_chrome_trace(str(trace))
    whole: dict[int, int] = {}
    runs: dict[str, int] = {}
    times: dict[str, list[int]] = {}
    kernels: dict[str, dict[str, float]] = {}
    for event in profiler.events():
        if event.name == CALL and event.cpu_parent is None:
            whole[event.id] = round(event.time_range.elapsed_us() * 1000)
    place = {run: index for index, run in enumerate(whole)}
    for event in profiler.events():
        if not event.name.startswith(_NODE) or str(event.device_type).endswith("CUDA"):
            continue
        name = event.name.removeprefix(_NODE)
        # The operators inside the range, without what opening the range itself took.
        inside = sum(child.time_range.elapsed_us() for child in event.cpu_children)
        taken = event.device_time_total if cuda else inside or event.time_range.elapsed_us()
        runs[name] = runs.get(name, 0) + 1
        times.setdefault(name, [0] * asked.calls)[place[event.cpu_parent.id]] += round(taken * 1000)
        _add_kernels(event, cuda, kernels.setdefault(name, {}))
    layers = tuple(
        ProfiledLayer(
            name=node.name,
            operator=node.meta[_OPERATOR],
            kernel=max(kernels[node.name], key=kernels[node.name].__getitem__, default=""),
            precision=_dtype(node),
            calls=runs[node.name],
            total_ns=sum(times[node.name]),
            by_call=tuple(times[node.name]),
            outputs=tensors.get(node.name, ()),
        )
        for node in graph.graph.nodes
        if node.name in times
    )
    return Profile(layers, asked.calls, _OVERHEAD, tuple(whole.values()), (trace,), (note,) if note else ())


def _add_kernels(event: Any, cuda: bool, into: dict[str, float]) -> None:
    """Own time of everything below an event, by name: operators on the CPU, kernels on CUDA."""
    waiting = list(event.cpu_children)
    while waiting:
        below = waiting.pop()
        waiting.extend(below.cpu_children)
        if cuda:
            for kernel in below.kernels:
                into[kernel.name] = into.get(kernel.name, 0.0) + kernel.duration
        else:
            into[below.name] = into.get(below.name, 0.0) + below.self_cpu_time_total


def _dtype(node: Any) -> str:
    value = node.meta.get("val")
    value = value[0] if isinstance(value, tuple | list) and value else value
    return str(getattr(value, "dtype", "")).removeprefix("torch.")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporters' progress lines and warnings off; what they raise still passes."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)

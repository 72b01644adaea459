"""torch's own profiler over the model's exported graph, so that every operator stands under a name.

Eager mode has no graph: see `backends.torch_graph`. Here every operator of the exported one runs in a named range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backends.profile import Profile, ProfiledLayer, ProfileRequest
from backends.torch_graph import OnnxNodes, exported_graph, origins, wrap_operators

WARM_CALLS = 3
TRACE = "torch.trace.json"
CALL = "harness:call"
_NODE = "harness:node:"
_OPERATOR = "harness_operator"
_OVERHEAD = (
    "Operators run one by one from the exported graph under torch's profiler, which adds some microseconds to each;"
    " Python between operators is in the whole call but in no layer."
)


def profile(
    torch: Any, module: Any, arguments: Sequence[Any], examples: Sequence[Any], asked: ProfileRequest
) -> Profile:
    """Export, run and read.

    `arguments` are the inputs as the module takes them; `examples` and what is raised: see `exported_graph`.
    """
    with torch.inference_mode(False):
        program, made = exported_graph(torch, module, examples, asked.source)
        graph = _with_ranges(program, torch)
    cuda = any(tensor.is_cuda for tensor in arguments)
    profiler = run(graph, arguments, cuda, asked, torch)
    return read(profiler, graph, cuda, made_by(made), asked, made.note)


def made_by(made: OnnxNodes) -> dict[str, tuple[str, ...]]:
    """Nodes of the exported graph -> ONNX tensors that they make or help to make.

    A node that left no tensor (a convolution, into which the exporter folded a batch norm) belongs to the next one
    that did, as long as it has one user.
    """
    found: dict[str, list[str]] = {}
    for node in made.nodes:
        if node.op != "call_function":
            continue
        for origin in origins(node):
            end, seen = node, node
            while end.name not in made.tensors and len(end.users) == 1:
                seen, end = end, next(iter(end.users))
                if end.op == "output":
                    end = seen
                    break
            tensor = made.tensors.get(end.name)
            if tensor is not None and tensor not in found.setdefault(origin, []):
                found[origin].append(tensor)
    return {origin: tuple(tensors) for origin, tensors in found.items()}


def _with_ranges(program: Any, torch: Any) -> Any:
    """The graph module with every operator inside a range, and the operators' own names by node."""

    def ranged(node: Any) -> Callable[..., Any]:
        node.meta[_OPERATOR] = str(node.target)
        operator: Callable[..., Any] = node.target
        return _ranged(operator, _NODE + node.name, torch.profiler.record_function)

    return wrap_operators(program, ranged)


def _ranged(function: Callable[..., Any], name: str, record_function: Any) -> Callable[..., Any]:
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

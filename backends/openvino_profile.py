"""OpenVINO's performance counters, with the names that layers had before the device's plug-in changed the graph.

A compiled model with PERF_COUNT counts for every layer. On the CPU a counter is the mean since compilation, in whole
microseconds (truncated): the calls before the profiled ones are taken out of it. Elsewhere it is the last call's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backends.base import Session
from backends.profile import Profile, ProfiledLayer, ProfileRequest

WARM_CALLS = 3
COUNTERS = "counters.json"
RUNTIME = "runtime-model.xml"
_OVERHEAD = (
    "The engine tells whole microseconds a layer (truncated), so that layers of a few microseconds are rough; counting"
    " costs about a microsecond a layer."
)
_CONSTANT = ("Const", "Constant")


@dataclass(frozen=True)
class Counter:
    """One entry of the engine's list."""

    name: str
    operator: str
    kernel: str
    status: str
    real_ns: int
    cpu_ns: int


@dataclass(frozen=True)
class Place:
    """What the runtime model says of a layer: the layers it was made of, and its precision."""

    origins: tuple[str, ...] = ()
    precision: str = ""


def profile(
    session: Session, request: Any, compiled: Any, names: Mapping[str, tuple[str, ...]], asked: ProfileRequest
) -> Profile:
    """Run the calls in a session compiled with PERF_COUNT.

    `names` maps the layers of the model as read to the ONNX tensors that they produce.
    """
    averages = compiled.get_property("EXECUTION_DEVICES") == ["CPU"]
    session.prepare(asked.feeds)
    session.upload()
    session.synchronize()
    call = session.timed_call()
    for _ in range(WARM_CALLS):
        call()
    before = counters(request)
    last: list[list[Counter]] = []
    if averages:
        asked.repeat(call, asked.calls)
        after = counters(request)
        totals = [
            max(0, end.real_ns * (WARM_CALLS + asked.calls) - start.real_ns * WARM_CALLS)
            for start, end in zip(before, after, strict=True)
        ]
    else:
        asked.repeat(_then(call, lambda: last.append(counters(request))), asked.calls)
        after = last[-1]
        totals = [sum(place) for place in zip(*([c.real_ns for c in one] for one in last), strict=True)]
    runtime = compiled.get_runtime_model()
    layers = make_layers(after, totals, asked.calls, places(runtime), names)
    return Profile(
        layers=layers,
        calls=asked.calls,
        overhead=_OVERHEAD,
        traces=_keep(asked.folder, before, after, runtime),
    )


def counters(request: Any) -> list[Counter]:
    """The engine's counters as they stand, times in nanoseconds."""
    return [
        Counter(
            info.node_name,
            info.node_type,
            info.exec_type,
            info.status.name,
            round(info.real_time.total_seconds() * 1e9),
            round(info.cpu_time.total_seconds() * 1e9),
        )
        for info in request.get_profiling_info()
    ]


def places(runtime: Any) -> dict[str, Place]:
    """Layers of the runtime model by name."""
    found = {}
    for node in runtime.get_ops():
        info = node.get_rt_info()
        told = {
            key: info[key].astype(str) if key in info else ""
            for key in ("originalLayersNames", "runtimePrecision", "layerType")
        }
        if told["layerType"] in _CONSTANT:
            continue
        origins = tuple(name for name in told["originalLayersNames"].split(",") if name)
        found[node.get_friendly_name()] = Place(origins, told["runtimePrecision"])
    return found


def make_layers(
    entries: Sequence[Counter],
    totals: Sequence[int],
    calls: int,
    placed: Mapping[str, Place],
    names: Mapping[str, tuple[str, ...]],
) -> tuple[ProfiledLayer, ...]:
    """Layers in the engine's order.

    What the engine lists as not run stays, with no calls and no time; what it fused away has no tensors of its own,
    because the layer that holds it names them.
    """
    layers = []
    seen: dict[str, int] = defaultdict(int)
    for entry, total in zip(entries, totals, strict=True):
        ran = entry.status == "EXECUTED"
        seen[entry.name] += 1
        place = placed.get(entry.name, Place())
        made = tuple(dict.fromkeys(tensor for origin in place.origins for tensor in names.get(origin, ())))
        layers.append(
            ProfiledLayer(
                name=entry.name if seen[entry.name] == 1 else f"{entry.name} #{seen[entry.name]}",
                operator=entry.operator,
                kernel=entry.kernel,
                precision=place.precision,
                calls=calls if ran else 0,
                total_ns=total if ran else 0,
                # The list is in the order of computing: what leaves the layer is named last.
                outputs=made[-1:],
                fused=made[:-1],
            )
        )
    return tuple(layers)


def tensor_names(model: Any) -> dict[str, tuple[str, ...]]:
    """Layers of a model as read -> names of the ONNX tensors that they produce."""
    found = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() in ("Parameter", "Constant", "Result"):
            continue
        tensors = sorted(name for port in node.outputs() for name in port.get_names())
        if tensors:
            found[node.get_friendly_name()] = tuple(tensors)
    return found


def _then(call: Callable[[], object], after: Callable[[], object]) -> Callable[[], object]:
    def both() -> None:
        call()
        after()

    return both


def _keep(folder: Path, before: list[Counter], after: list[Counter], runtime: Any) -> tuple[Path, ...]:
    """The counters as told and the runtime model, as files."""
    path = folder / COUNTERS
    told = {
        "warm_calls": WARM_CALLS,
        "after_warm_calls": [asdict(entry) for entry in before],
        "at_the_end": [asdict(entry) for entry in after],
    }
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")
    from openvino import serialize

    graph = folder / RUNTIME
    serialize(runtime, str(graph), str(graph.with_suffix(".bin")))
    graph.with_suffix(".bin").unlink(missing_ok=True)
    return (path, graph)

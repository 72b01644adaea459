"""The fake engine's profile: every node of the ONNX graph a layer, each Relu fused into the node before it."""

from __future__ import annotations

import json
from typing import Any

from backends.base import Session
from backends.profile import Profile, ProfiledLayer, ProfileRequest

TRACE = "fake.json"


def profile(session: Session, graph: Any, call_ns: int, asked: ProfileRequest) -> Profile:
    """Run the calls; `call_ns`, what a call was told to take, is shared out evenly over the layers.

    The first layer takes what does not divide. `graph` is the `onnx.GraphProto`.
    """
    session.prepare(asked.feeds)
    asked.repeat(session.timed_call(), asked.calls)
    groups = _fused(graph)
    each, rest = divmod(call_ns, len(groups))
    layers = tuple(
        ProfiledLayer(
            name=nodes[0].name or nodes[0].output[0],
            operator=nodes[0].op_type,
            kernel="fake",
            precision="float",
            calls=asked.calls,
            total_ns=taken * asked.calls,
            by_call=(taken,) * asked.calls,
            outputs=tuple(nodes[-1].output),
            fused=tuple(name for node in nodes[:-1] for name in node.output),
        )
        for index, nodes in enumerate(groups)
        for taken in [each + (rest if index == 0 else 0)]
    )
    trace = asked.folder / TRACE
    trace.write_text(json.dumps({layer.name: layer.total_ns for layer in layers}, indent=1), encoding="utf-8")
    return Profile(
        layers,
        asked.calls,
        "The times are what this engine was told to take.",
        (call_ns,) * asked.calls,
        (trace,),
    )


def _fused(graph: Any) -> list[list[Any]]:
    """Nodes in groups: a Relu joins the node before it when nobody else reads that node's output."""
    readers: dict[str, int] = {}
    for name in (*(name for node in graph.node for name in node.input), *(v.name for v in graph.output)):
        readers[name] = readers.get(name, 0) + 1
    groups: list[list[Any]] = []
    by_output: dict[str, list[Any]] = {}
    for node in graph.node:
        before = by_output.get(node.input[0]) if node.op_type == "Relu" and node.input else None
        if before is not None and readers[node.input[0]] == 1:
            before.append(node)
        else:
            before = [node]
            groups.append(before)
        by_output |= dict.fromkeys(node.output, before)
    return groups

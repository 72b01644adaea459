"""Profile documents for the pages: an ordinary one, one with hostile names, many contenders, none profiled."""

from __future__ import annotations

from harness.judge.profile.document import ProfileDocument, document_of
from harness.records import ContenderRef, Failure, VariantRef
from harness.records.profile import ContenderProfile, GraphNode, Layer, ModelGraph, ProfileRecord
from tests.factories import make_environment, make_machine, make_model

US = 1_000
HOSTILE = "</script><script>window.intruder = true</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def _graph(prefix: str = "") -> ModelGraph:
    nodes = []
    for index in range(30):
        kind = ("Conv", "Relu", "Add")[index % 3]
        before = (f"{prefix}t{index - 1}",) if index else ()
        nodes.append(
            GraphNode(name=f"n{index}", operator=kind, inputs=before, outputs=(f"{prefix}t{index}",))
        )
    return ModelGraph(nodes=tuple(nodes), outputs=(f"{prefix}t29",))


def _profile(
    text: str, graph: ModelGraph, *, fuse: int, slow: int = 1, extra: str = "reorder"
) -> ContenderProfile:
    layers = []
    for start in range(0, len(graph.nodes), fuse):
        own = graph.nodes[start : start + fuse]
        taken = slow * (200 + 37 * start) * US
        layers.append(
            Layer(name=f"{text}-{start}", operator=own[0].operator, kernel="jit_avx512", precision="f32", calls=2,
                  total_ns=2 * taken, by_call=(taken, taken), outputs=own[-1].outputs,
                  fused=tuple(name for node in own[:-1] for name in node.outputs))
        )  # fmt: skip
    layers.append(Layer(name=extra, operator="Reorder", calls=2, total_ns=300 * US, by_call=(150 * US,) * 2))
    layers.append(Layer(name="gone", operator="Identity", calls=0, total_ns=0))
    whole = sum(layer.total_ns for layer in layers) // 2
    return ContenderProfile(
        contender=ContenderRef(text=text, backend="ort"), status="measured", engine_version="1.2", calls=2,
        layers=tuple(layers), whole_ns=(whole, whole), profiled_ns=(whole, whole), unprofiled_ns=(whole // 2,) * 4,
        overhead="The engine tells microseconds.", notes=("a note of the engine",), traces=("/tmp/trace.json",),
    )  # fmt: skip


def _failed(text: str) -> ContenderProfile:
    failure = Failure(phase="profile", kind="unsupported", message="it has no profiler", hint="use another",
                      stderr_tail="last words", traceback="Traceback ...")  # fmt: skip
    return ContenderProfile(
        contender=ContenderRef(text=text, backend="x"), status="unsupported", failure=failure
    )


def _document(graph: ModelGraph, *profiles: ContenderProfile) -> ProfileDocument:
    record = ProfileRecord(
        model=make_model(), variant=VariantRef(), input_set="normal:0", machine=make_machine(),
        environment=make_environment(), graph=graph, profiles=profiles,
    )  # fmt: skip
    return document_of(record)


def full() -> ProfileDocument:
    """Two engines that fuse differently, and one that failed."""
    graph = _graph()
    return _document(
        graph, _profile("ort", graph, fuse=3), _profile("openvino", graph, fuse=2, slow=2), _failed("trt")
    )


def hostile() -> ProfileDocument:
    """Names that try to get out of where they stand."""
    graph = _graph(HOSTILE)
    return _document(graph, _profile(HOSTILE, graph, fuse=3, extra=HOSTILE), _failed(f"x{HOSTILE}"))


def many() -> ProfileDocument:
    """More contenders than colours."""
    graph = _graph()
    return _document(graph, *(_profile(f"engine-{i}", graph, fuse=1 + i % 3) for i in range(10)))


def nothing() -> ProfileDocument:
    """Nobody was profiled."""
    return _document(_graph(), _failed("trt"), _failed("tvm"))

"""Which ONNX tensors optimised nodes compute, and how ONNX Runtime's trace is read."""

from __future__ import annotations

from typing import Any

import pytest

from backends.ort_graph import Computes, Node, trace_back
from backends.ort_profile import OptimisedGraph, read_trace


def node(text: str) -> Node:
    """ "name Operator a b -> c"."""
    left, _, right = text.partition(" -> ")
    name, operator, *inputs = left.split()
    return Node("" if name == "-" else name, operator, tuple(inputs), tuple(right.split()))


# A residual block: two convolutions, a shortcut, a sum, an activation; then a convolution with an activation.
BLOCK = [
    node("n1 Conv x w1 -> c1"), node("n2 Relu c1 -> r1"), node("n3 Conv r1 w2 -> c2"),
    node("n4 Conv x w3 -> c3"), node("n5 Add c2 c3 -> a"), node("n6 Relu a -> r2"),
    node("n7 Conv r2 w4 -> c4"), node("n8 Relu c4 -> r3"),
]  # fmt: skip


def test_names_that_survive_tell_the_tensors() -> None:
    optimised = [node("n1 FusedConv x w1 -> r1"), node("- FusedConv r1 w2 c3 -> r2")]
    assert trace_back(BLOCK, optimised, ["x"], ["r3"]) == (Computes(("r1",)), Computes(("r2",)))


def test_blocked_nodes_are_followed_to_what_was_fused_into_them() -> None:
    optimised = [
        node("r1_nchwc Conv x w -> t0"),
        node("c3_nchwc Conv x w -> t1"),
        node("c2_nchwc Conv t0 w bias t1 -> t2"),
        node("r3_nchwc Conv t2 w -> t3"),
        node("ReorderOutput ReorderOutput t3 -> r3"),
    ]
    assert trace_back(BLOCK, optimised, ["x"], ["r3"]) == (
        Computes(("r1",)),
        Computes(("c3",)),  # the sum takes c2 too, which this node does not read
        Computes(("r2",), ("c2", "a")),
        Computes(("r3",)),
        Computes(),
    )


def test_an_activation_with_a_node_of_its_own_is_not_taken_for_fused() -> None:
    original = [node("n1 Conv x w -> c"), node("n2 Relu c -> r"), node("n3 Conv r w -> d")]
    optimised = [
        node("c_nchwc Conv x w -> t0"), node("n2 Relu t0 -> t1"), node("d_nchwc Conv t1 w -> t2"),
    ]  # fmt: skip
    assert [c.outputs for c in trace_back(original, optimised, ["x"], ["d"])] == [("c",), ("r",), ("d",)]


def test_the_next_convolution_is_not_taken_for_fused() -> None:
    """Its own name is that of the activation that was fused into it."""
    original = [node("n1 Conv x w -> c"), node("n2 Conv c w -> d"), node("n3 Relu d -> r")]
    optimised = [node("c_nchwc Conv x w -> t0"), node("r_nchwc Conv t0 w -> t1")]
    assert trace_back(original, optimised, ["x"], ["r"])[0] == Computes(("c",))


def test_an_output_of_the_model_ends_the_walk() -> None:
    original = [node("n1 Conv x w -> c"), node("n2 Relu c -> r")]
    (found,) = trace_back(original, [node("c_nchwc Conv x w -> t0")], ["x"], ["c", "r"])
    assert found == Computes(("c",))


def test_a_node_that_the_engine_made_up_computes_nothing_known() -> None:
    assert trace_back(BLOCK, [node("Transpose_token_3 Transpose x -> t9")], ["x"], ["r3"]) == (Computes(),)


def row(name: str, operator: str, ts: int, dur: int, index: int = 0, **more: Any) -> dict[str, Any]:
    arguments = {"op_name": operator, "node_index": str(index), "provider": "CPU"} | more
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": arguments}


def run(ts: int, dur: int) -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": dur, "args": {}}


def test_calls_before_the_profiled_ones_are_left_out() -> None:
    rows = [run(0, 90), row("a", "Conv", 1, 80), run(100, 9), row("a", "Conv", 101, 5), run(200, 11),
            row("a", "Conv", 201, 7, output_type_shape=[{"float": [1]}])]  # fmt: skip
    (layer,), whole = read_trace(rows, OptimisedGraph(), skip=1)
    assert (layer.name, layer.operator, layer.calls, layer.total_ns) == ("a", "Conv", 2, 12_000)
    assert layer.by_call == (5_000, 7_000)
    assert whole == (9_000, 11_000)


def test_time_inside_control_flow_counts_once() -> None:
    rows = [
        run(0, 50),
        row("if", "If", 0, 30, 1),
        row("inner", "Gemm", 5, 20, 0),
        row("last", "Relu", 30, 0, 2),
    ]
    graph = OptimisedGraph(
        (node("if If x -> y"), node("last Relu y -> z")),
        (Computes(("y",)), Computes(("z",))),
        frozenset({"inner"}),
    )
    layers, _ = read_trace(rows, graph, skip=0)
    assert [(layer.name, layer.total_ns) for layer in layers] == [("if", 30_000), ("last", 0)]
    unread, _ = read_trace(rows, OptimisedGraph(), skip=0)
    assert "inner" not in {layer.name for layer in unread}


@pytest.mark.parametrize("names", [("", ""), ("same", "same")])
def test_nodes_without_a_name_of_their_own_are_paired_by_turn(names: tuple[str, str]) -> None:
    graph = OptimisedGraph(
        (Node(names[0], "Relu", (), ("p",)), Node(names[1], "Relu", (), ("q",))),
        (Computes(("p",)), Computes(("q",))),
    )
    rows = [run(0, 9), row(names[0] or "Relu_4", "Relu", 1, 2, 4), row(names[1] or "Relu_5", "Relu", 4, 3, 5)]
    layers, _ = read_trace(rows, graph, skip=0)
    assert [(layer.outputs, layer.total_ns) for layer in layers] == [(("p",), 2_000), (("q",), 3_000)]

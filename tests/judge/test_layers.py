"""Which layers belong together: tables, and properties of every partition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.profile.layers import common_groups, cover, leaving
from harness.records.profile import GraphNode, Layer, ModelGraph


def graph(*nodes: tuple[str, str, str], outputs: str = "") -> ModelGraph:
    """Nodes as (operator, "inputs", "outputs"), names apart by spaces; by default the last tensor leaves."""
    made = tuple(GraphNode(name="", operator=op, inputs=i.split(), outputs=o.split()) for op, i, o in nodes)
    return ModelGraph(nodes=made, outputs=tuple(outputs.split()) or made[-1].outputs[-1:])


def layer(outputs: str = "", fused: str = "", name: str = "layer") -> Layer:
    return Layer(name=name, operator="op", calls=1, total_ns=1, outputs=outputs.split(), fused=fused.split())


# x -> conv c -> add a (with the shortcut's s) -> relu r -> gemm g
RESIDUAL = graph(
    ("Conv", "", "s"), ("Conv", "", "c"), ("Add", "c s", "a"), ("Relu", "a", "r"), ("Gemm", "r", "g")
)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([layer("s"), layer("c"), layer("a"), layer("r"), layer("g")], [{0}, {1}, {2}, {3}, {4}]),
        # The engine names all that it fused.
        ([layer("s"), layer("r", "c a"), layer("g")], [{0}, {1, 2, 3}, {4}]),
        # It names the last tensor only: what nobody names before it is inside it.
        ([layer("s"), layer("r"), layer("g")], [{0}, {1, 2, 3}, {4}]),
        # Both convolutions unnamed: the first layer that needs them has them.
        ([layer("r"), layer("g")], [{0, 1, 2, 3}, {4}]),
        # A change of layout is no node; two layers can make one tensor together.
        ([layer("s"), layer(), layer("c"), layer("c"), layer("r"), layer("g")],
         [{0}, set(), {1}, {1}, {2, 3}, {4}]),
        # A tensor that the graph does not have.
        ([layer("s c a r g"), layer("unknown")], [{0, 1, 2, 3, 4}, set()]),
        # Listed in another order than the graph's.
        ([layer("g"), layer("r"), layer("s")], [{4}, {1, 2, 3}, {0}]),
    ],
)  # fmt: skip
def test_what_a_layer_stands_for(layers: list[Layer], expected: list[set[int]]) -> None:
    assert [set(nodes) for nodes in cover(RESIDUAL, layers)] == expected


def test_an_unnamed_node_that_two_layers_need_goes_to_the_first() -> None:
    made = graph(("Shape", "", "n"), ("Reshape", "n", "p"), ("Reshape", "n", "q"), outputs="p q")
    assert [set(nodes) for nodes in cover(made, [layer("q"), layer("p")])] == [{2}, {0, 1}]


def test_what_nothing_needs_stays_uncovered() -> None:
    made = graph(("Conv", "", "c"), ("Identity", "c", "i"), outputs="i")
    assert [set(nodes) for nodes in cover(made, [layer("c")])] == [{0}]


@pytest.mark.parametrize(
    ("covers", "expected"),
    [
        ([], [(0,), (1,), (2,), (3,)]),
        ([[{0, 1}, {2, 3}]], [(0, 1), (2, 3)]),
        # One engine fuses more than the other.
        ([[{0}, {1}, {2, 3}], [{0, 1}, {2, 3}]], [(0, 1), (2, 3)]),
        # Fusions that overlap make one group.
        ([[{0, 1}, {2, 3}], [{1, 2}]], [(0, 1, 2, 3)]),
        # A group need not be contiguous; the order is that of the last node.
        ([[{0, 3}, {1}]], [(1,), (2,), (0, 3)]),
        ([[set(), {1}]], [(0,), (1,), (2,), (3,)]),
    ],
)
def test_the_finest_common_groups(covers: list[list[set[int]]], expected: list[tuple[int, ...]]) -> None:
    made = [[frozenset(nodes) for nodes in one] for one in covers]
    assert list(common_groups(4, made)) == expected


@given(data=st.data())
def test_every_node_and_every_layer_is_in_exactly_one_group(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    sets = st.lists(st.frozensets(st.integers(0, count - 1), max_size=4), max_size=8)
    covers = data.draw(st.lists(sets, max_size=4))
    groups = common_groups(count, covers)
    assert sorted(node for group in groups for node in group) == list(range(count))
    for nodes in (nodes for one in covers for nodes in one if nodes):
        assert sum(bool(nodes & set(group)) for group in groups) == 1
        assert any(nodes <= set(group) for group in groups)
    assert [group[-1] for group in groups] == sorted(group[-1] for group in groups)


@given(data=st.data())
def test_no_finer_grouping_would_do(data: st.DataObject) -> None:
    """Guards against the answer that always holds: everything in one group."""
    count = data.draw(st.integers(1, 10))
    covers = data.draw(st.lists(st.frozensets(st.integers(0, count - 1), min_size=1, max_size=3), max_size=6))
    for group in common_groups(count, [covers]):
        reached = {group[0]}
        for _ in group:
            reached |= {node for nodes in covers if nodes & reached for node in nodes}
        assert reached == set(group)


@given(data=st.data())
def test_no_node_is_covered_by_two_layers_that_name_different_tensors(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 10))
    nodes = []
    for index in range(count):
        before = data.draw(st.lists(st.integers(0, index - 1), max_size=3)) if index else []
        nodes.append(("Op", " ".join(f"t{i}" for i in before), f"t{index}"))
    made = graph(*nodes)
    named = data.draw(st.lists(st.integers(0, count - 1), unique=True))
    covered = cover(made, [layer(f"t{index}") for index in named])
    assert sum(map(len, covered)) == len(frozenset().union(*covered))
    assert all(index in nodes for index, nodes in zip(named, covered, strict=True))


def test_tensors_that_leave_a_group() -> None:
    assert leaving(RESIDUAL, (1, 2, 3)) == ("r",)
    assert leaving(RESIDUAL, (0, 1)) == ("s", "c")
    assert leaving(RESIDUAL, (4,)) == ("g",)
    unused = graph(("Split", "", "a b"), ("Relu", "a", "r"))
    assert leaving(unused, (0,)) == ("a",)
    assert leaving(graph(("A", "", "x"), ("B", "", "y"), outputs="y"), (0,)) == ("x",)

"""Where an error begins in a graph: tables, and simulated faults in random graphs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from harness.judge.layer_search import (
    Graph,
    Node,
    batches,
    beginnings,
    first_bad,
    frontier,
    spread,
    suspects,
)
from harness.records.layers import TensorError


def chain(*edges: str, outputs: str) -> Graph:
    """Nodes from words such as "c=a+b": tensor c of node c from the tensors a and b."""
    nodes = []
    for edge in edges:
        output, _, inputs = edge.partition("=")
        nodes.append(Node(output, "Op", tuple(name for name in inputs.split("+") if name), (output,)))
    return Graph(tuple(nodes), tuple(outputs.split()))


DIAMOND = chain("a=", "b=a", "c=a", "d=b+c", "e=d", outputs="e")


def told(**excess: float) -> dict[str, TensorError]:
    return {
        name: TensorError(name=name, operator="Op", status="beyond" if value > 1 else "within", excess=value)
        for name, value in excess.items()
    }


@pytest.mark.parametrize(
    ("excess", "expected"),
    [
        ({"a": 0.1, "b": 0.1, "c": 0.1, "d": 0.1, "e": 0.1}, ()),
        ({"a": 0.1, "b": 9, "c": 0.1, "d": 9, "e": 9}, ("b",)),
        ({"a": 0.1, "b": 9, "c": 9, "d": 9, "e": 9}, ("b", "c")),
        ({"a": 9, "b": 9, "c": 9, "d": 9, "e": 9}, ("a",)),
        # What hides on the way and comes back is no second beginning.
        ({"a": 9, "b": 0.1, "c": 0.1, "d": 0.1, "e": 9}, ("a",)),
        # An unseen tensor is no wall.
        ({"a": 9, "d": 9, "e": 9}, ("a",)),
        ({"a": 0.1, "e": 9}, ("e",)),
    ],
)
def test_the_first_bad_tensors(excess: Mapping[str, float], expected: tuple[str, ...]) -> None:
    status = {name: tensor.status for name, tensor in told(**excess).items()}
    assert first_bad(DIAMOND, status) == expected
    assert beginnings(DIAMOND, told(**excess)) == expected


def test_a_tensor_beyond_its_budget_behind_no_failing_output_begins_nothing() -> None:
    graph = chain("a=", "b=a", "c=a", outputs="b c")
    assert beginnings(graph, told(a=0.1, b=5, c=0.1)) == ("b",)
    assert beginnings(DIAMOND, told(a=5, b=0.1, c=0.1, d=0.1, e=0.1)) == ()


def test_a_marginal_beginning_yields_to_the_step_that_explains_the_output() -> None:
    found = beginnings(DIAMOND, told(a=1.5, b=1.4, c=1.2, d=4e4, e=5e4))
    assert found == ("d", "a")
    # Where the output is as marginal, the first is all there is.
    assert beginnings(DIAMOND, told(a=1.5, b=1.4, c=1.2, d=2, e=2)) == ("a",)
    # A clear first needs no step after it.
    assert beginnings(DIAMOND, told(a=0.1, b=50, c=0.1, d=4e4, e=5e4)) == ("b",)


def test_infinite_errors_begin_where_they_begin() -> None:
    assert beginnings(DIAMOND, told(a=0.2, b=0.2, c=math.inf, d=math.inf, e=math.inf)) == ("c",)


def test_what_lies_between_a_tensor_and_the_known_ones() -> None:
    assert suspects(DIAMOND, "e", {"a", "e"}) == ("b", "c", "d")
    assert frontier(DIAMOND, "e", {"a", "e"}) == ("a",)
    assert suspects(DIAMOND, "e", {"b", "d"}) == ()
    assert frontier(DIAMOND, "d", {"a", "b"}) == ("a", "b")


def test_marks_are_spread_and_end_with_the_last() -> None:
    names = tuple(f"t{i}" for i in range(100))
    chosen = spread(names, 10)
    assert len(set(chosen)) == 10
    assert chosen[-1] == "t99"
    gaps = np.diff([names.index(name) for name in chosen])
    assert gaps.min() == gaps.max() == 10
    assert spread(names[:5], 10) == names[:5]


def test_batches_stay_within_their_bytes_and_lose_nothing() -> None:
    sizes = {"a": 4, "b": 4, "c": 100, "d": 1, "e": 9}
    made = batches(tuple(sizes), sizes, 10)
    assert [name for turn in made for name in turn] == list(sizes)
    assert made == [("a", "b"), ("c",), ("d", "e")]
    assert all(len(turn) == 1 or sum(sizes[name] for name in turn) <= 10 for turn in made)


def test_simulated_faults_are_found_where_they_were_put() -> None:
    """Random graphs, one faulty node each, errors that shrink and grow on the way, a third of the tensors unseen."""
    rng = np.random.default_rng(7)
    for _ in range(300):
        size = int(rng.integers(4, 30))
        nodes = [
            Node(
                f"n{i}",
                "Op",
                tuple(f"t{j}" for j in sorted({*rng.integers(0, i, 2)})) if i else (),
                (f"t{i}",),
            )
            for i in range(size)
        ]
        last = f"t{size - 1}"
        graph = Graph(tuple(nodes), (last,))
        behind = [*graph.ancestors([last]), last]
        planted = str(rng.choice(behind))
        bad = {planted}
        for node in nodes:
            if any(name in bad for name in node.inputs):
                bad |= set(node.outputs)
        excess = {f"t{i}": float(10 ** rng.uniform(-3, -0.3)) for i in range(size)}
        excess |= {name: float(10 ** rng.uniform(0.6, 6)) for name in bad}
        seen = {name: value for name, value in excess.items() if name == last or rng.random() < 0.67}
        found = beginnings(graph, told(**seen))
        # Seen or not: narrowing down what lies before the first must lead to the planted tensor.
        assert found
        reached = {name for first in found for name in (first, *suspects(graph, first, seen))}
        assert planted in reached
        assert beginnings(graph, told(**{**seen, **{name: excess[name] for name in reached}})) == (planted,)

"""The table of a profile: sums, shares, what is not matched, disturbed calls, doubts."""

from __future__ import annotations

from typing import Any

import pytest

from harness.judge.profile.document import document_of
from harness.judge.profile.table import Column, ProfileTable, make_table
from harness.records import ContenderRef, Failure, VariantRef
from harness.records.profile import ContenderProfile, GraphNode, Layer, ModelGraph, ProfileRecord
from tests.factories import make_environment, make_machine, make_model

MS = 1_000_000
GRAPH = ModelGraph(
    nodes=(
        GraphNode(name="n0", operator="Conv", inputs=(), outputs=("c",)),
        GraphNode(name="n1", operator="Relu", inputs=("c",), outputs=("r",)),
        GraphNode(name="n2", operator="Conv", inputs=("r",), outputs=("d",)),
        GraphNode(name="n3", operator="Relu", inputs=("d",), outputs=("y",)),
    ),
    outputs=("y",),
)


def layer(name: str, operator: str, ms: float, outputs: tuple[str, ...] = (), **more: Any) -> Layer:
    """A layer that takes `ms` in each of two calls."""
    told = {"calls": 2, "total_ns": round(2 * ms * MS), "outputs": outputs}
    return Layer(name=name, operator=operator, **(told | more))


def profile(text: str, *layers: Layer, call_ms: float = 10.0, **more: Any) -> ContenderProfile:
    told = {
        "calls": 2,
        "profiled_ns": (round(call_ms * MS),) * 2,
        "unprofiled_ns": (round(call_ms * MS),) * 4,
    }
    return ContenderProfile(
        contender=ContenderRef(text=text, backend=text), status="measured", layers=layers, **(told | more)
    )


def record(*profiles: ContenderProfile, graph: ModelGraph = GRAPH) -> ProfileRecord:
    return ProfileRecord(
        model=make_model(),
        variant=VariantRef(),
        input_set="normal:0",
        machine=make_machine(),
        environment=make_environment(),
        graph=graph,
        profiles=profiles,
    )


FUSED = profile(
    "fused", layer("conv+relu", "Convolution", 6.0, ("r",)), layer("reorder", "Reorder", 1.0),
    layer("conv2", "Convolution", 3.0, ("y",)),
)  # fmt: skip
PLAIN = profile(
    "plain", layer("a", "conv", 4.0, ("c",)), layer("b", "relu", 1.0, ("r",)),
    layer("c", "conv", 4.0, ("d",)), layer("d", "relu", 1.0, ("y",)),
)  # fmt: skip


def codes(column: Column) -> set[str]:
    return {warning.code for warning in column.warnings}


def test_rows_are_whole_layers_of_every_contender() -> None:
    table = make_table(record(FUSED, PLAIN))
    assert [(row.name, row.operators, row.nodes) for row in table.rows] == [
        ("r", "Conv+Relu", (0, 1)),
        ("y", "Conv+Relu", (2, 3)),
    ]
    assert [[cell.layers for cell in row.cells] for row in table.rows] == [[(0,), (0, 1)], [(2,), (2, 3)]]
    assert [cell.seconds for cell in table.rows[0].cells] == pytest.approx([0.006, 0.005])
    assert [cell.share for cell in table.rows[0].cells] == pytest.approx([0.6, 0.5])


def test_alone_a_contender_keeps_its_own_rows() -> None:
    assert [row.name for row in make_table(record(PLAIN)).rows] == ["c", "r", "d", "y"]


def test_what_belongs_to_no_node_is_kept_apart_and_nothing_is_dropped() -> None:
    table = make_table(record(FUSED, PLAIN))
    rest = table.columns[0].unmatched
    assert (rest.layers, rest.ran) == ((1,), 1)
    assert rest.seconds == pytest.approx(0.001)
    assert table.columns[1].unmatched.layers == ()
    for place, column in enumerate(table.columns):
        cells = [row.cells[place] for row in table.rows]
        assert sum(cell.seconds for cell in cells) + column.unmatched.seconds == pytest.approx(
            column.layers_s
        )
        assert sum(cell.share for cell in cells) + column.unmatched.share == pytest.approx(1)
        listed = sorted([index for cell in cells for index in cell.layers] + [*column.unmatched.layers])
        assert listed == list(range(len(record(FUSED, PLAIN).profiles[place].layers)))


def test_sums_by_kind_and_by_the_engines_own_operators() -> None:
    table = make_table(record(FUSED, PLAIN))
    assert [(row.operators, row.nodes) for row in table.kinds] == [("Conv+Relu", (0, 1, 2, 3))]
    assert [cell.seconds for cell in table.kinds[0].cells] == pytest.approx([0.009, 0.01])
    sums = [(s.operator, s.layers, round(s.seconds, 6)) for s in table.columns[0].operators]
    assert sums == [("Convolution", 2, 0.009), ("Reorder", 1, 0.001)]


def test_what_was_fused_away_stays_in_the_table_and_out_of_the_sums() -> None:
    gone = layer("relu", "Relu", 0.0, ("y",), calls=0)
    table = make_table(record(profile("e", layer("all", "Fused", 10.0, ("d",)), gone)))
    last = table.rows[-1].cells[0]
    assert (last.layers, last.ran, last.seconds) == ((1,), 0, 0.0)
    assert [entry.operator for entry in table.columns[0].operators] == ["Fused"]


def test_without_a_graph_all_is_unmatched_and_said_so() -> None:
    table = make_table(record(PLAIN, graph=ModelGraph()))
    assert table.rows == ()
    assert table.columns[0].unmatched.share == pytest.approx(1)
    assert "profile_unmatched" in codes(table.columns[0])


def test_no_doubt_where_everything_adds_up() -> None:
    table = make_table(record(FUSED.model_copy(update={"whole_ns": (10 * MS, 10 * MS)}), PLAIN))
    assert codes(table.columns[1]) == set()
    assert codes(table.columns[0]) == {"profile_unmatched"}  # a tenth of its time


@pytest.mark.parametrize(
    ("changes", "code", "figure"),
    [
        ({"whole_ns": (20 * MS, 20 * MS)}, "profile_sum_of_whole", -0.5),
        ({"whole_ns": (8 * MS, 8 * MS)}, "profile_sum_of_whole", 0.25),
        ({"unprofiled_ns": (5 * MS,) * 4}, "profile_sum_of_latency", 1.0),
        ({"unprofiled_ns": (20 * MS,) * 4}, "profile_sum_of_latency", -0.5),
        ({"unprofiled_ns": (5 * MS,) * 4}, "profile_slowed", 1.0),
        ({"unprofiled_ns": (8 * MS, 8 * MS, 12 * MS, 12 * MS)}, "profile_unsteady", 0.5),
    ],
)
def test_a_gap_is_a_warning_with_its_figure(changes: dict[str, Any], code: str, figure: float) -> None:
    (column,) = make_table(record(PLAIN.model_copy(update=changes))).columns
    (warning,) = [warning for warning in column.warnings if warning.code == code]
    assert warning.figure == pytest.approx(figure)
    assert warning.consequence
    assert warning.advice


def test_gaps_below_a_tenth_are_none() -> None:
    near = {"whole_ns": (10_900_000,) * 2, "unprofiled_ns": (9_200_000,) * 4}
    (column,) = make_table(record(PLAIN.model_copy(update=near))).columns
    assert codes(column) == set()


def by_call(*ms: float) -> dict[str, Any]:
    times = tuple(round(one * MS) for one in ms)
    return {"calls": len(times), "total_ns": sum(times), "by_call": times}


def test_calls_that_other_work_held_up_are_left_out_where_calls_are_told_apart() -> None:
    held_up = profile(
        "e",
        layer("a", "conv", 0, ("r",), **by_call(4, 4, 90)),
        layer("b", "conv", 0, ("y",), **by_call(6, 6, 6)),
        calls=3,
        profiled_ns=(10 * MS, 10 * MS, 96 * MS),
        whole_ns=(10 * MS, 10 * MS, 96 * MS),
    )
    table = make_table(record(held_up))
    (column,) = table.columns
    assert column.calls == 2
    assert column.layers_s == pytest.approx(0.010)
    assert column.whole_s == pytest.approx(0.010)
    assert [row.cells[0].seconds for row in table.rows] == pytest.approx([0.004, 0.006])
    # An engine that tells sums alone cannot be helped.
    sums_only = held_up.model_copy(
        update={"layers": tuple(one.model_copy(update={"by_call": ()}) for one in held_up.layers)}
    )
    assert make_table(record(sums_only)).columns[0].layers_s == pytest.approx((98 + 18) / 3000)


@pytest.mark.parametrize(("good", "bad", "code"), [(2, 0, 0), (1, 1, 1), (0, 2, 3)])
def test_exit_code(good: int, bad: int, code: int) -> None:
    failed = ContenderProfile(
        contender=ContenderRef(text="x", backend="x"),
        status="failed",
        failure=Failure(phase="load", kind="raised", message="no"),
    )
    document = document_of(record(*[PLAIN] * good, *[failed] * bad))
    assert document.exit_code == code
    assert len(document.table.columns) == good
    assert type(document).model_validate_json(document.model_dump_json()) == document


def test_an_empty_record_gives_an_empty_table() -> None:
    assert make_table(record(graph=ModelGraph())) == ProfileTable(columns=(), rows=(), kinds=())

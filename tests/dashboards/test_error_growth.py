"""The chart of the error along the graph, and the search as text."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from dashboards.charts.error_growth import CEILING, growth_chart
from dashboards.palette import assign
from harness.records import ContenderRef, VariantRef
from harness.records.layers import LayerSearch, Place, Subgraph, TensorError
from harness.show.layers import print_layers


def tensor(name: str, excess: float | None) -> TensorError:
    if excess is None:
        return TensorError(name=name, operator="Conv", status="unseen")
    return TensorError(
        name=name,
        operator="Conv",
        status="beyond" if excess > 1 else "within",
        ratio_rms=10 * excess,
        ratio_max=excess,
        budget_rms=10.0,
        budget_max=20.0,
        excess=excess,
    )


def search(name: str = "ort") -> LayerSearch:
    excess = {"a": 0.05, "b": None, "c": 0.2, "d": 4e4, "e": 3e4, "f": math.inf}
    return LayerSearch(
        status="found",
        reason="Conv makes d wrong",
        contender=ContenderRef(text=name, backend=name),
        variant=VariantRef(),
        input_set="normal:0",
        tensors=tuple(tensor(*pair) for pair in excess.items()),
        places=(Place(tensor="d", operator="Conv", verdict="operator", words="Conv makes d wrong"),),
        subgraph=Subgraph(
            status="fails", nodes=("d",), operators=("Conv",), attempts=1, folder="/somewhere/again"
        ),
        notes=("a note",),
        seconds=12.0,
        memory_bytes=600_000_000,
    )


def rows_of(spec: Any) -> Iterator[dict[str, Any]]:
    """Rows of tensors in a specification, wherever the library put them."""
    for value in spec.values() if isinstance(spec, dict) else spec:
        if isinstance(value, dict) and "tensor" in value and "share" in value:
            yield value
        elif isinstance(value, dict | list):
            yield from rows_of(value)


def test_every_seen_tensor_is_drawn_in_its_place() -> None:
    chart = growth_chart(0, [search()], assign(["ort"]))
    assert chart is not None
    drawn = {row["tensor"]: row for row in rows_of(chart.spec)}
    assert {name: row["place"] for name, row in drawn.items()} == {"a": 0, "c": 2, "d": 3, "e": 4, "f": 5}
    assert [name for name, row in drawn.items() if row["first"]] == ["d"]
    assert drawn["f"]["share"] == CEILING
    assert chart.table is not None
    assert [row[0] for row in chart.table.rows] == ["a", "c", "d", "e", "f"]
    assert [row[3] for row in chart.table.rows if "begins" in row[3]] == [
        "beyond its budget, where it begins"
    ]


def test_nothing_seen_is_no_chart() -> None:
    empty = search().model_copy(update={"tensors": (tensor("b", None),)})
    assert growth_chart(0, [empty], assign(["ort"])) is None


def text(found: LayerSearch) -> str:
    out = io.StringIO()
    print_layers(found, Console(file=out, width=120))
    return out.getvalue()


def test_the_text_says_where_what_and_how_to_repeat_it() -> None:
    printed = text(search())
    assert "Conv makes d wrong" in printed
    assert "/somewhere/again" in printed
    assert "a note" in printed
    assert "12.0 s" in printed.replace("\u00a0", " ")
    lines = printed.splitlines()
    assert next(line for line in lines if line.startswith("d ")).split()[1] == "Conv"


def test_a_search_that_found_nothing_says_so() -> None:
    clean = search().model_copy(
        update={"status": "clean", "places": (), "subgraph": None, "reason": "every output is within"}
    )
    assert "no error beyond its budget" in text(clean)
    failed = clean.model_copy(update={"status": "failed", "reason": "no such engine"})
    assert "n/a: no such engine" in text(failed)

"""Task accuracy in the terminal and as a chart."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from dashboards.charts.accuracy import accuracy_chart
from harness.judge.accuracy import judge_accuracies, judge_accuracy
from harness.show.accuracy import print_accuracy
from tests.judge.accuracy.kit import classified, compared


def printed(accuracies: dict[str, Any], width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    judged = judge_accuracies(accuracies)
    print_accuracy(judged, next(iter(accuracies.values())).data, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text)


ALL = {
    "ort@int8": classified(10_000, won=20, lost=60, both_wrong=100),
    "broken": classified(10_000, lost=900),
    "gone": classified(10_000, status="crashed", answers=None),
    "unsure": classified(10_000, lost=100),
}


def test_the_terminal_says_the_verdicts_and_the_figures() -> None:
    text = printed(ALL)
    assert "Task accuracy on digits: 10\u202f000 items, batch 16" in text
    assert "same  ort@int8 loses 0.40 %" in text and "lost  broken loses 9.0 %" in text
    assert "unknown  The task accuracy of gone is unknown: crashed." in text
    assert "unsettled  unsure is unsettled" in text
    row = next(line for line in text.splitlines() if line.startswith("ort@int8  "))
    assert row.split() == [
        *("ort@int8", "top-1", "accuracy", "98.40", "%", "98.80", "%"),
        *("−0.40", "%", "[−0.59,", "−0.23]", "1", "%", "same"),
    ]
    assert "top-5 accuracy" in text


def test_a_metric_without_an_interval_says_why() -> None:
    text = printed({"ort": compared([1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 4, 3])})
    assert "an interval needs 20 pairs at least" in text and "4 pairs" in text


def values(chart: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "difference" in node and "verdict" in node:
                found.append(node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(chart.spec)
    return found


def test_the_chart_has_the_differences_in_percentage_points_and_the_margin() -> None:
    chart = accuracy_chart(judge_accuracies(ALL))
    assert chart is not None
    rows = {row["verdict"]: row for row in values(chart)}
    assert set(rows) == {"same", "lost", "unsettled"}
    assert rows["lost"]["difference"] == pytest.approx(-9.0) and rows["lost"]["settled"] is True
    assert rows["unsettled"]["settled"] is False
    # Four contenders are decided at once: the interval that decides is wider than the one that is shown.
    assert rows["same"]["from"] < rows["same"]["low"] < -0.4 < rows["same"]["high"] < rows["same"]["to"]
    assert json.dumps({"from": -1.0, "to": 1.0}) in json.dumps(chart.spec)
    assert chart.table is not None
    assert next(row for row in chart.table.rows if row[0] == "gone")[:4] == ("gone", "n/a", "n/a", "n/a")
    assert "−0.40 % [−0.59, −0.23]" in chart.label


def test_correlations_are_drawn_as_they_are() -> None:
    targets = list(range(60))
    judged = judge_accuracy("ort", compared(targets, [t * 1.0 for t in targets], [t * 1.0 for t in targets]))
    chart = accuracy_chart([judged])
    assert chart is not None
    assert values(chart)[0]["difference"] == 0.0 and "Spearman" in chart.caption


def test_without_any_difference_there_is_no_chart() -> None:
    assert accuracy_chart(judge_accuracies({"gone": ALL["gone"]})) is None
    assert accuracy_chart([]) is None

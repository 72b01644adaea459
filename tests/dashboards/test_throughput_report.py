"""The page of a run of closed loops: what it says, and that its charts are drawn without a request."""

from __future__ import annotations

from pathlib import Path

import html5lib
import pytest

from dashboards.charts.load import latency_throughput_chart, scaling_chart
from dashboards.palette import assign
from dashboards.throughput_report import render_throughput
from harness.judge.load.curve import ThroughputDocument, judge_run
from harness.records import Bounds
from tests.dashboards.browser import Browser
from tests.factories import make_failure, make_parity, make_run
from tests.loads import make_loaded


def document() -> ThroughputDocument:
    run = make_run(kind="throughput", name="throughput of ort and torch", bounds=Bounds(max_latency_s=0.0035))
    ort = [make_loaded("ort", level, servers=2, trials=4, rounds=2) for level in (1, 2, 4)]
    torch = [make_loaded("torch", level, servers=1, trials=4, rounds=2) for level in (1, 2)]
    broken = make_failure("torch", case=make_loaded("torch", 4).case)
    return judge_run(run, [*ort, *torch, broken])


@pytest.fixture(scope="module")
def page() -> str:
    return render_throughput(document())


def test_the_page_says_what_was_found(page: str) -> None:
    html5lib.HTMLParser(strict=True).parse(page)
    text = " ".join(page.split())
    assert "ort: 1990 inferences/s with 2 in flight, batch 1, 1 thread" in text
    assert "the worker died of SIGSEGV" in text
    assert text.count("<h3><bdi>Machine</bdi></h3>") == 1
    assert '<span class="chip doubt">' not in text.split('id="verdicts"')[0], "what runs is right"
    assert "p99 ≤ 3.5 ms" in text
    assert "as many as torch at their best points" in text


def test_a_model_that_disagrees_with_itself_is_no_right_curve() -> None:
    run = make_run(kind="throughput", name="throughput of ort", bounds=Bounds())
    random = make_parity("nondeterministic")
    page = render_throughput(judge_run(run, [make_loaded("ort", level, parity=random) for level in (1, 2)]))
    assert '<span class="chip doubt">' in page
    assert "nondeterministic" in page


def test_every_point_that_was_measured_is_drawn_and_listed() -> None:
    found = document()
    series = assign(curve.contender for curve in found.curves)
    chart = latency_throughput_chart(found.curves, found.run.bounds or Bounds(), series)
    assert chart is not None and chart.table is not None
    assert len(chart.table.rows) == 6
    assert sum("best" in row[-1] for row in chart.table.rows) == 2
    assert chart.drawn == ("ort", "torch")
    rows = next(iter(chart.spec["datasets"].values())) if "datasets" in chart.spec else None
    layers = [layer["data"]["values"] for layer in chart.spec["layer"] if "values" in layer.get("data", {})]
    drawn = rows or chart.spec.get("data", {}).get("values") or layers[0]
    assert sorted((r["contender"], r["in_flight"]) for r in drawn) == [
        *(("ort", n) for n in (1, 2, 4)),
        *(("torch", n) for n in (1, 2)),
    ]
    assert scaling_chart(found.curves[:0], series) is None
    assert latency_throughput_chart((), Bounds(), series) is None


@pytest.mark.browser
def test_the_charts_are_drawn(page: str, browser: Browser, tmp_path: Path) -> None:
    target = tmp_path / "curve.html"
    target.write_text(page)
    browser.open(target)
    drawn = browser.run(
        "return [...document.querySelectorAll('.chart')].map(c => !!c.querySelector('svg path'))"
    )
    assert drawn == [True, True]
    assert browser.console() == []

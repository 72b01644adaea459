"""The page of a profile: complete, safe, drawn, offline, readable on every screen."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from dashboards.charts.profile import longest_chart, longest_rows, strip_chart
from dashboards.palette import assign
from dashboards.profile_page import render_profile
from tests.dashboards import profiles
from tests.dashboards.browser import Browser
from tests.dashboards.test_browser import CONTRAST, OVERFLOWING
from tests.dashboards.test_report import parsed, text_of

NAMES = ("full", "hostile", "many", "nothing")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("profiles")
    found = {}
    for name in NAMES:
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_profile(getattr(profiles, name)()), encoding="utf-8")
    return found


def tree(path: Path) -> Element:
    return parsed(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_well_formed_with_unique_ids_and_working_links(
    rendered: dict[str, Path], name: str
) -> None:
    root = tree(rendered[name])
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    links = {e.attrib["href"][1:] for e in root.iter("a") if e.attrib["href"].startswith("#")}
    assert links <= set(ids)


def test_everything_is_said_in_text(rendered: dict[str, Path]) -> None:
    text = text_of(tree(rendered["full"]).find("body"))
    for words in (
        "Conv×2+Relu×2+Add×2",  # what the fusions of both engines have in common
        "it has no profiler",
        "use another",
        "1 layer not matched with an ONNX node",
        "With its profiler on it is 100% slower.",
        "a note of the engine",
        "/tmp/trace.json",
        "jit_avx512",
        "not run",
        "whole call, profiler off",
    ):
        assert words in text, words
    assert "No contender could be profiled" in text_of(tree(rendered["nothing"]).find("body"))


def test_pieces_of_a_strip_add_up_to_the_layers() -> None:
    table = profiles.full().table
    chart = strip_chart(table)
    assert chart is not None
    pieces = chart.spec["datasets"][chart.spec["layer"][0]["data"]["name"]]
    for column in table.columns:
        own = [piece for piece in pieces if piece["contender"] == column.contender]
        assert own[0]["from"] == 0
        assert [piece["from"] for piece in own[1:]] == [piece["to"] for piece in own[:-1]]
        assert own[-1]["to"] == pytest.approx(column.layers_s * 1e3)
        assert own[-1]["kind"] == "not matched"


def test_the_longest_rows_are_those_with_the_largest_share_of_any() -> None:
    table = profiles.full().table
    rows = longest_rows(table, 2)
    best = sorted(table.rows, key=lambda row: -max(cell.share for cell in row.cells))[:2]
    assert {row.nodes for row in rows} == {row.nodes for row in best}
    chart = longest_chart(table, assign(column.contender for column in table.columns))
    assert chart is not None and chart.table is not None
    assert len(chart.table.rows) == len(longest_rows(table, 15))


@pytest.mark.browser
@pytest.mark.parametrize("name", NAMES)
def test_charts_are_drawn_and_nothing_is_requested(
    browser: Browser, rendered: dict[str, Path], name: str
) -> None:
    browser.open(rendered[name])
    marks = browser.run(
        "return [...document.querySelectorAll('.chart')].map(c => c.querySelectorAll('svg path').length)"
    )
    assert len(marks) == (0 if name == "nothing" else 2)
    assert all(count >= 3 for count in marks)
    assert browser.console() == []
    assert browser.requested() == [rendered[name].as_uri()]


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_sticks_out(browser: Browser, rendered: dict[str, Path], name: str, width: int) -> None:
    browser.open(rendered[name], width=width)
    assert browser.run(OVERFLOWING) == []


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_in_light_and_dark(browser: Browser, rendered: dict[str, Path], dark: bool) -> None:
    browser.open(rendered["full"], dark=dark)
    assert browser.run(CONTRAST) == []


@pytest.mark.browser
def test_hostile_names_run_nothing(browser: Browser, rendered: dict[str, Path]) -> None:
    browser.open(rendered["hostile"])
    strangers = "return document.querySelectorAll('main img, main script:not([data-chart])').length"
    assert browser.run(strangers) == 0
    assert browser.run("return window.intruder === undefined")
    assert browser.run("return document.body.innerText.includes('{{ 7 * 7 }}')")

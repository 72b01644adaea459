"""The page of a parity check: complete, safe, drawn, offline, readable on every screen."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from dashboards.charts.error_picture import picture_chart
from dashboards.charts.parity_figures import quantile_chart, ulp_chart
from dashboards.palette import assign
from dashboards.parity_page import render_parity
from tests.dashboards import parities
from tests.dashboards.browser import Browser
from tests.dashboards.test_browser import CONTRAST, OVERFLOWING
from tests.dashboards.test_report import parsed, text_of

NAMES = ("full", "hostile", "many", "nothing")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("parities")
    found = {}
    for name in NAMES:
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_parity(getattr(parities, name)()), encoding="utf-8")
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
        "No: openvino and torch compute the wrong thing.",
        "1 of 40 values are NaN",
        "crashed in infer: the worker crashed with SIGSEGV",
        "Not judged: zeros, because the reference itself is not finite",
        "signal to error (SQNR)",
        "half of the errors below",
        "axis 0 of ort is fixed",
        "try less",
        "batch 1, 8",
        "0000000000000000",  # the hash of the inputs
    ):
        assert words in text, words
    text = text_of(tree(rendered["nothing"]).find("body"))
    assert "Not known of 2 of 2." in text
    assert "The check was interrupted" in text
    assert "Yes" not in text


def test_quantiles_and_distances_come_from_the_diagnostics() -> None:
    outputs = [("a", parities.output()), ("b", parities.output(off=0.5))]
    series = assign(["a", "b"])
    quantiles, distances = quantile_chart(outputs, series), ulp_chart(outputs, series)
    assert quantiles is not None and quantiles.table is not None
    assert distances is not None and distances.table is not None
    # A row of 4 is off by a half: a quarter of the numbers, so the median does not see it and the 90 % do.
    median, most = (float(quantiles.table.rows[1][place].replace("·10", "e").translate(
        str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))) for place in (2, 3))  # fmt: skip
    assert median < 1e-6 < 0.1 < most
    counts = [sum(int(row[place].replace(",", "")) for row in distances.table.rows) for place in (1, 2)]
    assert counts == [40, 40]


def test_a_picture_shows_the_row_that_is_off() -> None:
    chart = picture_chart(0, "b", parities.output(off=0.5))
    assert chart is not None
    cells = next(iter(chart.spec["datasets"].values()))
    assert len(cells) == 40
    assert {cell["row"] for cell in cells if cell["shade"] > 0.9} == {2}
    assert "axis 0: 2 alone" in chart.caption
    broken = picture_chart(0, "c", parities.output(broken=True))
    assert broken is not None
    (cell,) = [c for c in next(iter(broken.spec["datasets"].values())) if c["kind"] == "not finite"]
    assert (cell["row"], cell["column"]) == (2, 3)
    assert "not finite" in broken.caption
    assert picture_chart(0, "d", parities.output().model_copy(update={"picture": None})) is None


@pytest.mark.browser
@pytest.mark.parametrize("name", NAMES)
def test_charts_are_drawn_and_nothing_is_requested(
    browser: Browser, rendered: dict[str, Path], name: str
) -> None:
    browser.open(rendered[name])
    marks = browser.run(
        "return [...document.querySelectorAll('.chart')].map(c => c.querySelectorAll('svg path').length)"
    )
    assert len(marks) == {"full": 5, "hostile": 4, "many": 12, "nothing": 0}[name]
    assert all(count >= 3 for count in marks)
    assert browser.console() == []
    assert browser.requested() == [rendered[name].as_uri()]


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
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

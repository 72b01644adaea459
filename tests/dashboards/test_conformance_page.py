"""The page of conformance: complete, safe, filterable, offline, readable on every screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.conformance_page import render_conformance
from harness.judge.conformance.changes import changes_between
from harness.judge.conformance.document import Comparison, document_of
from tests.dashboards.browser import Browser
from tests.dashboards.test_browser import CONTRAST, OVERFLOWING
from tests.dashboards.test_report import parsed, text_of
from tests.judge.conformance.cases import WRONG, engine, record, result

HOSTILE = '"><img src=x onerror="window.intruder=1">{{ 7 * 7 }}'


def full() -> str:
    ort = engine(
        "ort",
        result("passes", "test_abs"),
        result("fails", "test_add", operator="Add", opset=14, error=WRONG, reason=f"y: {WRONG.words}"),
        result("crashes", "test_loop", operator="Loop", reason="it died", exit_signal="SIGSEGV"),
        result("excluded", "test_text", operator="StringConcat", reason="its inputs are not all numbers"),
        result("passes", "test_model", operator=""),
    )
    openvino = engine(
        "openvino",
        result("unsupported", "test_abs", reason="no rule for Abs"),
        result("times_out", "test_add", operator="Add", opset=14, reason="it did not end within 60 s"),
    )
    changes = changes_between(
        [result("passes", "test_add"), result("fails")],
        [result("fails", "test_add", reason="new"), result("passes")],
    )
    comparison = Comparison(
        contender="ort",
        before="ort 1.30.0",
        after="ort 1.31.1",
        cases_before=2,
        cases_after=2,
        changes=changes,
    )
    torch = engine("torch", state="not_applicable", reason="builds from torch, not from ONNX")
    return render_conformance(document_of(record(ort, openvino, torch), [comparison]))


def hostile() -> str:
    return render_conformance(
        document_of(record(engine("ort", result("fails", HOSTILE, operator=HOSTILE, reason=HOSTILE))))
    )


def nothing() -> str:
    torch = engine("torch", state="unavailable", reason="not installed")
    return render_conformance(document_of(record(torch, cases=3)))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("conformance")
    found = {}
    for make in (full, hostile, nothing):
        found[make.__name__] = folder / f"{make.__name__}.html"
        found[make.__name__].write_text(make(), encoding="utf-8")
    return found


@pytest.mark.parametrize("name", ["full", "hostile", "nothing"])
def test_pages_are_well_formed_with_unique_ids_and_working_links(
    rendered: dict[str, Path], name: str
) -> None:
    root = parsed(rendered[name].read_text(encoding="utf-8"))
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    links = {e.attrib["href"][1:] for e in root.iter("a") if e.attrib["href"].startswith("#")}
    assert links <= set(ids)


def test_everything_is_said_in_text(rendered: dict[str, Path]) -> None:
    text = text_of(parsed(rendered["full"].read_text(encoding="utf-8")).find("body"))
    for words in (
        "999 × what is allowed, 8.39e+06 ulp",
        "SIGSEGV",
        "no rule for Abs",
        "builds from torch, not from ONNX",
        "its inputs are not all numbers",
        "ort 1.30.0 → ort 1.31.1: 1 broken, 1 fixed, 0 otherwise changed",
        "(whole models)",
        "times out",
    ):
        assert words in text, words
    body = parsed(rendered["nothing"].read_text(encoding="utf-8")).find("body")
    assert "No contender could be asked" in text_of(body) and "not installed" in text_of(body)


@pytest.mark.browser
def test_filters_narrow_the_rows_and_nothing_is_requested(
    browser: Browser, rendered: dict[str, Path]
) -> None:
    browser.open(rendered["full"])

    def rows(*settings: tuple[str, str]) -> list[str]:
        for name, value in settings:
            browser.run(
                "const form = document.querySelector('form[data-table=cases-table]');"
                "form.elements[arguments[0]].value = arguments[1];"
                "form.dispatchEvent(new Event('input'))",
                name,
                value,
            )
        found: list[str] = browser.run(
            "return [...document.querySelectorAll('#cases-table tbody tr:not([hidden]) th')]"
            ".map(cell => cell.innerText)"
        )
        return found

    # What does not pass anywhere is shown first.
    assert rows() == ["abs", "add", "loop", "text"]
    assert rows(("outcome", "")) == ["model", "abs", "add", "loop", "text"]
    assert rows(("outcome", "passes"), ("contender", "0")) == ["model", "abs"]
    assert rows(("outcome", "unsupported")) == []
    assert rows(("contender", "1")) == ["abs"]
    assert rows(("outcome", ""), ("contender", ""), ("text", "sigsegv")) == ["loop"]
    assert browser.console() == []
    assert browser.requested() == [rendered["full"].as_uri()]


def test_without_scripts_all_rows_are_there(rendered: dict[str, Path]) -> None:
    root = parsed(rendered["full"].read_text(encoding="utf-8"))
    (table,) = (element for element in root.iter("table") if element.get("id") == "cases-table")
    rows = list(table.iter("tr"))[1:]
    assert len(rows) == 5 and not any("hidden" in row.attrib for row in rows)


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["full", "hostile", "nothing"])
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
    assert browser.run("return document.querySelectorAll('main img').length") == 0
    assert browser.run("return window.intruder === undefined")
    assert browser.run("return document.body.textContent.includes('{{ 7 * 7 }}')")

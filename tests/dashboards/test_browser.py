"""The page in a real browser: drawn, silent, offline, and readable on every screen and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from tests.dashboards.browser import Browser

pytestmark = pytest.mark.browser

OVERFLOWING = """
const wide = [...document.querySelectorAll('body *')].filter(e => {
  if (e.closest('.scroll, .skip, thead, table.data caption, #vg-tooltip-element')) return false;
  if (e.closest('svg') && e.tagName !== 'svg' && e.tagName !== 'text') return false;
  const box = e.getBoundingClientRect();
  return box.width > 0 && box.right > innerWidth + 1;
});
return wide.slice(0, 5).map(e => e.tagName + ' ' + e.textContent.slice(0, 30) + ' ' + e.getBoundingClientRect().right);
"""
CONTRAST = """
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = c => { const [r, g, b] = rgb(c).map(v => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = e => { for (let n = e; n; n = n.parentElement) { const c = getComputedStyle(n).backgroundColor;
  if (rgb(c).length === 3 || rgb(c)[3] > 0) return c; } return 'rgb(255, 255, 255)'; };
const poor = [];
const texts = 'p, li, td, th, dt, dd, h1, h2, h3, h4, figcaption, summary, a, .chip, .why, .interval, .chart text';
for (const e of document.querySelectorAll(texts)) {
  if (!e.textContent.trim()) continue;
  const style = getComputedStyle(e), ink = e.closest('svg') ? style.fill : style.color;
  const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) poor.push(e.tagName + ' ' + e.className + ' ' + ratio.toFixed(2) + ' ' + e.textContent.slice(0, 30));
}
return [...new Set(poor)].slice(0, 5);
"""


@pytest.mark.parametrize("name", ["full", "hostile", "many", "nothing_measured"])
def test_charts_are_drawn_without_a_word_on_the_console(browser: Browser, pages: dict[str, Path], name: str):
    browser.open(pages[name])
    charts = browser.run(
        "return [...document.querySelectorAll('.chart')]"
        ".map(chart => [chart.id, chart.querySelectorAll('svg path, svg line').length])"
    )
    assert len(charts) == browser.run("return document.querySelectorAll('figure').length")
    assert [name for name, marks in charts if marks < 3] == []
    assert browser.console() == []


@pytest.mark.parametrize("name", ["full", "hostile"])
def test_nothing_is_requested(browser: Browser, pages: dict[str, Path], name: str):
    browser.open(pages[name])
    browser.run("window.scrollTo(0, document.body.scrollHeight)")
    assert browser.requested() == [pages[name].as_uri()]
    assert browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)") == []


def test_the_policy_stops_what_is_not_ours(browser: Browser, pages: dict[str, Path]):
    """Guards the guard: were the policy absent, these would run, and the tests above would prove little."""
    browser.open(pages["full"])
    browser.run(
        """
        const script = document.createElement('script');
        script.textContent = 'window.intruder = true';
        document.body.append(script);
        // Later, because the policy does not bind what the test itself evaluates.
        setTimeout(() => {
          try { window.evaluated = new Function('return "evaluated"')(); }
          catch (error) { window.evaluated = error.name; }
        }, 0);
        """
    )
    WebDriverWait(browser.driver, 10).until(lambda driver: driver.execute_script("return window.evaluated"))
    assert browser.run("return [window.intruder === true, window.evaluated]") == [False, "EvalError"]
    assert any("Content Security Policy" in message for message in browser.console())


def test_hostile_names_run_nothing(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["hostile"])
    assert (
        browser.run("return document.querySelectorAll('main img, main script:not([data-chart])').length") == 0
    )
    assert browser.run("return document.body.innerText.includes('{{ 7 * 7 }}')")
    assert browser.console() == []


def test_every_mark_of_the_forest_plot_is_there(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["full"])
    points = "return document.querySelectorAll('#group-1-ratio-drawing .mark-symbol path').length"
    pairs = "return document.querySelectorAll('#group-1 table.pairs tbody tr').length"
    assert browser.run(points) == browser.run(pairs) == 6


def test_a_contender_has_one_colour_in_text_and_charts(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["full"])
    swatch = browser.run(
        "return getComputedStyle(document.querySelector('#group-1-distribution .swatch.s1')).color"
    )
    lines = browser.run(
        "return [...document.querySelectorAll('#group-1-distribution-drawing .mark-line path')]"
        ".map(path => getComputedStyle(path).stroke)"
    )
    assert lines[1] == swatch
    assert len(set(lines)) == len(lines) == 4


@pytest.mark.parametrize("name", ["full", "hostile", "many"])
@pytest.mark.parametrize("width", [320, 390, 820])
def test_narrow_windows_do_not_scroll_sideways(
    browser: Browser, pages: dict[str, Path], name: str, width: int
):
    browser.open(pages[name], width=width)
    browser.run("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run(OVERFLOWING) == []


def test_charts_take_the_width_of_the_window(browser: Browser, pages: dict[str, Path]):
    widths = {}
    for width in (390, 1280):
        browser.open(pages["full"], width=width)
        widths[width] = browser.run(
            "return document.querySelector('.chart svg').getBoundingClientRect().width"
        )
    assert 300 < widths[390] <= 390
    assert widths[1280] > 800


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_charts_have_contrast(browser: Browser, pages: dict[str, Path], dark: bool):
    browser.open(pages["full"], dark=dark)
    assert browser.run(CONTRAST) == []


def test_charts_follow_the_reader_into_the_dark_without_redrawing(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["full"])
    look = """
    const label = document.querySelector('.chart svg text');
    return [getComputedStyle(document.body).backgroundColor, getComputedStyle(label).fill];
    """
    light = browser.run(look)
    browser.run("document.querySelector('.chart svg').dataset.kept = 'yes'")
    browser.prefer(dark=True)
    dark = browser.run(look)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert browser.run("return document.querySelector('.chart svg').dataset.kept") == "yes"


def test_tooltips_show_the_figures(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["full"])
    box = browser.run(
        "const p = document.querySelector('#group-1-ratio-drawing .mark-symbol path');"
        "p.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const b = p.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2];"
    )
    browser.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
    shown = browser.run(
        "const tip = document.getElementById('vg-tooltip-element');"
        "return tip && tip.classList.contains('visible') ? tip.innerText : ''"
    )
    assert "torch ÷ ort" in shown
    assert "slower" in shown
    assert browser.console() == []


def test_the_keyboard_reaches_what_can_be_opened(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["full"])

    def press(key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            browser.cdp(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text
            )

    press("Tab", 9)
    assert browser.run("return document.activeElement.className") == "skip"
    assert browser.run("return document.activeElement.getBoundingClientRect().left") == 0
    press("Enter", 13)
    assert browser.run("return document.activeElement.id") == "content"
    seen = set()
    for _ in range(60):
        press("Tab", 9)
        seen.add(browser.run("return document.activeElement.tagName"))
    assert {"A", "SUMMARY", "PRE"} <= seen
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_without_javascript_text_and_tables_are_all_there(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["full"], scripts=False)
    try:
        tree = browser.cdp("DOMSnapshot.captureSnapshot", computedStyles=["display"])
        words = " ".join(tree["strings"])
        assert "Charts need JavaScript" in words
        assert "Verdict of every pair" in words
        assert "1.31×" in words
    finally:
        browser.cdp("Emulation.setScriptExecutionDisabled", value=False)


def test_paper_is_light_and_shows_everything(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["full"], dark=True)
    document = browser.pdf()
    assert document.startswith(b"%PDF")
    assert 5 < document.count(b"/Type /Page\n") < 40
    browser.cdp("Emulation.setEmulatedMedia", media="print")
    try:
        assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert (
            browser.run("return getComputedStyle(document.querySelector('.chart svg text')).fill")
            == "rgb(89, 99, 110)"
        )
        clipped = browser.run(
            "return [...document.querySelectorAll('pre, .scroll')].filter(e => e.checkVisibility() &&"
            " (e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1)"
            " && getComputedStyle(e).overflow !== 'visible').length"
        )
        assert clipped == 0
        assert browser.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    finally:
        browser.cdp("Emulation.setEmulatedMedia", media="")

"""The page as HTML: well-formed, complete, and safe whatever the names are."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest

from dashboards import report
from dashboards.bundle import embedded_json
from harness.errors import UsageError
from tests.dashboards import documents
from tests.dashboards.documents import crashed, document, measured, parity, unavailable

NAMES = ("full", "hostile", "many", "nothing_measured")


def parsed(html: str) -> Element:
    """The page's tree; an HTML error raises."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)


def text_of(element: Element) -> str:
    """All that a reader sees, with single spaces; scripts and styles left out."""
    parts: list[str] = []

    def walk(node: Element) -> None:
        if node.tag in ("script", "style"):
            return
        # A browser puts these on lines of their own.
        edge = " " if node.tag in ("dt", "dd", "li", "td", "th", "p", "div", "h1", "h2", "h3", "h4") else ""
        parts.append(edge + (node.text or ""))
        for child in node:
            walk(child)
            parts.append(child.tail or "")
        parts.append(edge)

    walk(element)
    return re.sub(r"\s+", " ", "".join(parts))


def page(*results) -> str:
    return text_of(parsed(report.render_report(document(list(results)))).find("body"))


@pytest.fixture(scope="module")
def trees(pages: dict[str, Path]) -> dict[str, Element]:
    return {name: parsed(path.read_text(encoding="utf-8")) for name, path in pages.items()}


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_well_formed_with_unique_ids_and_working_links(trees, name):
    ids = [element.get("id") for element in trees[name].iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for link in trees[name].iter("a"):
        assert link.get("href", "").startswith("#")
        assert link.get("href")[1:] in ids
    for element in trees[name].iter():
        if element.get("aria-labelledby"):
            assert element.get("aria-labelledby") in ids


@pytest.mark.parametrize("name", NAMES)
def test_nothing_points_outside_the_file(trees, name):
    for element in trees[name].iter():
        for attribute in ("src", "href", "srcset", "data", "action", "poster"):
            value = element.get(attribute, "#")
            assert value.startswith(("#", "data:")), (element.tag, value)
    style = "".join(element.text or "" for element in trees[name].iter("style"))
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("name", NAMES)
def test_the_policy_allows_exactly_the_scripts_that_are_there(trees, name):
    policy = next(
        meta.get("content")
        for meta in trees[name].iter("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for element in trees[name].iter():
        runs = element.tag == "style" or (element.tag == "script" and element.get("type") is None)
        if runs:
            digest = hashlib.sha256(element.text.encode("utf-8")).digest()
            assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy
        assert element.get("style") is None, "the policy forbids style attributes"
        assert not [attribute for attribute in element.attrib if attribute.startswith("on")]
    assert sum(element.tag == "script" and element.get("type") is None for element in trees[name].iter()) == 2


@pytest.mark.parametrize("name", NAMES)
def test_headings_are_in_order_and_landmarks_are_there(trees, name):
    levels = [int(element.tag[1]) for element in trees[name].iter() if re.fullmatch(r"h[1-6]", element.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for landmark in ("header", "nav", "main", "footer"):
        assert trees[name].find(f".//{landmark}") is not None
    assert trees[name].find(".//body/a").get("href") == "#content"


@pytest.mark.parametrize("name", NAMES)
def test_tables_have_captions_and_scopes_and_charts_have_words(trees, name):
    for table in trees[name].iter("table"):
        assert text_of(table.find("caption")).strip()
        assert all(cell.get("scope") in ("col", "row") for cell in table.iter("th"))
    for figure in trees[name].iter("figure"):
        drawing = next(element for element in figure.iter("div") if element.get("class") == "chart")
        assert drawing.get("role") == "img"
        assert len(drawing.get("aria-label")) > 20
        assert len(text_of(figure.find("figcaption"))) > 40
        has_table = figure.find(".//table") is not None
        assert has_table or figure.get("id").endswith("-ratio"), "ratios are in the table of pairs"


def test_chart_data_is_json_beside_its_drawing(trees):
    ids = {element.get("id") for element in trees["full"].iter()}
    found = [element for element in trees["full"].iter("script") if element.get("data-chart")]
    assert len(found) == 14
    for element in found:
        assert element.get("data-chart") in ids
        assert json.loads(element.text)["$schema"]


def test_hostile_names_stay_text(trees, pages):
    body = text_of(trees["hostile"].find("body"))
    for name in documents.HOSTILE_NAMES:
        assert name in body
    tags = {element.tag for element in trees["hostile"].iter() if isinstance(element.tag, str)}
    assert "img" not in tags
    # Only our own elements: as many scripts as charts, and the two that run.
    scripts = list(trees["hostile"].iter("script"))
    assert len(scripts) == len(list(trees["hostile"].iter("figure"))) + 2
    assert "<script>alert" not in pages["hostile"].read_text(encoding="utf-8")


def test_error_output_loses_colours_and_control_characters(trees):
    shown = next(text_of(pre) for pre in trees["full"].iter("pre") if "MetaSchedule" in text_of(pre))
    assert "fatal: <b>null</b> pointer\ufffd in MetaSchedule" in shown
    assert "\x1b" not in shown
    assert "[31m" not in shown


def test_signs_that_reorder_text_are_replaced():
    assert "ab\ufffdcd" in page(unavailable("ab\u202ecd"))


def test_right_to_left_names_are_isolated_inside_sentences(trees):
    arabic = documents.HOSTILE_NAMES[3]
    headline = next(p for p in trees["hostile"].iter("p") if p.get("class") == "headline")
    assert [bdi.text for bdi in headline.iter("bdi")] == [arabic]


@pytest.mark.parametrize("value", ["</script>", "<!--", "a & b", "\u2028", "]]>"])
def test_embedded_json_cannot_leave_its_element(value):
    text = embedded_json({value: [value, 1.5, None]})
    assert not re.search(r"[<>&\u2028\u2029]", text)
    assert json.loads(text) == {value: [value, 1.5, None]}


def test_embedded_json_refuses_what_json_has_not():
    with pytest.raises(ValueError, match="JSON"):
        embedded_json([float("nan")])


def test_answers_come_first(trees):
    group = next(element for element in trees["full"].iter("section") if element.get("id") == "group-1")
    headline = next(p for p in group.iter("p") if p.get("class") == "headline")
    assert text_of(headline).strip().startswith("openvino@bf16 computes the wrong thing.")
    assert [text_of(heading).strip() for heading in group.iter("h3")] == [
        "Is it right?",
        "Should you believe it?",
        "Which is faster?",
        "Figures",
        "What could not be measured",
        "Evidence",
        "What ran",
    ]


def test_parity_is_said_in_words_with_figures():
    ok, wrong = measured("ort", 4.0, 1), measured("bad", 3.0, 2, parity=parity("fail", 400.0))
    shown = page(ok, wrong)
    worst = max(output.ratio_rms for output in wrong.parity.outputs)
    assert "1 of 2 measured computes the wrong thing" in shown
    assert "Computes the wrong thing: error is 400× the yardstick's, budget 10×." in shown
    assert f"{worst:.0f}× the yardstick's error" in shown
    assert "Computes the right thing: worst error" in shown
    assert "Judged against torch 2.13.0 float64" in shown


def test_parity_that_was_not_judged_is_unknown_never_right():
    shown = page(measured("ort", 4.0, 1, parity=None), measured("torch", 5.0, 2))
    assert "1 of 2 could not be judged" in shown
    assert "Not known: parity was not checked." in shown
    assert "Both contenders measured compute the right thing" not in shown


def test_warnings_show_figure_consequence_and_advice(trees):
    body = text_of(trees["full"].find("body"))
    assert body.count("The hypervisor took 6.2 % of the time.") == 1, "a shared warning is said once"
    assert "ratios are less affected" in body
    assert "Repeat it at a quieter time" in body


def test_missing_figures_say_why_and_are_never_zero_or_blank(trees):
    for name in NAMES:
        for table in trees[name].iter("table"):
            if "figures" not in (table.get("class") or ""):
                continue
            for cell in table.iter("td"):
                words = text_of(cell).strip()
                assert words
                if words.startswith("n/a"):
                    assert len(words) > len("n/a "), "a missing figure needs its reason"
    few = text_of(trees["full"].find("body"))
    assert re.search(r"n/a fewer than the \d+ samples that its interval needs", few)
    assert "one trial gives no interval" in few


def test_failures_show_phase_message_hint_and_error_output():
    shown = page(measured("ort", 4.0, 1), crashed("tvm"), unavailable("trt"))
    assert "tvm crashed In load: the worker died of SIGSEGV (ended by SIGSEGV)" in shown
    assert "Last lines of its error output" in shown
    assert "pip install tensorrt-cu13, on a machine with a GPU" in shown
    assert "n/a not available here: TensorRT needs an NVIDIA GPU, and there is none" in shown


def test_pairs_without_a_ratio_are_listed_with_their_reason():
    shown = page(measured("ort", 4.0, 1), unavailable("trt"))
    assert "1 pair without a ratio" in shown
    assert "ort and trt cannot be compared: they share no round with samples." in shown


def test_a_ratio_with_a_wrong_engine_does_not_count():
    good, wrong = measured("ort", 4.0, 1), measured("bad", 3.0, 2, parity=parity("fail", 400.0))
    unjudged = measured("torch", 5.0, 3, parity=None)
    shown = page(good, wrong, unjudged)
    assert "bad computes the wrong thing: no win counts." in shown
    assert "Whether torch is right is not known." in shown
    assert "no win counts" not in page(good, measured("torch", 5.0, 3))


def test_nothing_measured_is_said_plainly(trees):
    body = text_of(trees["nothing_measured"].find("body"))
    assert "Nothing could be measured." in body
    assert "There is nothing to draw" in body
    assert not list(trees["nothing_measured"].iter("figure"))


def test_results_outside_every_group_are_not_dropped_silently():
    found = document([measured("ort", 4.0, 1)])
    stray = measured("torch", 5.0, 2)
    widened = found.model_copy(update={"results": (*found.results, stray)})
    assert "torch on resnet50" in text_of(parsed(report.render_report(widened)).find("body"))


def test_machine_settings_and_the_way_to_repeat_it_are_there(trees):
    body = text_of(trees["full"].find("body"))
    for words in (
        "Intel(R) Xeon(R) Platinum 8481C",
        "kernel 6.1.0",
        "margin 2 %",
        "git checkout 8d1f5c0e6a1b4f0c9e2d7a3b5c6d7e8f90a1b2c3",
        "harness compare torch ort openvino@bf16 --model resnet50 --seed '3 4'",
        "export OMP_NUM_THREADS=2",
        "onnxruntime 1.31.0",
        "governor n/a (the system does not tell)",
    ):
        assert words in body, words


def test_what_the_engine_really_ran_with_is_shown(trees):
    assert 'effective: providers ["CPUExecutionProvider"]' in text_of(trees["full"].find("body"))


def test_commands_are_quoted_for_the_shell(trees):
    shown = next(text_of(pre) for pre in trees["hostile"].iter("pre") if "git checkout" in text_of(pre))
    assert "'<script>alert(1)</script>'" in shown


def test_without_the_packages_the_error_names_the_command(monkeypatch):
    monkeypatch.setattr(report, "find_spec", lambda name: None if name == "altair" else object())
    with pytest.raises(UsageError) as raised:
        report.render_report(documents.nothing_measured())
    assert "altair" in raised.value.message
    assert "pip install 'inference-harness[report]'" in raised.value.hint


def test_the_same_document_gives_the_same_page():
    found = documents.nothing_measured()
    assert report.render_report(found) == report.render_report(found)


def test_scripts_survive_a_parser_that_knows_no_html5(pages):
    class Counter(HTMLParser):
        scripts = 0

        def handle_starttag(self, tag, attrs):
            self.scripts += tag == "script"

    counter = Counter()
    counter.feed(pages["nothing_measured"].read_text(encoding="utf-8"))
    assert counter.scripts == 2


def test_gates_are_shown_with_their_evidence() -> None:
    from harness.judge.gate_types import GateOutcome, LatencyGate

    full_document = documents.full()
    gate = LatencyGate(contender="ort", at_most=0.08)
    outcome = GateOutcome(
        gate=gate, status="fail", asks="p50 of <ort> ≤ 80 ms", words="p50 is 90 ms [88, 92]", blocks=True
    )
    html = report.render_report(full_document.model_copy(update={"gates": (outcome,)}))
    section = html.split('id="gates-title"')[1].split("</section>")[0]
    assert "p50 of &lt;ort&gt; ≤ 80 ms" in section
    assert "p50 is 90 ms [88, 92]" in section
    assert "fail" in section
    assert 'id="gates-title"' not in report.render_report(full_document)

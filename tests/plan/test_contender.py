"""Contenders: what is read, what is refused and how the message points at it, and that text round-trips."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.contract import PRECISIONS
from harness.errors import UsageError
from harness.plan.contender import label_contenders, parse_contender, parse_contenders


@pytest.mark.parametrize(
    ("text", "canonical", "parts"),
    [
        ("ort", "ort", ("ort", "", "fp32", "", {})),
        ("onnxruntime", "ort", ("ort", "", "fp32", "", {})),
        ("OpenVINO@INT8", "openvino@int8", ("openvino", "", "int8", "", {})),
        ("ov", "openvino", ("openvino", "", "fp32", "", {})),
        ("pytorch:cuda@fp32", "torch:cuda", ("torch", "cuda", "fp32", "", {})),
        ("tensorrt@fp16", "trt@fp16", ("trt", "", "fp16", "", {})),
        ("ort==1.30.0", "ort==1.30.0", ("ort", "", "fp32", "1.30.0", {})),
        ("ort==1.31.0rc1+cu12", "ort==1.31.0rc1+cu12", ("ort", "", "fp32", "1.31.0rc1+cu12", {})),
        ("ort?b=2&a=1", "ort?a=1&b=2", ("ort", "", "fp32", "", {"a": "1", "b": "2"})),
        ("ort?x=a%20b", "ort?x=a%20b", ("ort", "", "fp32", "", {"x": "a b"})),
        ("ort?x=/a:b@c==d?e=f", "ort?x=/a:b@c==d%3Fe=f", ("ort", "", "fp32", "", {"x": "/a:b@c==d?e=f"})),
        (
            "ort:cuda@fp16==1.30?a=1#2",
            "ort:cuda@fp16==1.30?a=1#2",
            ("ort", "cuda", "fp16", "1.30", {"a": "1"}),
        ),
        ("My-Plugin_2.x", "My-Plugin_2.x", ("My-Plugin_2.x", "", "fp32", "", {})),
    ],
)
def test_reads(text, canonical, parts):
    ref = parse_contender(text)
    assert ref.text == canonical
    assert (ref.backend, ref.flavour, ref.precision, ref.version, ref.options) == parts


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 0, "a contender is empty"),
        ("  ", 0, "a contender is empty"),
        (":cuda", 0, "expected the name of a backend"),
        ("ort:", 4, "expected a flavour"),
        ("ort@", 4, "expected a precision"),
        ("ort@fp61", 4, "did you mean '@fp16'?"),
        ("ort@half", 4, "did you mean '@fp16'?"),
        ("ort@float32", 4, "did you mean '@fp32'?"),
        ("ort@zzz", 4, "fp32, tf32, bf16, fp16, int8"),
        ("ort==", 5, "expected a version"),
        ("ort=1.30", 3, "two equals signs"),
        ("ort==1.30@fp16", 9, "the order is flavour, precision, version"),
        ("ort:a:b", 5, "twice"),
        ("ort,openvino", 3, "not with commas"),
        ("ort openvino", 3, "no spaces"),
        ("ort?", 4, "expected option=value"),
        ("ort?a", 4, "'a' has no value"),
        ("ort?a=", 4, "'a' has no value"),
        ("ort?a=1&a=2", 8, "given twice"),
        ("ort?1a=1", 4, "not the name of an option"),
        ("ort?a=50%", 8, "hexadecimal"),
        ("ort?a=%ff", 6, "not UTF-8"),
        ("ort?a=x y", 7, "%20"),
        ("ort#1", 4, "from 2 to 999"),
        ("ort#", 4, "from 2 to 999"),
        ("ort?a=b#c", 8, "%23"),
        ("oört", 1, "does not belong here"),
        ("ort" + "x" * 600, 500, "at most 500 characters"),
    ],
)
def test_refuses_and_points(text, column, words):
    with pytest.raises(UsageError) as caught:
        parse_contender(text)
    shown, caret = caught.value.message.splitlines()[-2:]
    assert caret == " " * (4 + column) + "^"
    assert shown.startswith("    " + text[:500])
    assert words in str(caught.value)
    assert "backend[:flavour]" in caught.value.hint


def test_control_characters_never_reach_the_terminal():
    with pytest.raises(UsageError) as caught:
        parse_contender("ort\x1b[31m")
    assert "\x1b" not in str(caught.value)
    assert "U+001B" in str(caught.value)


def test_equal_contenders_get_labels_that_read_back():
    refs = parse_contenders(["ort", "onnxruntime", "ort@fp32", "openvino"])
    assert [ref.text for ref in refs] == ["ort", "ort#2", "ort#3", "openvino"]
    assert parse_contender("ort#2") == refs[1]
    assert {ref.backend for ref in refs[:3]} == {"ort"}


def test_labels_given_by_hand_are_left_to_their_owner():
    assert [r.text for r in parse_contenders(["ort", "ort", "ort#2"])] == ["ort", "ort#3", "ort#2"]
    assert [r.text for r in parse_contenders(["ort#2", "ort#2"])] == ["ort#2", "ort#3"]


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,12}", fullmatch=True)
VALUES = st.text(min_size=1, max_size=12).filter(lambda s: not any("\ud800" <= c <= "\udfff" for c in s))
SAFE = set(string.ascii_letters + string.digits)


@st.composite
def contender_texts(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    text = draw(NAMES)
    if draw(st.booleans()):
        text += ":" + draw(NAMES)
    if draw(st.booleans()):
        text += "@" + draw(st.sampled_from(PRECISIONS))
    if draw(st.booleans()):
        text += "==" + draw(NAMES)
    options = draw(
        st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), VALUES, max_size=3)
    )
    if options:
        text += "?" + "&".join(
            name + "=" + "".join(c if c in SAFE else "".join(f"%{b:02x}" for b in c.encode()) for c in value)
            for name, value in options.items()
        )
    if draw(st.booleans()):
        text += f"#{draw(st.integers(2, 999))}"
    return text, options


@given(contender_texts())
def test_round_trip(case):
    text, options = case
    if len(text) > 500:
        return
    first = parse_contender(text)
    assert first.options == options
    assert parse_contender(first.text) == first


@given(st.lists(st.sampled_from(["ort", "ort#2", "ort#3", "openvino", "ov", "ort@fp16"]), max_size=6))
def test_labels_are_distinct_and_stable(texts):
    labelled = parse_contenders(texts)
    assert len({ref.text for ref in labelled}) == len(texts)
    assert label_contenders(labelled) == labelled
    for text, ref in zip(texts, labelled, strict=True):
        assert ref.backend == parse_contender(text).backend


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_usage_error(text):
    try:
        ref = parse_contender(text)
    except UsageError as error:
        assert error.message.startswith("contender ")
    else:
        assert parse_contender(ref.text) == ref

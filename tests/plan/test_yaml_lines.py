"""The YAML reader: places of keys, and all that it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plan.yaml_lines import Mark, YamlProblems, read_yaml


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(YamlProblems) as caught:
        read_yaml(text)
    return [(p.mark.line, p.message) for p in caught.value.problems]


def test_data_and_places():
    document = read_yaml("a: 1\nb:\n  - x: yes\n    y: 2026-01-02\n  - [1.5, 'no']\n")
    assert document.data == {"a": 1, "b": [{"x": True, "y": "2026-01-02"}, [1.5, "no"]]}
    assert document.mark(("b", 0, "y")) == Mark(4, 5)
    assert document.mark(("b", 1, 1)) == Mark(5, 11)
    assert document.mark(("b", 1, 7, "nowhere")) == Mark(5, 5)


def test_duplicates_name_both_lines():
    assert problems("a: 1\nb: 2\na: 3\nb: 4\n") == [
        (3, "the key is here twice; first on line 1"),
        (4, "the key is here twice; first on line 2"),
    ]


def test_aliases_are_refused_before_they_expand():
    laughs = "a: &a [x, x]\n" + "".join(
        f"{c}: &{c} [{', '.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    found = problems(laughs)
    assert (1, "the anchor '&a' is not allowed; write values out") in found
    assert any(line == 9 and "alias '*h'" in message for line, message in found)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a:\n\t- 1\n", 2, "a tab"),
        ("a: [1,\n", 2, "not valid YAML"),
        ("a: 1\n  b: 2\n", 2, "not valid YAML"),
        ("a: !!python/object/apply:os.system [x]\n", 1, "tag"),
        ("a: !x 1\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("? [1]\n: 2\n", 1, "a key is text"),
        ("a: " + "[" * 30 + "]" * 30, 1, "nested deeper"),
        ("a: " + "9" * 5000, 1, "not a number"),
        ("x\n\x07", 2, "U+0007"),
        ("a: [ort?x=1]", 1, "in quotes"),
        ("%YAML 9.9\n---\na: 1", 1, "not valid YAML"),
    ],
)
def test_refusals_have_their_line(text, line, words):
    found = problems(text)
    assert any(at == line and words in message for at, message in found), found


def test_a_merge_key_is_only_a_key():
    assert read_yaml("<<: {a: 1}").data == {"<<": {"a": 1}}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~"])
def test_empty(text):
    assert read_yaml(text).data is None


@given(st.text(alphabet=" \n\t-:?[]{}&*!|>'\"%@#,ab1.~=", max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        read_yaml(text)
    except YamlProblems as error:
        assert error.problems
        assert all(p.mark.line >= 1 and p.message for p in error.problems)

"""Turns what pydantic finds wrong with a suite file into lines for people: place, key, what was expected."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.plan.suite_schema import suite_json_schema
from harness.plan.yaml_lines import Document, Path, Problem, dotted

_WORDS = {
    "missing": "this key is missing",
    "string_type": "expected text (put it in quotes)",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "list_type": "expected a list, such as [a, b]",
    "model_type": "expected keys with values",
    "dict_type": "expected keys with values",
    "too_short": "this list is empty",
    "string_too_short": "expected at least one character",
    "string_pattern_mismatch": "expected letters, digits, '.', '_' and '-', beginning with a letter or digit",
}


def described(error: ValidationError, document: Document) -> list[Problem]:
    """Every error of a `SuiteEntry`, with its place in the file."""
    problems = []
    for detail in error.errors(include_url=False):
        if detail["type"] == "none_required":
            continue  # the branch of a key left out; the other branch says what is wrong
        path = _in_file(detail, document.data)
        problems.append(Problem(document.mark(path), dotted(path), _message(detail, path)))
    return problems


def empty_values(document: Document) -> Iterator[Problem]:
    """A problem for every key or item without a value: nothing in a suite file may be left empty."""
    yield from _empty(document.data, (), document)


def _empty(value: Any, path: Path, document: Document) -> Iterator[Problem]:
    if value is None:
        message = "there is no value; write one, or take the key out"
        yield Problem(document.mark(path), dotted(path), message)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _empty(item, (*path, key), document)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _empty(item, (*path, index), document)


def _message(detail: ErrorDetails, path: Path) -> str:
    kind = detail["type"]
    found = detail.get("input")
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "value_error":
        return str(detail["ctx"]["error"]) if "ctx" in detail else detail["msg"]
    if kind == "literal_error":
        expected = detail.get("ctx", {}).get("expected", "")
        return f"expected {expected}, found {_shown(found)}"
    if kind in ("greater_than_equal", "greater_than"):
        context = detail.get("ctx", {})
        limit = f"{context['ge']} or more" if "ge" in context else f"more than {context['gt']:g}"
        return f"expected {limit}, found {_shown(found)}"
    if kind in ("missing", "too_short"):
        return _WORDS[kind]
    if kind in _WORDS:
        return f"{_WORDS[kind]}, found {_shown(found)}"
    message = detail["msg"]
    return f"{message[:1].lower()}{message[1:]}, found {_shown(found)}"


def _unknown_key(path: Path) -> str:
    known = _known_keys(path[:-1])
    near = get_close_matches(str(path[-1]), known, 1)
    if near:
        return f"unknown key; did you mean {near[0]!r}?"
    return f"unknown key; known here: {', '.join(known)}" if known else "unknown key"


@cache
def _schema() -> dict[str, Any]:
    return suite_json_schema()


def _known_keys(path: Path) -> list[str]:
    """The keys that the published schema allows at a path."""
    nodes = [_schema()]
    for part in path:
        children = []
        for node in _flat(nodes):
            child = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
            if isinstance(child, dict):
                children.append(child)
        nodes = children
    return list(dict.fromkeys(key for node in _flat(nodes) for key in node.get("properties", {})))


def _flat(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The nodes themselves, behind references and alternatives."""
    for node in nodes:
        if "$ref" in node:
            yield from _flat([_schema()["$defs"][node["$ref"].rpartition("/")[2]]])
        elif "anyOf" in node:
            yield from _flat(node["anyOf"])
        else:
            yield node


def _in_file(detail: ErrorDetails, data: Any) -> Path:
    """The error's location without the steps that pydantic adds and the file does not have."""
    location = detail["loc"]
    path: list[str | int] = []
    for number, part in enumerate(location):
        last_is_missing = detail["type"] == "missing" and number == len(location) - 1
        known = isinstance(part, int) if isinstance(data, list) else isinstance(data, dict) and part in data
        if known:
            data = data[part]
        if known or last_is_missing:
            path.append(part)
    return tuple(path)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"

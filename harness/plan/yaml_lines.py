"""Reads a small, plain subset of YAML and remembers on which line each key stood.

Taken: mappings with text keys, lists, and plain or quoted scalars. Refused, with the line: duplicate keys, anchors
and aliases (a few lines of them can stand for gigabytes), tags, merge keys, several documents, deep nesting.
Dates stay text. Built from PyYAML's events; no object of any other type is ever constructed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

DEEPEST = 20

Path = tuple[str | int, ...]

_PREFIX = "tag:yaml.org,2002:"
_CONSTRUCTED = {_PREFIX + name for name in ("int", "float", "bool", "null")}


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a file; lines and columns count from 1."""

    line: int
    column: int


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong at a place. `path` names the key, e.g. "settings.margin"; it may be empty."""

    mark: Mark
    path: str
    message: str


class YamlProblems(Exception):
    """The text cannot be read as a suite file's YAML; `problems` holds all that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Document:
    """The data, and where each key and value stands. An empty text gives None."""

    data: Any
    marks: dict[Path, Mark] = field(default_factory=dict)
    """Path of a value -> the place of its key, or of itself where it is an item of a list."""

    def mark(self, path: Path) -> Mark:
        """The place of the longest known beginning of `path`."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return Mark(1, 1)


def read_yaml(text: str) -> Document:
    """Read one document. Raises YamlProblems."""
    try:
        return _Builder(text).document()
    except yaml.MarkedYAMLError as error:
        raise YamlProblems([_syntax(error)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character[:1] or "\0")
        message = f"the character U+{code:04X} is not allowed in YAML"
        raise YamlProblems([Problem(Mark(line, column), "", message)]) from None


def dotted(path: Path) -> str:
    """A path as people write it: "gates[0].latency.at_most"."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


class _Builder:
    def __init__(self, text: str) -> None:
        self._events: list[Any] = list(yaml.parse(text, Loader=yaml.SafeLoader))
        self._next = 0
        # Only resolves and converts scalars, by YAML's rules.
        self._scalars: Any = yaml.SafeLoader("")
        self._marks: dict[Path, Mark] = {}
        self._problems: list[Problem] = []

    def document(self) -> Document:
        self._take()  # the start of the stream
        if isinstance(self._peek(), yaml.StreamEndEvent):
            return Document(None)
        self._take()  # the start of the document
        data = self._value((), depth=0)
        self._take()  # its end
        if not isinstance(self._peek(), yaml.StreamEndEvent):
            self._problem(self._peek(), (), "a second document ('---'); a file holds one")
        if self._problems:
            raise YamlProblems(self._problems)
        return Document(data, self._marks)

    def _peek(self) -> Any:
        return self._events[self._next]

    def _take(self) -> Any:
        self._next += 1
        return self._events[self._next - 1]

    def _value(self, path: Path, depth: int) -> Any:
        event = self._take()
        self._marks.setdefault(path, _mark(event))
        if isinstance(event, yaml.AliasEvent):
            self._problem(event, path, f"the alias '*{event.anchor}' is not allowed; write the value out")
            return None
        if event.anchor is not None:
            self._problem(event, path, f"the anchor '&{event.anchor}' is not allowed; write values out")
        if event.tag is not None:
            self._problem(event, path, f"the tag '{event.tag}' is not allowed")
        if depth >= DEEPEST:
            self._problem(event, path, f"nested deeper than {DEEPEST} levels")
            raise YamlProblems(self._problems)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, depth)
        assert isinstance(event, yaml.ScalarEvent), event
        return self._scalar(event, path)

    def _list(self, path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(self._peek(), yaml.SequenceEndEvent):
            items.append(self._value((*path, len(items)), depth + 1))
        self._take()
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while not isinstance(self._peek(), yaml.MappingEndEvent):
            event = self._peek()
            if not isinstance(event, yaml.ScalarEvent):
                self._problem(event, path, "a key is text, not a list, a mapping or an alias")
                raise YamlProblems(self._problems)
            self._take()
            key = event.value
            mark = _mark(event)
            if event.anchor is not None or event.tag is not None:
                self._problem(event, (*path, key), "a key has no anchor and no tag")
            if key in lines:
                self._problem(event, (*path, key), f"the key is here twice; first on line {lines[key]}")
            else:
                lines[key] = mark.line
                self._marks[(*path, key)] = mark
            items[key] = self._value((*path, key), depth + 1)
        self._take()
        return items

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Any:
        tag = self._scalars.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag not in _CONSTRUCTED:
            return event.value
        node = yaml.ScalarNode(tag, event.value)
        try:
            return self._scalars.construct_object(node)
        except ValueError:  # digits beyond what Python converts, or a lone sign
            self._problem(event, path, f"{event.value[:40]!r} is not a number that can be read")
            return None

    def _problem(self, event: yaml.Event, path: Path, message: str) -> None:
        self._problems.append(Problem(_mark(event), dotted(path), message))


def _mark(event: yaml.Event) -> Mark:
    start = event.start_mark
    return Mark(start.line + 1, start.column + 1) if start else Mark(1, 1)


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
    what = error.problem or error.context or "not YAML"
    if "'\\t'" in what:
        what = "a tab; YAML is indented with spaces"
    elif "got '?'" in what:
        what = "a '?' inside [...]; put that text in quotes"
    elif error.context:
        what = f"{what} ({error.context})"
    return Problem(place, "", f"not valid YAML: {what}")

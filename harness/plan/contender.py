"""Reads a contender: `backend[:flavour][@precision][==version][?option=value&...][#ordinal]`.

A backend that nobody knows is not an error here: a plug-in may bring it, and the runner reports it as
unavailable otherwise. Whether an engine runs the precision or knows the option is for its adapter to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from urllib.parse import quote, unquote

from backends.catalogue import KNOWN, canonical
from backends.contract import PRECISIONS
from harness.errors import UsageError
from harness.records import ContenderRef

GRAMMAR = "backend[:flavour][@precision][==version][?option=value&...]"
EXAMPLES = "ort, torch:cuda, openvino@int8, ort==1.30.0, ort?intra_op_num_threads=1"
DEFAULT_PRECISION = "fp32"

_LONGEST = 500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+!-]*")
_OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_ORDINAL = re.compile(r"[1-9][0-9]{0,2}")
_KEPT_IN_VALUES = "/:,;=@+*!~$()[]{}<>^'\""
"""Characters of an option's value that need no percent sign; those of the grammar (`&`, `#`, `%`) do."""
_OTHER_NAMES = {
    "f32": "fp32",
    "float": "fp32",
    "float32": "fp32",
    "single": "fp32",
    "f16": "fp16",
    "float16": "fp16",
    "half": "fp16",
    "bfloat16": "bf16",
    "tensorfloat32": "tf32",
    "i8": "int8",
    "s8": "int8",
    "u8": "int8",
    "uint8": "int8",
}


class ContenderProblem(ValueError):
    """What is wrong with a contender, and at which character (from 0) of its text."""

    def __init__(self, text: str, position: int, problem: str, advice: str = "") -> None:
        super().__init__(f"{_shown(text)!r}: {problem}" + (f"; {advice}" if advice else ""))
        self.text = text
        self.position = position
        self.problem = problem
        self.advice = advice


def parse_contender(text: str) -> ContenderRef:
    """Read what a user typed; the answer's `text` is canonical and reads back as the same contender.

    Canonical means: aliases of backends resolved, options sorted, the default precision left out.
    Raises UsageError that quotes the text and points at the part that is wrong.
    """
    try:
        return read_contender(text)
    except ContenderProblem as error:
        shown = _shown(text)
        caret = " " * min(error.position, len(shown)) + "^"
        hint = f"{error.advice}\n  " if error.advice else ""
        raise UsageError(
            f"contender {shown!r}: {error.problem}\n    {shown}\n    {caret}",
            f"{hint}A contender is written {GRAMMAR}, for example {EXAMPLES}.",
        ) from None


def read_contender(text: str) -> ContenderRef:
    """Like `parse_contender`, but raises ContenderProblem (one line), for use inside other messages."""
    _check_characters(text)
    head, option_text, ordinal = _split(text)
    name, at = _take(text, 0, head, _NAME, "the name of a backend")
    flavour, precision, version = "", DEFAULT_PRECISION, ""
    if text[at:head].startswith(":"):
        flavour, at = _take(text, at + 1, head, _NAME, "a flavour after ':'")
    if text[at:head].startswith("@"):
        start = at + 1
        precision, at = _take(text, start, head, _NAME, "a precision after '@'")
        precision = _precision(text, start, precision)
    if text[at:head].startswith("=="):
        version, at = _take(text, at + 2, head, _VERSION, "a version after '=='")
    if at < head:
        raise _misplaced(text, at)
    options = _options(text, head + 1, option_text) if option_text is not None else {}
    backend = _backend(name)
    return ContenderRef(
        text=_canonical_text(backend, flavour, precision, version, options, ordinal),
        backend=backend,
        flavour=flavour,
        precision=precision,
        version=version,
        options=options,
    )


def label_contenders(contenders: Sequence[ContenderRef]) -> tuple[ContenderRef, ...]:
    """Give equal contenders distinct texts: the second `ort` becomes `ort#2`, the third `ort#3`.

    An engine compared with itself shows what the machine's noise alone can do.
    """
    given = {contender.text for contender in contenders}
    taken: set[str] = set()
    labelled: list[ContenderRef] = []
    for contender in contenders:
        text = contender.text
        base = text.partition("#")[0]
        number = 2
        while text in taken or (text != contender.text and text in given):
            text = f"{base}#{number}"
            number += 1
        taken.add(text)
        labelled.append(contender.model_copy(update={"text": text}))
    return tuple(labelled)


def parse_contenders(texts: Sequence[str]) -> tuple[ContenderRef, ...]:
    """Read several contenders and label equal ones. Raises UsageError like `parse_contender`."""
    return label_contenders([parse_contender(text) for text in texts])


def without_version(contender: ContenderRef) -> str:
    """The contender's canonical text without an engine version: its name over all versions."""
    return _canonical_text(
        contender.backend, contender.flavour, contender.precision, "", contender.options, None
    )


def _check_characters(text: str) -> None:
    if not text.strip():
        raise ContenderProblem(text, 0, "a contender is empty")
    if len(text) > _LONGEST:
        raise ContenderProblem(
            text, _LONGEST, f"a contender has at most {_LONGEST} characters, this one has {len(text)}"
        )
    for position, character in enumerate(text):
        if character.isspace():
            advice = "write a space in an option's value as %20" if "?" in text[:position] else ""
            raise ContenderProblem(text, position, "a contender has no spaces", advice)
        if not character.isprintable():
            raise ContenderProblem(
                text, position, f"the character U+{ord(character):04X} does not belong here"
            )


def _split(text: str) -> tuple[int, str | None, int | None]:
    """End of the part before options and ordinal, the options' text if there is any, the ordinal."""
    body, mark, number = text.partition("#")
    ordinal: int | None = None
    if mark:
        start = len(body) + 1
        if not _ORDINAL.fullmatch(number) or number == "1":
            raise ContenderProblem(
                text,
                start,
                "after '#' comes the number of a repeated contender, from 2 to 999",
                "write a '#' in an option's value as %23" if "?" in body else "",
            )
        ordinal = int(number)
    before, mark, options = body.partition("?")
    return len(before), options if mark else None, ordinal


def _take(text: str, start: int, end: int, pattern: re.Pattern[str], what: str) -> tuple[str, int]:
    match = pattern.match(text, start, end)
    if match is None:
        found = f"found {text[start]!r}" if start < len(text) else "found the end"
        raise ContenderProblem(text, start, f"expected {what}, {found}")
    return match.group(), match.end()


def _precision(text: str, start: int, precision: str) -> str:
    lowered = precision.lower()
    if lowered in PRECISIONS:
        return lowered
    near = [_OTHER_NAMES[lowered]] if lowered in _OTHER_NAMES else get_close_matches(lowered, PRECISIONS, 1)
    advice = f"did you mean '@{near[0]}'?" if near else ""
    raise ContenderProblem(
        text, start, f"unknown precision {precision!r}; precisions are {', '.join(PRECISIONS)}", advice
    )


def _misplaced(text: str, at: int) -> ContenderProblem:
    character = text[at]
    if character == "=":
        return ContenderProblem(text, at, "a version is written with two equals signs", "write '=='")
    if character == ",":
        return ContenderProblem(
            text, at, "this is more than one contender", "separate contenders with spaces, not with commas"
        )
    if character in ":@":
        return ContenderProblem(
            text, at, f"{character!r} comes too late or twice", "the order is flavour, precision, version"
        )
    return ContenderProblem(text, at, f"{character!r} does not belong here")


def _options(text: str, start: int, options: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in options.split("&"):
        name, mark, value = part.partition("=")
        if not _OPTION.fullmatch(name):
            problem = f"{name!r} is not the name of an option" if name else "expected option=value"
            raise ContenderProblem(text, start, problem)
        if not mark or not value:
            raise ContenderProblem(
                text, start, f"option {name!r} has no value", f"write {name}=VALUE, or leave it out"
            )
        if name in found:
            raise ContenderProblem(text, start, f"option {name!r} is given twice")
        found[name] = _unquoted(text, start + len(name) + 1, value)
        start += len(part) + 1
    return dict(sorted(found.items()))


def _unquoted(text: str, start: int, value: str) -> str:
    for match in re.finditer("%", value):
        if not re.match(r"%[0-9A-Fa-f]{2}", value[match.start() :]):
            raise ContenderProblem(
                text,
                start + match.start(),
                "after '%' come two hexadecimal digits",
                "write a percent sign as %25",
            )
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise ContenderProblem(text, start, f"the bytes of {value!r} are not UTF-8") from None


def _backend(name: str) -> str:
    lowered = canonical(name.lower())
    return lowered if lowered in KNOWN else canonical(name)


def _canonical_text(
    backend: str,
    flavour: str,
    precision: str,
    version: str,
    options: dict[str, str],
    ordinal: int | None,
) -> str:
    parts = [backend]
    if flavour:
        parts.append(f":{flavour}")
    if precision != DEFAULT_PRECISION:
        parts.append(f"@{precision}")
    if version:
        parts.append(f"=={version}")
    if options:
        pairs = (f"{name}={quote(value, safe=_KEPT_IN_VALUES)}" for name, value in sorted(options.items()))
        parts.append("?" + "&".join(pairs))
    if ordinal is not None:
        parts.append(f"#{ordinal}")
    return "".join(parts)


def _shown(text: str) -> str:
    """The text as it can be printed in one line: control characters replaced, the end of a long one cut."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return printable if len(printable) <= _LONGEST else printable[:_LONGEST] + "…"

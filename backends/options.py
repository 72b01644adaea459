"""Readers of option values: text from `contender?option=value` to what an engine takes.

Each raises UnsupportedError that names the option, its value and what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, TypeVar

from backends.contract import UnsupportedError

Choice = TypeVar("Choice")


DENORMALS = {"keep": False, "flush": True}
"""Values of the option `denormals`: whether numbers below the smallest normal one are taken as zero."""


def flag(options: Mapping[str, str], name: str, default: bool) -> bool:
    """`0` or `1`."""
    return choice(options, name, {"0": False, "1": True}, default)


def choice(options: Mapping[str, str], name: str, choices: Mapping[str, Choice], default: Choice) -> Choice:
    """One of the keys of `choices`; gives its value."""
    if name not in options:
        return default
    value = options[name]
    if value not in choices:
        _refuse(name, value, f"one of {', '.join(choices)}")
    return choices[value]


def integer(options: Mapping[str, str], name: str, default: int, minimum: int = 0) -> int:
    """A whole number of at least `minimum`."""
    if name not in options:
        return default
    value = options[name]
    expected = f"a whole number from {minimum}"
    try:
        number = int(value)
    except ValueError:
        _refuse(name, value, expected)
    if number < minimum:
        _refuse(name, value, expected)
    return number


def share(options: Mapping[str, str], name: str, default: float) -> float:
    """A share of at least -1, as `5%` or `0.05`: how much is added."""
    if name not in options:
        return default
    value = options[name]
    expected = "a share such as 5% or 0.05, not below -100%"
    try:
        number = float(value[:-1]) / 100 if value.endswith("%") else float(value)
    except ValueError:
        _refuse(name, value, expected)
    if not -1.0 <= number < float("inf"):
        _refuse(name, value, expected)
    return number


def _refuse(name: str, value: str, expected: str) -> NoReturn:
    raise UnsupportedError(f"option {name}={value!r}: expected {expected}")

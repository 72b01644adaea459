from __future__ import annotations

import pytest

from backends.contract import UnsupportedError
from backends.options import choice, flag, integer, share


def test_defaults_hold_without_the_option() -> None:
    assert flag({}, "spin", True) is True
    assert choice({}, "level", {"a": 1}, 9) == 9
    assert integer({}, "count", 7) == 7
    assert share({}, "slower", 0.0) == 0.0


def test_values_are_read() -> None:
    options = {"spin": "0", "level": "a", "count": "12", "slower": "5%", "faster": "-0.25"}
    assert flag(options, "spin", True) is False
    assert choice(options, "level", {"a": 1}, 9) == 1
    assert integer(options, "count", 7) == 12
    assert share(options, "slower", 0.0) == pytest.approx(0.05)
    assert share(options, "faster", 0.0) == -0.25


@pytest.mark.parametrize("value", ["yes", "", "2"])
def test_flag_refuses(value: str) -> None:
    with pytest.raises(UnsupportedError, match=f"spin='{value}': expected one of 0, 1"):
        flag({"spin": value}, "spin", True)


@pytest.mark.parametrize("value", ["1.5", "-1", "many", ""])
def test_integer_refuses(value: str) -> None:
    with pytest.raises(UnsupportedError, match=f"count='{value}': expected a whole number from 0"):
        integer({"count": value}, "count", 1)


@pytest.mark.parametrize("value", ["fast", "%", "-2", "nan", "inf", "5%%"])
def test_share_refuses(value: str) -> None:
    with pytest.raises(UnsupportedError, match="slower"):
        share({"slower": value}, "slower", 0.0)

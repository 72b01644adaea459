"""Numbers as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.comparison import Estimate
from harness.show import numbers as fmt


def estimate(value, low=None, high=None, **more):
    return Estimate(value=value, low=low, high=high, **more)


@pytest.mark.parametrize(
    ("value", "low", "high", "kind", "text", "interval"),
    [
        (0.012345678, 0.0123, 0.0124, "seconds", "12.35\u00a0ms", "[12.30, 12.40]"),
        (1.3104, 1.2801, 1.3402, "ratio", "1.31×", "[1.28, 1.34]"),
        (1.3104, 1.2983, 1.3222, "ratio", "1.310×", "[1.298, 1.322]"),
        (1234.5, 1190, 1280, "per_second", "1\u202f230\u202f/s", "[1\u202f190, 1\u202f280]"),
        (210e6, 190e6, 230e6, "bytes", "210\u00a0MB", "[190, 230]"),
        (42e-9, 41e-9, 43e-9, "seconds", "42.0\u00a0ns", "[41.0, 43.0]"),
        (3.2, 2.0, 9.0, "seconds", "3.2\u00a0s", "[2.0, 9.0]"),
        (0.5, -1.0, 9.0, "ratio", "0.5×", "[−1.0, 9.0]"),
        (1.0, 1.0, 1.0, "ratio", "1.000×", "[1.000, 1.000]"),
    ],
)
def test_digits_follow_the_interval(value, low, high, kind, text, interval):
    shown = fmt.figure(estimate(value, low, high), kind)
    assert (shown.text, shown.interval) == (text, interval)


def test_a_missing_figure_says_so_and_why():
    shown = fmt.figure(estimate(None, reason="fewer than the 368 samples needed"), "seconds")
    assert shown.missing
    assert (shown.text, shown.reason) == ("n/a", "fewer than the 368 samples needed")


@pytest.mark.parametrize("value", [None, math.nan])
def test_no_figure_is_ever_without_a_reason(value):
    assert fmt.figure(estimate(value), "bytes").reason


def test_a_figure_without_interval_says_why():
    shown = fmt.figure(estimate(0.5, reason="one trial gives no interval"), "seconds")
    assert (shown.text, shown.interval) == ("500\u00a0ms", "")
    assert shown.reason == "one trial gives no interval"


@pytest.mark.parametrize(("unit", "value"), [("s", 0.002), ("ms", 2), ("µs", 2000), ("ns", 2_000_000)])
def test_units_of_the_estimate_are_honoured(unit, value):
    assert fmt.figure(estimate(value, unit=unit), "seconds").text == "2.00\u00a0ms"


def test_the_basis_tells_an_interval_from_a_range():
    assert (
        fmt.figure(estimate(2, 1, 3, trials=4, samples=80), "ratio").basis
        == "95 % interval from 4 trials, 80 samples"
    )
    assert fmt.figure(estimate(3, 1, 3, trials=4, confidence=1.0), "ratio").basis == "range from 4 trials"


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "seconds", "n/a"),
        (0, "seconds", "0\u00a0s"),
        (9.996, "ratio", "10.0×"),
        (0.0009997, "seconds", "1.00\u00a0ms"),
        (1.5e9, "bytes", "1.50\u00a0GB"),
        (1e-7, "ratio", "1.00·10⁻⁷×"),
        (math.inf, "ratio", "∞"),
        (-0.25, "seconds", "−250\u00a0ms"),
    ],
)
def test_bare_quantities(value, kind, text):
    assert fmt.quantity(value, kind) == text


@pytest.mark.parametrize(
    ("value", "text"), [(10.0, "10×"), (65536.0, "65\u202f536×"), (0.1, "0.1×"), (math.inf, "∞")]
)
def test_chosen_values_get_no_digits_that_nobody_chose(value, text):
    assert fmt.exact(value, "ratio") == text


def test_an_axis_takes_the_unit_of_its_middle():
    assert fmt.unit_for_axis([3e-6, 4e-3, 5e-3], "seconds") == (1e-3, "ms")
    assert fmt.unit_for_axis([], "seconds") == (1.0, "s")


def read(text: str) -> float:
    """The number that a reader sees."""
    mantissa, _, power = text.replace("\u202f", "").replace("−", "-").partition("·10")
    return float(mantissa) * 10.0 ** int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)


@given(
    st.floats(1e-9, 1e9), st.floats(1e-6, 2.0), st.sampled_from(("seconds", "bytes", "per_second", "ratio"))
)
def test_rounding_stays_within_the_interval(value, half, kind):
    """What is shown is off by less than the interval's half-width, and the shown ends stay in order."""
    low, high = value * (1 - half), value * (1 + half)
    scale, _ = fmt.unit_for(value, kind)
    shown = fmt.figure(estimate(value, low, high), kind)
    number = read(shown.text.split("\u00a0")[0].rstrip("×/s\u202f"))
    # With four digits at most, rounding alone may move a value by 0.05 % of itself.
    assert abs(number * scale - value) <= max(value * half, value * 6e-4)
    ends = [read(end) for end in shown.interval.strip("[]").split(", ")]
    assert ends[0] <= number <= ends[1]

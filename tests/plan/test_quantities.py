"""Durations, shares and sizes."""

from __future__ import annotations

import pytest

from harness.plan.quantities import parse_duration, parse_share, parse_size


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("45s", 45), ("2m", 120), ("2min", 120), ("1.5h", 5400), ("80ms", 0.08), ("5us", 5e-6), ("5 µs", 5e-6),
     (1.5, 1.5), (3, 3), (" .5s ", 0.5)],
)  # fmt: skip
def test_durations(value, seconds):
    assert parse_duration(value) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "value",
    ["45", "s", "", "-1s", "1 day", "1e3s", 0, -1, "0s", True, None, [], float("nan"), float("inf"), 10**400],
)
def test_no_durations(value):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "share"), [("2%", 0.02), ("0.7%", 0.007), ("99.9 %", 0.999), (0.02, 0.02), ("7%", 0.07)]
)
def test_shares(value, share):
    assert parse_share(value) == share


@pytest.mark.parametrize("value", ["2", "%", "0%", "100%", 0, 1, -0.1, True, None, float("nan"), "two"])
def test_no_shares(value):
    with pytest.raises(ValueError, match="share"):
        parse_share(value)


def test_a_share_above_one_is_told_how_to_be_written():
    with pytest.raises(ValueError, match='write "2%"'):
        parse_share(2)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("8GiB", 8 << 30),
        ("512MB", 512 * 10**6),
        ("1.5KiB", 1536),
        ("7B", 7),
        (4096, 4096),
        ("2 TiB", 2 << 40),
    ],
)
def test_sizes(value, size):
    assert parse_size(value) == size


@pytest.mark.parametrize("value", ["8", "8G", "GiB", 0, -5, 1.5, True, None, "0.1B", "-1GiB"])
def test_no_sizes(value):
    with pytest.raises(ValueError, match="size"):
        parse_size(value)

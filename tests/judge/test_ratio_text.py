"""Ratios read the same everywhere."""

import pytest

from harness.judge.ratio_text import ratio_text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.000"), (1.0234, "1.023"), (0.85, "0.850"), (1.31, "1.31"), (0.2, "0.20"), (12.34, "12.3"),
     (822.45, "822"), (1145.8, "1,146"), (0.0123, "0.0123"), (1e-6, "1.0e-06")],
)  # fmt: skip
def test_ratio_text(value: float, text: str) -> None:
    assert ratio_text(value) == text

"""The machine's noise as text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checkup import Noise
from harness.judge.noise import judge_noise
from harness.show.noise import milliseconds, noise_answer, noise_rows, percent, signed
from tests.judge.test_noise import simulated


def test_the_rows_hold_the_figures() -> None:
    samples = simulated()
    figures = judge_noise(samples)
    rows = dict(noise_rows(Noise(samples, figures)))
    assert rows["clock"].startswith("50 ns a reading, steps of 10 ns")
    assert rows["hiccups"] == "250 a second, 2.0 ms lost a second, longest 0.090 ms"
    assert "the same, which is right (9 pairs of fresh processes, 54 rounds)" in rows["A against A"]
    assert f"±{percent(figures.usual.share)} can be told" in rows["in 50 s"]
    assert "--budget 5m" in rows["in 5 minutes"]


def test_the_answer() -> None:
    samples = simulated()
    figures = judge_noise(samples)
    text = noise_answer(Noise(samples, figures))
    assert text.startswith(
        f"This machine can resolve ±{percent(figures.usual.share)} in 50 s (two engines at 2 threads"
    )
    assert f"slower by {percent(figures.usual.called)}, its margin included" in text


def test_a_wrong_or_missing_verdict_is_said() -> None:
    samples = simulated(ratio=1.05)
    assert (
        "called slower, which is wrong"
        in dict(noise_rows(Noise(samples, judge_noise(samples))))["A against A"]
    )
    vague = replace(judge_noise(samples), interval=None)
    assert "without an interval" in dict(noise_rows(Noise(samples, vague)))["A against A"]


def test_nothing_measured_is_said_with_its_reason() -> None:
    noise = Noise(None, None, reason="no process can be started")
    assert noise_rows(noise) == [("not measured", "no process can be started")]
    assert "no process can be started" in noise_answer(noise)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.0042, "0.42 %"),
        (0.00999, "1.0 %"),
        (0.042, "4.2 %"),
        (0.0999, "10 %"),
        (2.25, "225 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text
    assert signed(-share) == (f"−{text}" if share else "+0 %")


@pytest.mark.parametrize(
    ("value", "text"), [(0.042, "0.042 ms"), (4.21, "4.2 ms"), (137.9, "140 ms"), (9.96, "10 ms")]
)
def test_milliseconds(value: float, text: str) -> None:
    assert milliseconds(value) == text

"""Which ways are worth repeating, when repeating ends, and what speaks against a ceiling."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.environment.pressure import PressureDelta
from harness.judge.ceiling import MIN_ROUNDS, block_rate, doubts, finalists, is_settled
from tests.factories import make_machine

QUIET = PressureDelta(
    wall_s=1.0, cores=2, busy_s=1.0, own_cpu_s=1.0, steal_s=0.0, steal_ever_s=1.0, swap_pages=0
)


def test_the_fastest_call_gives_the_rate() -> None:
    assert block_rate(2_000, [2_000, 1_000, 5_000]) == pytest.approx(2e9)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({"a": 10.0}, ["a"]),
        ({"a": 5.9, "b": 10.0, "c": 6.1}, ["b", "c"]),
        ({"a": 9.0, "b": 10.0, "c": 9.5, "d": 9.9, "e": 8.0}, ["b", "d", "c", "a"]),
    ],
)
def test_finalists(rates: dict[str, float], expected: list[str]) -> None:
    assert finalists(rates) == expected


@pytest.mark.parametrize(
    ("rounds", "settled"),
    [
        ([10.0] * (MIN_ROUNDS - 1), False),
        ([10.0] * MIN_ROUNDS, True),
        ([10.0, 10.0, 9.0, 8.0, 9.9, 7.0], True),
        ([10.0, 10.0, 9.0, 8.0, 9.5, 7.0], False),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], False),
        ([10.0, 10.0, 9.0, 9.0, 9.0, 10.04], True),
        ([10.0, 10.0, 9.0, 9.0, 9.0, 10.06], False),
    ],
)
def test_settled(rounds: list[float], settled: bool) -> None:
    assert is_settled(rounds) is settled


def test_a_true_ceiling_is_found_under_a_load_that_comes_and_goes() -> None:
    """Simulated: every block loses up to 60 % to a neighbour who is there half of the time."""
    close = 0
    for seed in range(200):
        source = random.Random(seed)
        rounds: list[float] = []
        while not is_settled(rounds) and len(rounds) < 20:
            load = 0.6 * source.random() if source.random() < 0.5 else 0.0
            rounds.append(100.0 * (1 - load) * (1 - 0.002 * source.random()))
        assert max(rounds) <= 100.0
        close += max(rounds) > 98.0
    assert close >= 190


def codes(**overrides: Any) -> list[str]:
    fields: dict[str, Any] = {"settled": True, "spread": 0.01, "canary_spread": 0.01, "pressure": QUIET}
    return [w.code for w in doubts(**{**fields, **overrides}, machine=make_machine())]


def test_a_quiet_machine_leaves_no_doubt() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"settled": False}, "ceiling_unsettled"),
        ({"spread": 0.2}, "ceiling_restless"),
        ({"canary_spread": 0.2}, "ceiling_machine_restless"),
        ({"canary_spread": None}, "ceiling_no_canary"),
        (
            {"pressure": PressureDelta(wall_s=1, cores=2, busy_s=2.0, own_cpu_s=1.0, steal_s=0.0)},
            "competing_load",
        ),
        (
            {"pressure": PressureDelta(wall_s=1, cores=2, busy_s=1.0, own_cpu_s=1.0, steal_s=0.5)},
            "stolen_time",
        ),
    ],
)
def test_doubts(overrides: dict[str, Any], code: str) -> None:
    assert codes(**overrides) == [code]


def test_every_doubt_says_what_follows() -> None:
    found = doubts(settled=False, spread=0.5, canary_spread=0.5, pressure=None, machine=make_machine())
    assert len(found) == 3
    for warning in found:
        assert "higher" in warning.consequence
        assert "--fresh" in warning.advice

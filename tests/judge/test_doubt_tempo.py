"""Doubts about frequency, heat, clocks and settings: when they are raised, and when not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.environment.pressure import PressureDelta
from harness.environment.setting import Setting
from harness.environment.tempo import TempoDelta
from harness.judge.doubts.tempo import doubts
from tests.judge.test_doubt import QUIET, assert_complete, by_code, plain_machine


def delta(tempo: dict[str, Any], setting: dict[str, Any], **overrides: Any) -> PressureDelta:
    return replace(
        QUIET, tempo=replace(QUIET.tempo, **tempo), setting=replace(QUIET.setting, **setting), **overrides
    )


DOUBTS: list[tuple[str, dict[str, Any], dict[str, Any], float | None]] = [
    ("frequency_dropped", {"frequencies_mhz": (3000.0, 2700.0)}, {}, 0.1),
    ("frequency_dropped", {"frequencies_mhz": (3000.0, 3000.0, 1000.0, 2400.0)}, {}, 0.2),
    ("frequency_varies", {"frequencies_mhz": (2000.0, 3000.0, 3000.0, 2950.0)}, {}, 1 / 3),
    ("near_thermal_limit", {"temperature_c": 86.0, "limit_c": 90.0}, {}, 86.0),
    ("slow_clock", {}, {"clocksource": "hpet"}, None),
    ("slow_clock", {}, {"clocksource": "acpi_pm"}, None),
    ("clock_stepped", {"clock_step_s": -0.3}, {}, -0.3),
    ("suspended", {"suspended_s": 0.1}, {}, 0.1),
    ("boost", {}, {"boost": True}, None),
    ("shared_cores", {}, {"cores": 2}, 2.0),
    ("several_memory_nodes", {}, {"numa_nodes": 2}, 2.0),
    ("huge_pages_moved", {"huge_pages": 65}, {"huge_pages": "always"}, 65.0),
    ("tempo_unreadable", {"frequencies_mhz": ()}, {}, 1.0),
    ("clock_unknown", {}, {"clocksource": None}, None),
]


@pytest.mark.parametrize(("code", "tempo", "setting", "figure"), DOUBTS)
def test_doubt(code: str, tempo: dict[str, Any], setting: dict[str, Any], figure: float | None) -> None:
    found = by_code(doubts(delta(tempo, setting), plain_machine()))
    assert set(found) == {code}
    assert found[code].figure == (None if figure is None else pytest.approx(figure))
    assert_complete(found[code])


@pytest.mark.parametrize(
    ("tempo", "setting"),
    [
        ({"frequencies_mhz": (3000.0, 2900.0)}, {}),
        # An idle processor that clocks up is no drop, and too few looks are no spread.
        ({"frequencies_mhz": (1000.0, 3000.0)}, {}),
        ({"frequencies_mhz": (3000.0, 2800.0, 2900.0, 3000.0)}, {}),
        ({"temperature_c": 84.0, "limit_c": 90.0}, {}),
        ({"temperature_c": 95.0, "limit_c": None}, {}),
        ({"clock_step_s": 0.12}, {}),  # a time server's own pace over 60 s
        ({"suspended_s": 0.01}, {}),
        ({"huge_pages": 64}, {"huge_pages": "always"}),
        ({}, {"clocksource": "kvm-clock", "boost": False, "cores": None, "numa_nodes": None}),
        ({}, {"cores": 8}),
    ],
)
def test_no_doubt(tempo: dict[str, Any], setting: dict[str, Any]) -> None:
    assert doubts(delta(tempo, setting), plain_machine()) == ()


@pytest.mark.parametrize(
    ("tempo", "thermal_events", "named"),
    [
        ((), 0, "clock frequency"),
        ((2000.0, 2000.0), None, "heat"),
        ((), None, "clock frequency and heat"),
    ],
)
def test_what_is_hidden_is_named(tempo: tuple[float, ...], thermal_events: int | None, named: str) -> None:
    hidden = delta({"frequencies_mhz": tempo}, {}, thermal_events=thermal_events)
    found = by_code(doubts(hidden, plain_machine()))
    assert set(found) == {"tempo_unreadable"}
    assert named in found["tempo_unreadable"].message


def test_a_temperature_is_as_good_as_throttle_counters() -> None:
    assert doubts(delta({"temperature_c": 50.0}, {}, thermal_events=None), plain_machine()) == ()


def test_nothing_known_is_two_doubts_and_no_crash() -> None:
    nothing = PressureDelta(wall_s=1.0, tempo=TempoDelta(), setting=Setting())
    assert set(by_code(doubts(nothing, plain_machine()))) == {"tempo_unreadable", "clock_unknown"}

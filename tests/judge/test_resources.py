"""What calls cost beside time: per inference, over trials, and with reasons for what is missing."""

from __future__ import annotations

import pytest

from harness.judge.resources import gross_joules, resource_estimates
from harness.judge.summary import summarise
from harness.records import ResourcePass
from tests.factories import make_failure, make_result, make_trials


def resource_pass(**overrides: object) -> ResourcePass:
    fields: dict[str, object] = {
        "calls": 50,
        "wall_ns": 500_000_000,
        "user_s": 0.8,
        "system_s": 0.2,
        "voluntary_switches": 90,
        "involuntary_switches": 10,
        "minor_faults": 3,
        "major_faults": 0,
        "memory_steady": 200_000_000,
        "memory_steady_kind": "pss",
        "memory_busy": 210_000_000,
        "joules": {"package-0": 20.0, "package-0/core": 15.0, "package-0/dram": 2.0, "psys": 99.0},
        "reasons": {"device_memory": "it runs on the CPU"},
    }
    return ResourcePass(**{**fields, **overrides})


def result_with(*passes: ResourcePass, batch: int = 1):
    trials = make_trials(len(passes))
    paired = zip(trials, passes, strict=True)
    return make_result(
        batch=batch, trials=tuple(trial.model_copy(update={"resources": each}) for trial, each in paired)
    )


def test_figures_are_per_inference_not_per_call() -> None:
    for batch in (1, 8):
        found = resource_estimates(result_with(resource_pass(), resource_pass(user_s=1.8), batch=batch))
        assert found["cpu"].value == pytest.approx((1.0 / 50 + 2.0 / 50) / 2 / batch)
        assert found["switches"].value == pytest.approx(2.0 / batch)
        assert found["energy"].value == pytest.approx(20.0 / 50 / batch)
        assert found["memory_steady"].value == 200_000_000


def test_domains_inside_a_package_do_not_count_twice_and_gpus_count() -> None:
    assert gross_joules(resource_pass()) == 20.0
    assert (
        gross_joules(resource_pass(joules={"package-0": 20.0, "package-1": 5.0, "gpu 0 X": 100.0})) == 125.0
    )
    assert gross_joules(resource_pass(joules={"gpu 0 X": 100.0})) is None


def test_what_is_missing_says_why() -> None:
    found = resource_estimates(
        result_with(
            resource_pass(
                joules={}, memory_steady=None, reasons={"energy cpu": "no RAPL", "memory_steady": "refused"}
            )
        )
    )
    assert found["energy"].value is None and found["energy"].reason == "no RAPL"
    assert found["memory_steady"].value is None and found["memory_steady"].reason == "refused"
    assert found["device_memory"].value is None and found["device_memory"].reason


def test_no_switches_at_all_is_zero_and_not_missing() -> None:
    none = resource_pass(voluntary_switches=0, involuntary_switches=0)
    found = resource_estimates(result_with(none, none))["switches"]
    assert found.value == 0.0
    assert found.low == 0.0


def test_without_a_resource_pass_nothing_is_claimed() -> None:
    assert all(e.value is None and e.reason for e in resource_estimates(make_result()).values())
    assert "SIGSEGV" in resource_estimates(make_failure())["cpu"].reason


def test_cold_and_warm_starts_are_told_apart() -> None:
    cold, warm, again = make_trials(3)
    trials = (
        cold.model_copy(update={"file_cache": "cold", "load_ns": 900_000_000, "build_ns": 5_000_000_000}),
        warm.model_copy(update={"file_cache": "warm", "load_ns": 100_000_000, "build_ns": 1_000_000_000}),
        again.model_copy(update={"file_cache": "warm", "load_ns": 100_000_000}),
    )
    summary = summarise(make_result(trials=trials))
    assert summary.load.value == pytest.approx(0.3, rel=0.001)
    assert summary.load.trials == 2
    assert summary.load_cold.value == pytest.approx(1.1, rel=0.001)
    assert summary.build_warm.value == 1.0
    # A run that was resumed builds from nothing in a later trial: that is no second build.
    resumed = (warm, again.model_copy(update={"file_cache": "cold", "build_ns": 5_000_000_000}))
    assert summarise(make_result(trials=resumed)).build_warm.value is None
    unknown = tuple(trial.model_copy(update={"file_cache": "unknown", "build_ns": None}) for trial in trials)
    summary = summarise(make_result(trials=unknown))
    assert summary.load_cold.value is None and "out of memory" in summary.load_cold.reason
    assert summary.build_warm.value is None and "not built again" in summary.build_warm.reason

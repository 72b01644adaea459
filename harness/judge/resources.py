"""What a contender costs beside time: memory, CPU, context switches, energy. Pure functions of resource passes."""

from __future__ import annotations

from harness.judge.comparison import Estimate
from harness.judge.estimating import largest_over_trials, rate_by_trial
from harness.records import ResourcePass, Result

NOT_COUNTED = "resources were not counted"


def resource_estimates(result: Result) -> dict[str, Estimate]:
    """Memory in bytes (largest over the trials), the rest per inference (item, not call), by name."""
    passes = [trial.resources for trial in result.trials if trial.resources is not None]
    nothing = "" if passes else (result.failure.message if result.failure else NOT_COUNTED)
    confidence, batch = result.settings.confidence, result.case.variant.batch

    def why(figure: str) -> str:
        told = next((each.reasons[figure] for each in passes if figure in each.reasons), "")
        return nothing or told or "the system does not tell"

    def rate(values: list[float | None], unit: str, reason: str) -> Estimate:
        shares = [
            None if value is None or each.calls < 1 else value / (each.calls * batch)
            for value, each in zip(values, passes, strict=True)
        ]
        return rate_by_trial(shares, unit, confidence, reason)

    def switches(each: ResourcePass) -> float:
        return float(each.voluntary_switches + each.involuntary_switches)

    return {
        "memory_steady": largest_over_trials(
            [each.memory_steady for each in passes], "B", why("memory_steady")
        ),
        "device_memory": largest_over_trials(
            [each.device_memory for each in passes], "B", why("device_memory")
        ),
        "cpu": rate([each.user_s + each.system_s for each in passes], "s", why("cpu")),
        "switches": rate([switches(each) for each in passes], "", why("switches")),
        "energy": rate([gross_joules(each) for each in passes], "J", why("energy cpu")),
    }


def gross_joules(each: ResourcePass) -> float | None:
    """Joules of all processor packages and GPUs together; None where the packages tell nothing.

    Domains inside a package ("package-0/core") are part of it and do not count again.
    """
    packages = [
        value for name, value in each.joules.items() if name.startswith("package-") and "/" not in name
    ]
    if not packages:
        return None
    return sum(packages) + sum(value for name, value in each.joules.items() if name.startswith("gpu "))

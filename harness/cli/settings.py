"""Settings from the flags that all measuring commands share."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from harness.errors import UsageError
from harness.records import Settings


def settings_from_flags(flags: dict[str, Any]) -> Settings:
    """The `Settings` that the flags ask for. Raises UsageError for flags that contradict each other."""
    fewest, most = _trials(flags["min_trials"], flags["max_trials"])
    chosen = {
        "margin": flags["margin"],
        "confidence": flags["confidence"],
        "target_ci": flags["target_ci"],
        "budget_s": flags["budget"],
        "extension_s": Settings().extension_s if _left_out("budget") else 0.0,
        "min_trials": fewest,
        "max_trials": most,
        "warmup_max_s": flags["warmup_max"],
        "deadline_s": flags["deadline"],
        "memory_limit": flags["memory_limit"],
        "seed": flags["seed"],
    }
    if flags.get("input_sets"):
        chosen["input_sets"] = check_input_sets(flags["input_sets"])
    return Settings(**chosen)


def _trials(fewest: int, most: int) -> tuple[int, int]:
    """Both numbers; the default of a flag that was left out gives way to the other flag."""
    if fewest > most and _left_out("min_trials"):
        fewest = most
    if fewest > most and _left_out("max_trials"):
        most = fewest
    if fewest > most:
        raise UsageError(
            f"--min-trials {fewest} is more than --max-trials {most}", "make --max-trials at least as large"
        )
    return fewest, most


def _left_out(flag: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source(flag) is ParameterSource.DEFAULT


def check_input_sets(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, each once. Raises UsageError for one that cannot be made."""
    from suites.errors import ModelError
    from suites.inputs import parse_set

    for name in names:
        try:
            parse_set(name)
        except ModelError as error:
            raise UsageError(f"--input-set {name!r}: {error.message}", error.hint) from None
    return tuple(dict.fromkeys(names))

"""The engine's profiler, and the same calls timed without it before and after, in one worker."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backends.base import Backend
from backends.contract import Artefact, Feeds, ModelSource, Variant
from harness.worker import clock
from harness.worker.plain import plain_value

AIM_NS = 2_000_000_000
FEWEST, MOST = 10, 100


def calls_for(call_ns: float) -> int:
    """How many calls a profile takes: those of about two seconds, 10 to 100."""
    return max(FEWEST, min(MOST, int(AIM_NS / max(call_ns, 1.0))))


def time_profile(
    backend: Backend,
    source: ModelSource,
    artefact: Artefact,
    variant: Variant,
    feeds: Feeds,
    call: Callable[[], object],
    calls: int,
    folder: Path,
) -> dict[str, Any]:
    """Profile `calls` inferences; `call` is one inference of a warm session without the profiler.

    Answers {"profile": see `Profile.to_json`, "profiled_ns": the profiled calls, "unprofiled_ns": as many before the
    profile, then as many after, so that a machine that changes its speed shows}.
    """
    before = clock.timed_samples(call, calls)
    timed: array[int] = array("q")

    def repeat(profiled_call: Callable[[], object], number: int) -> None:
        timed.extend(clock.timed_samples(profiled_call, number))

    profile = backend.profile(source, artefact, variant, feeds, calls, folder, repeat)
    call()
    after = clock.timed_samples(call, calls)
    told: dict[str, Any] = plain_value(profile.to_json())
    return {"profile": told, "profiled_ns": list(timed), "unprofiled_ns": [*before, *after]}
